"""Values of several models on shared items, and intervals of weighted sums of them."""

import numpy as np
import pytest

from cotfaith.cluster.stats.intervals import Sums, interval
from cotfaith.cluster.stats.scaling.figures import Contrast, Term, as_measured

SHARE = (0.0, 1.0)


def contrast(figures, *weights):
    return Contrast([Term(figures, np.array(weights, dtype=float))])


def test_a_value_has_the_interval_of_an_estimate():
    """The pseudo-items are written in another way here; for one model they are the same."""
    rng = np.random.default_rng(1)
    for share, n in ((0.3, 50), (0.02, 40), (1.0, 30), (0.5, 3)):
        num = (rng.random(n) < share).astype(float)
        own = contrast(as_measured(num[None], np.ones((1, n)), SHARE), 1).at()
        expected = interval(Sums.of(num, np.ones(n)), SHARE)
        assert max(own.low, 0) == pytest.approx(expected.low, abs=1e-9)
        assert min(own.high, 1) == pytest.approx(expected.high, abs=1e-9)


def test_items_that_models_share_narrow_a_difference():
    rng = np.random.default_rng(2)
    item = rng.random(200)
    both = np.stack([item, np.clip(item + 0.05 * rng.standard_normal(200), 0, 1)])
    apart = np.stack([item, rng.permutation(both[1])])
    paired, unpaired = (contrast(as_measured(found, np.ones((2, 200)), SHARE), 1, -1).at() for found in (both, apart))
    assert (paired.high - paired.low) < 0.5 * (unpaired.high - unpaired.low)


def test_an_item_without_a_value_moves_nothing_and_a_model_without_items_has_no_value():
    num, den = np.array([[1.0, 0, 1, 0], [0, 0, 0, 0]]), np.array([[1.0, 1, 1, 0], [0, 0, 0, 0]])
    found = as_measured(num, den, SHARE)
    assert found.value_M[0] == pytest.approx(2 / 3)
    assert np.isnan(found.value_M[1])
    assert found.known.tolist() == [True, False]
    assert found.moves_MI[0, 3] == 0
    assert contrast(found, 1, 0).n_items == 3


def test_one_item_is_not_enough():
    assert as_measured(np.ones((1, 1)), np.ones((1, 1)), SHARE).known.tolist() == [False]


def test_items_that_are_all_alike_still_have_an_interval_and_without_bounds_none():
    alike = np.ones((2, 20))
    found = contrast(as_measured(alike, alike, SHARE), 1, -1)
    assert found.value == 0
    assert found.at().low < 0 < found.at().high
    assert found.p_value == 1
    unbounded = contrast(as_measured(alike, alike, None), 1, -1)
    assert unbounded.at().kind == "all_alike"
    assert unbounded.p_value is None


def test_the_p_value_inverts_the_interval():
    rng = np.random.default_rng(3)
    values = np.stack([rng.random(60) < 0.7, rng.random(60) < 0.5]).astype(float)
    found = contrast(as_measured(values, np.ones((2, 60)), SHARE), 1, -1)
    ends = found.at(found.p_value / 2)
    assert min(abs(ends.low), abs(ends.high)) < 1e-6


def test_a_slope_s_interval_holds_the_true_slope_as_often_as_it_says():
    """Four sizes whose true values are on a line; half of what an item does is the item's own, alike in all sizes."""
    rng, true_M = np.random.default_rng(8), np.array([0.8, 0.7, 0.6, 0.5])
    weights, missed = np.array([-0.3, -0.1, 0.1, 0.3]), []
    for _ in range(600):
        level = np.where(rng.random((4, 50)) < 0.5, rng.random(50), rng.random((4, 50)))
        values = (level < true_M[:, None]).astype(float)
        one = contrast(as_measured(values, np.ones((4, 50)), SHARE), *weights).at()
        missed.append(not one.low <= -0.1 <= one.high)
    assert 0.02 < np.mean(missed) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
