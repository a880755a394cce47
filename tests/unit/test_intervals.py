"""Intervals in closed form: values by hand and by other formulas, coverage by simulation, and odd sums."""

import importlib
import sys
from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cotfaith.cluster.stats import intervals
from cotfaith.cluster.stats.curve_bands import simultaneous_tail
from cotfaith.cluster.stats.intervals import TAIL, Sums, clopper_pearson, interval, linearised, pseudo_weight
from cotfaith.cluster.stats.tally import Crosses

DIFFERENCE = (-1.0, 1.0)


@pytest.fixture
def coverage(repo, monkeypatch):
    monkeypatch.syspath_prepend(repo / "benchmarks")
    yield importlib.import_module("coverage_of_intervals")
    sys.modules.pop("coverage_of_intervals")


def of(num, den=None, bounds=(0.0, 1.0), squares=None, **more):
    den = np.ones(len(num)) if den is None else den
    return interval(Sums.of(num, den, squares), bounds, **more)


def ends(found):
    return found.low, found.high


def by_definition(num, den, lo, hi, tail):
    """The formula of the module's docstring, with pseudo-items that are written out as items."""
    z = stats.norm.isf(tail)
    a = ((sqrt(z * z - 4 * log(tail)) - z) / 2) ** 2
    m, k = sum(d * d for d in den) / sum(den), sum(den) ** 2 / sum(d * d for d in den)
    r = (sum(num) + a * m * (lo + hi)) / (sum(den) + 2 * a * m)
    beyond = a * ((lo - r) ** 2 + (hi - r) ** 2)
    of_items = sum((n - r * d) ** 2 for n, d in zip(num, den, strict=True)) + m**2 * beyond
    of_chains = sum(d * (n / d - r) ** 2 for n, d in zip(num, den, strict=True)) + m * beyond
    m = min(max(of_items / of_chains, min(1, m)), m)
    rows = [(n, d, 1) for n, d in zip(num, den, strict=True)] + [(lo * m, m, a), (hi * m, m, a)]
    total = sum(w * d for _, d, w in rows)
    r = sum(w * n for n, _, w in rows) / total
    v = sum(w * (n - r * d) ** 2 for n, d, w in rows) / total**2 * (k + 2) / (k + 1)
    half = stats.t.isf(tail, k + 1) * sqrt(v)
    return max(lo, r - half), min(hi, r + half)


@pytest.mark.parametrize("tail", [0.025, 0.05 / 600])
@pytest.mark.parametrize(
    ("num", "den", "lo", "hi"),
    [
        ([1, 0, 0, 0, 1, 0, 0], None, 0, 1),
        ([0] * 10, None, 0, 1),
        ([1, -1, 0, 0, 0, 0], None, -1, 1),
        ([0.2, 0.7, 0.1], None, 0, 1),
        ([3, 0, 3, 0, 5], [3, 3, 3, 3, 5], 0, 1),  # chains of an item are alike
        ([40, 1, 0, 2], [40, 1, 1, 2], 0, 1),
    ],
)
def test_the_definition(num, den, lo, hi, tail):
    den = den or [1.0] * len(num)
    squares = [n * n / d for n, d in zip(num, den, strict=True)]
    found = of(np.array(num, dtype=float), np.array(den), (lo, hi), squares, tail=tail)
    assert found.kind == "linearised"
    assert ends(found) == pytest.approx(by_definition(num, den, lo, hi, tail), abs=1e-9)


def test_the_weight_of_pseudo_items():
    assert [round(pseudo_weight(tail), 2) for tail in (0.025, 0.05 / 30, 0.05 / 600)] == [1.38, 2.12, 2.94]


def test_no_event_is_bounded_about_as_by_the_exact_interval():
    for n in (5, 10, 30, 100, 1000):
        exact = clopper_pearson(0, n)[1]
        found = of(np.zeros(n))
        assert found.low == 0.0
        assert 0.95 < found.high / exact < 1.25, n
        assert ends(of(np.ones(n))) == pytest.approx((1 - found.high, 1.0))


def test_many_independent_items_have_the_normal_interval():
    values = (np.random.default_rng(0).random(4000) < 0.3).astype(float)
    half = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 4000)
    assert ends(of(values)) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.0005)


def test_four_changes_one_way_are_not_significant():
    """The sign test gives p = .125."""
    assert of(np.r_[np.ones(4), np.zeros(36)], bounds=DIFFERENCE).low < 0
    assert of(np.r_[np.ones(8), np.zeros(32)], bounds=DIFFERENCE).low > 0  # p = .008


