"""P-values that invert intervals, and Holm's correction: by hand, and by scipy."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from cotfaith.cluster.stats.intervals import Interval, Sums, interval
from cotfaith.cluster.stats.inverted import LARGEST, SMALLEST, smallest_level, two_sided_p
from cotfaith.cluster.stats.multiplicity import holm


def p_of(values, bounds=None, at=0.0):
    sums = Sums.of(values, np.ones(len(values)))
    return two_sided_p(lambda tail: interval(sums, bounds, tail=tail), at)


def test_without_bounds_it_is_the_t_test():
    values = [0.2, -0.1, 0.5, 0.4, 0.05, 0.3]
    assert p_of(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-9)
    assert p_of(values, at=0.25) == pytest.approx(stats.ttest_1samp(values, 0.25).pvalue, rel=1e-9)


def test_an_interval_and_its_test_agree():
    values, bounds = [1.0] * 12 + [0.0] * 28 + [-1.0] * 2, (-1.0, 1.0)
    p = p_of(values, bounds)
    sums = Sums.of(values, np.ones(len(values)))
    assert 0.001 < p < 0.05
    assert interval(sums, bounds, tail=p / 2).low == pytest.approx(0.0, abs=1e-9)
    assert interval(sums, bounds, tail=0.99 * p / 2).low < 0
    assert p_of([-one for one in values], bounds) == pytest.approx(p)


@pytest.mark.parametrize(
    ("values", "bounds", "p"),
    [
        ([0.0] * 10, (-1.0, 1.0), 1.0),
        ([1.0, -1.0] * 5, (-1.0, 1.0), 1.0),
        ([0.0] * 10, None, None),
        ([0.3], (-1.0, 1.0), None),
        ([], (-1.0, 1.0), None),
        ([1.0] * 2_000_000, (-1.0, 1.0), 2 * SMALLEST),
    ],
)
def test_odd_samples(values, bounds, p):
    assert p_of(values, bounds) == p


def test_more_of_the_same_items_are_more_sure():
    found = [p_of([1.0] * n, (-1.0, 1.0)) for n in (2, 5, 10, 20)]
    assert all(b < a for a, b in pairwise(found))
    assert found[0] > 0.1  # two items show nothing


def test_the_smallest_level_is_found_between_its_ends():
    assert smallest_level(lambda tail: tail >= 0.0123) == pytest.approx(0.0123, rel=1e-9)
    assert smallest_level(lambda _: False) == 1.0
    assert smallest_level(lambda _: True) == SMALLEST
    assert smallest_level(lambda tail: tail >= LARGEST) == pytest.approx(LARGEST)
    assert two_sided_p(lambda tail: Interval(tail, 1.0, "linearised"), at=0.02) == pytest.approx(0.04)


def test_holm_by_hand():
    """Sorted: 4 x .005 = .02; 3 x .01 = .03; 2 x .03 = .06; 1 x .04 = .04, but no less than the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_is_no_test():
    assert holm([None, 0.02, None, 0.5]) == [None, 0.04, None, 0.5]
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([0.01], m=30) == pytest.approx([0.3])
    assert holm([]) == []
