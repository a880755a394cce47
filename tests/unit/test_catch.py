"""Catch rates: thresholds with ties, what is refused, monitors without scores, coverage."""

import numpy as np
import pytest

from cotfaith.cluster.stats.metrics.lib.catch import catch, catch_of_labels, needed, threshold_of

HONEST = np.arange(100) / 100


def own(n):
    return np.arange(n)


class TestThreshold:
    def test_no_more_than_the_rate_is_above(self):
        assert threshold_of(HONEST, 0.05) == 0.94
        assert (threshold_of(HONEST, 0.05) < HONEST).mean() == 0.05
        assert threshold_of(HONEST, 0.059) == 0.94

    def test_ties_are_on_one_side(self):
        tied = np.array([0.9] * 10 + [0.1] * 90)
        assert threshold_of(tied, 0.05) == 0.9  # a lower one would flag all ten
        assert threshold_of(tied, 0.1) == 0.1


class TestCatch:
    def test_the_share_above_the_threshold(self):
        caught = np.array([0.99, 0.95, 0.94, 0.2])
        found = catch(HONEST, caught, own(100), 100 + own(4), 0.05)
        assert (found.value, found.threshold, found.false_positives) == (0.5, 0.94, 0.05)
        assert found.low < 0.5 < found.high

    @pytest.mark.parametrize(
        ("n", "rate", "why"),
        [(0, 0.05, "no_negatives"), (59, 0.05, "too_few_negatives: 59 of 60"), (60, 0.05, "bootstrap over items")],
    )
    def test_too_few_honest_chains_are_refused(self, n, rate, why):
        found = catch(HONEST[:n], np.ones(3), own(n), n + own(3), rate)
        assert found.why == why
        assert (found.value is None) == (n < 60)

    def test_needed(self):
        assert [needed(rate) for rate in (0.05, 0.01, 0.3)] == [60, 300, 10]

    def test_nothing_to_catch(self):
        assert catch(HONEST, np.array([]), own(100), own(0), 0.05).why == "no_switches"

    def test_scores_that_are_all_alike_catch_nothing(self):
        found = catch(np.full(80, 0.5), np.full(5, 0.5), own(80), 80 + own(5), 0.05)
        assert (found.value, found.low) == (0.0, 0.0)
        assert 0 < found.high < 1

    def test_labels_cannot_meet_a_rate_below_their_own(self):
        labels = np.array([1.0] * 8 + [0.0] * 92)
        found = catch_of_labels(labels, np.ones(4), own(4), 0.05)
        assert found.value is None
        assert found.why == "cannot_meet_rate: its own is 0.08"
        met = catch_of_labels(labels, np.array([1.0, 1, 0, 0]), own(4), 0.1)
        assert (met.value, met.false_positives) == (0.5, 0.08)
        assert catch_of_labels(np.ones(100), np.ones(4), own(4), 0.05).value is None  # it always says yes

    def test_the_interval_holds_the_threshold_s_uncertainty(self):
        """The true rate at the true threshold is within 95% intervals; alone, the rate's own interval would fail."""
        random, hits = np.random.default_rng(1), 0
        for _ in range(60):
            honest, caught = random.normal(size=80), random.normal(1.6449, size=80)
            found = catch(honest, caught, own(80), 80 + own(80), 0.05)
            hits += found.low <= 0.5 <= found.high
        assert hits >= 54