def test_chains_that_are_alike_count_as_one():
    values = np.arange(50) % 2.0
    assert ends(of(10 * values, np.full(50, 10.0), squares=10 * values)) == pytest.approx(ends(of(values)))


def test_chains_that_have_nothing_in_common_count_almost_each():
    rng = np.random.default_rng(1)
    right = rng.binomial(100, 0.05, 1000).astype(float)
    each, alike = of(right, np.full(1000, 100.0), squares=right), of(right, np.full(1000, 100.0))
    value, half = right.sum() / 1e5, 1.96 * sqrt(0.05 * 0.95 / 1e5)
    assert ends(each) == pytest.approx((value - half, value + half), abs=0.0002)
    assert alike.high - alike.low > 1.5 * (each.high - each.low)


def test_the_scale_of_the_denominators_does_not_matter():
    num, den = np.array([1.0, 3.0, 0.0, 2.0]), np.array([2.0, 4.0, 1.0, 2.0])
    assert ends(of(num, den)) == pytest.approx(ends(of(1000 * num, 1000 * den)))


def test_one_item_with_almost_the_whole_denominator_is_about_one_item():
    found = of(np.array([5e5, 1.0, 0.0, 1.0]), np.array([1e6, 1.0, 1.0, 1.0]))
    assert found.kind == "linearised"
    assert found.low < 0.05
    assert found.high > 0.95


