"""Intervals of functions of several sums: as those of ratios where both exist, and defined where a ratio's are not."""

import numpy as np
import pytest

from cotfaith.cluster.stats import smooth as module
from cotfaith.cluster.stats.intervals import Sums, linearised
from cotfaith.cluster.stats.metrics.lib.function import Function, ratio
from cotfaith.cluster.stats.smooth import smooth


def pseudo(vectors, counts):
    return np.array([[1.0, 0.0], [1.0, 1.0]])


def denominator(sums):
    return sums[..., 0]


SHARE = Function(lambda sums: ratio(sums[..., 1], sums[..., 0]), lambda _: "none", (denominator,), pseudo, (0.0, 1.0))
"""(trials, successes) -> the share of successes."""


def of(successes, n):
    return np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([float(n - successes), float(successes)])


@pytest.mark.parametrize(("successes", "n"), [(20, 40), (3, 60), (0, 50), (50, 50), (199, 400)])
def test_a_share_has_the_interval_of_a_share(successes, n):
    made = smooth(*of(successes, n), SHARE)
    low, high, _ = linearised(Sums.of(np.arange(n) < successes, np.ones(n)), (0.0, 1.0))
    assert (made.kind, made.value, made.n_eff) == ("delta", successes / n, n)
    assert (made.low, made.high) == pytest.approx((float(low), float(high)), abs=1e-6)


def test_few_trials_are_bootstrapped():
    made = smooth(*of(1, 3), SHARE)
    assert (made.kind, made.value) == ("bootstrap", pytest.approx(1 / 3))
    assert made.low < 0.05 < 0.7 < made.high
    assert made.undefined == 0


def test_undefined_draws_count_at_both_ends():
    above = Function(
        lambda sums: np.where(sums[..., 1] > 0.3 * sums[..., 0], ratio(sums[..., 1], sums[..., 0]), np.nan),
        *(lambda _: "below", (lambda sums: sums[..., 1] - 0.3 * sums[..., 0],), pseudo, (0.0, 1.0)),
    )
    made = smooth(*of(4, 10), above)
    assert (made.kind, made.low, made.high) == ("bootstrap", 0.0, 1.0)
    assert 0.1 < made.undefined < 0.5
    sure = smooth(*of(300, 400), above)
    assert (sure.kind, sure.undefined) == ("delta", 0.0)
    assert 0.7 < sure.low < 0.75 < sure.high < 0.8


def test_nothing_and_one_item_have_no_interval():
    nothing = smooth(np.zeros((1, 2)), np.array([9.0]), SHARE)
    assert (nothing.value, nothing.low, nothing.n_eff) == (None, None, 0.0)
    one = smooth(np.array([[1.0, 1.0]]), np.array([1.0]), SHARE)
    assert (one.value, one.low, one.kind) == (1.0, None, "too_few_items")


def test_draws_are_the_same_however_many_are_made_at_once(monkeypatch):
    whole = smooth(*of(1, 3), SHARE)
    monkeypatch.setattr(module, "_MOST_NUMBERS", 100)
    assert smooth(*of(1, 3), SHARE) == whole


def test_a_smaller_level_is_wider():
    narrow, wide = (smooth(*of(20, 40), SHARE, tail) for tail in (0.025, 0.025 / 6))
    assert wide.low < narrow.low < narrow.high < wide.high