@pytest.mark.parametrize("others", [3, 30, 3000])
def test_items_beside_one_with_almost_the_whole_denominator_add_no_certainty(others):
    """However many they are: pseudo-items are as large as what they stand beside."""
    found = of(np.array([3e5, *[0.0, 1.0, 1.0] * (others // 3)]), np.array([1e6, *[1.0] * others]))
    assert (found.low, found.high, found.kind) == (0.0, 1.0, "linearised")


def test_where_a_tenth_of_the_items_has_most_chains_a_rare_event_is_not_missed(coverage):
    def draw(rng, repetitions):
        chains = np.where(rng.random((200, repetitions)) < 0.1, 20, 1)
        own = rng.beta(0.05 * 3 / 7, 0.95 * 3 / 7, (200, repetitions))  # a correlation of .7
        return rng.binomial(chains, own).astype(float), chains.astype(float)

    cell = coverage.Cell("share", "uneven", 200, 0.05, draw)
    found = coverage.counted(cell, TAIL, 1000, seed=2)
    assert found.failed == []
    assert found.above + found.below < 50  # 220, if pseudo-items have the mean number of chains


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=30),
    st.sampled_from([0.025, 0.05 / 600, 0.3]),
)
def test_the_interval_holds_the_estimate_and_lies_within_the_bounds(pairs, tail):
    num = np.array([min(n, d) for n, d in pairs], dtype=float)
    den = np.array([d for _, d in pairs], dtype=float)
    found = of(num, den, squares=num, tail=tail)
    assert 0 <= found.low <= num.sum() / den.sum() <= found.high <= 1
    assert found.high - found.low > 1e-3
    assert found.detectable > 0


def test_without_bounds_it_is_the_t_interval():
    values = np.array([3.0, 5.0, 4.0, 8.0])
    half = stats.t.isf(0.025, 3) * values.std(ddof=1) / 2
    found = of(values, bounds=None)
    assert found.kind == "linearised_unbounded"
    assert ends(found) == pytest.approx((5 - half, 5 + half))


def test_a_ratio_of_means_has_fiellers_interval():
    num, den = np.array([2.0, 3.0, 4.0, 3.0, 2.5]), np.array([4.0, 5.0, 9.0, 5.0, 6.0])
    found = of(num, den, None, of_means=True)
    t = stats.t.isf(0.025, 4)
    for end in ends(found):  # each end is a ratio that the data are exactly t standard errors from
        residual = num - end * den
        assert abs(residual.mean()) / (residual.std(ddof=1) / sqrt(5)) == pytest.approx(t)
    assert found.kind == "fieller"
    assert found.low < num.sum() / den.sum() < found.high


@pytest.mark.parametrize(
    ("num", "den", "bounds", "more", "kind"),
    [
        ([], [], (0, 1), {}, "too_few_items"),
        ([1.0], [1.0], (0, 1), {}, "too_few_items"),
        ([1.0, 0.0, 0.0], [1.0, 0.0, 0.0], (0, 1), {}, "too_few_items"),
        ([0.0, 0.0], [0.0, 0.0], (0, 1), {}, "too_few_items"),
        ([4.0] * 9, [1.0] * 9, None, {}, "all_alike"),
        ([3e6, 5.0, 4.0, 8.0], [1e6, 1.0, 1.0, 1.0], None, {}, "too_few_items"),
        ([3e9, 5.0, 4.0, 8.0], [1e9, 1.0, 1.0, 1.0], None, {}, "too_few_items"),
        ([3e5, 1.0, 0.0, 1.0], [1e6, 1.0, 1.0, 1.0], None, {"of_means": True}, "unbounded_ratio"),
        ([1.0, 1.0, 1.0], [0.0, 0.0, 0.1], None, {"of_means": True}, "unbounded_ratio"),
        ([1.0, float("nan")], [1.0, 1.0], (0, 1), {}, "not_finite"),
        ([1.0, float("inf")], [1.0, 1.0], None, {}, "not_finite"),
    ],
)
def test_where_there_is_none_the_kind_says_why(num, den, bounds, more, kind):
    found = of(np.array(num), np.array(den), bounds, **more)
    assert (found.low, found.high, found.detectable, found.kind) == (None, None, None, kind)


def test_the_smallest_effect_is_found_with_a_power_of_four_fifths():
    """A difference of ``detectable`` from a fixed value is found in about 80% of samples."""
    rng = np.random.default_rng(3)
    known = of(1.0 * (rng.random(200) < 0.5)).detectable
    samples = 1.0 * (rng.random((200, 4000)) < 0.5 + known)
    low, _, _ = linearised(Sums.of(samples, np.ones_like(samples)), (0.0, 1.0))
    assert (low > 0.5).mean() == pytest.approx(0.8, abs=0.04)


def test_a_band_is_as_wide_as_its_positions_differ():
    rng = np.random.default_rng(0)
    apart, ones = 1.0 * (rng.random((100, 11)) < 0.5), np.ones((100, 11))
    same = np.repeat(apart[:, :1], 11, axis=1)
    assert band_tail(same, ones) == pytest.approx(TAIL, rel=0.1)
    assert band_tail(apart, ones) == pytest.approx(TAIL / 11, rel=0.35)  # Bonferroni, nearly
    assert band_tail(apart, ones) == band_tail(apart, ones)
    assert band_tail(apart[::-1], ones) == band_tail(apart, ones)  # whatever the order of the items
    assert band_tail(np.zeros((9, 3)), np.ones((9, 3))) < TAIL  # no differences: nothing in common is known


def band_tail(num_IP, den_IP):
    found = Crosses.of(tuple(range(num_IP.shape[1])), num_IP, den_IP)
    return simultaneous_tail(num_IP.sum(axis=0), den_IP.sum(axis=0), found)


def test_clopper_pearson_matches_published_values():
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert clopper_pearson(2, 10) == pytest.approx((0.0252, 0.5561), abs=1e-4)


def test_a_part_of_the_simulation(coverage):
    chosen = [
        cell
        for cell in coverage.cells((20, 200), (0.03, 0.2, 0.95))
        if cell.family != "unbounded" and (cell.family != "share" or "1-12" in cell.name)
    ]
    found = [coverage.counted(cell, TAIL, 1000, seed=2) for cell in chosen]
    assert len(found) > 40
    assert [one.line() for one in found if one.failed] == []
    assert sum(one.above + one.below for one in found) / sum(one.n for one in found) > 0.02  # and not by being endless


def test_the_simulation_notices_an_interval_that_does_not_cover(coverage):
    """Without pseudo-items an area that is rarely more than 0 is missed."""
    cell = next(one for one in coverage.areas(50) if one.name.startswith("0.05"))
    plain = coverage.counted(replace(cell, bounds=None), TAIL, 1000, seed=2)
    assert plain.n < 1000  # no interval where all items agree
    assert plain.above / plain.n > 0.08


def test_a_band_holds_at_all_positions_at_once_and_pointwise_intervals_do_not(coverage):
    pointwise, band = coverage.curves(50, 300, seed=2)
    assert pointwise < 0.85
    assert band > 0.92


def test_students_t_is_scipys():
    tails, freedom = np.meshgrid([1e-12, 1e-6, 4e-5, 0.025, 0.05, 0.4], [0.2, 1.0, 1.5, 2.0, 9.7, 400.0, 1e7])
    assert (intervals._t(tails, freedom) == stats.t.isf(tails, np.maximum(freedom, intervals._LEAST))).all()
