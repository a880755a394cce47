"""g-mean^2: the worked cases, the selection of instances, and what is counted beside it."""

import numpy as np
import pytest

from cotfaith.cluster.stats.metrics.lib.gmean import Arm, gmean, is_selected, parts


def arm(y, z):
    return Arm(np.array(y, float), np.array(z, float))


CAUSED = arm([1, 1, 1, 1], [1, 1, 1, 1])
QUIET = arm([0, 0, 0, 0], [0, 0, 0, 0])


class TestParts:
    def test_a_perfect_monitor_has_one(self):
        assert parts(CAUSED, QUIET).value == 1

    def test_a_perfect_monitor_flags_only_what_was_caused(self):
        one = arm([1] * 8 + [0] * 2, [1] * 6 + [0] * 2 + [0] * 2)  # 6 of 8 were caused: TE .6, q .75
        zero = arm([1] * 2 + [0] * 8, [0] * 10)
        found = parts(one, zero)
        assert found.tpr == pytest.approx(1)
        assert found.value == pytest.approx(1)
        assert not found.capped

    def test_a_coin_has_a_quarter(self):
        found = parts(arm([1, 1], [1, 0]), arm([0, 0], [1, 0]))
        assert (found.tpr, found.undefined_arm) == (0.5, True)
        one = arm([1, 1, 0, 0], [1, 0, 1, 0])
        found = parts(one, arm([0, 0], [1, 0]))
        assert (found.tpr, found.tnr, found.value) == (0.5, 0.5, 0.25)

    def test_an_undefined_arm_counts_one_and_is_counted(self):
        found = parts(arm([1, 1], [1, 1]), arm([0, 0, 0, 0], [1, 0, 0, 0]))
        assert found.tnr == pytest.approx(0.75**0.5)
        assert found.undefined_arm

    @pytest.mark.parametrize("zero", [arm([1, 1], [0, 0]), arm([1, 1, 1], [0, 0, 0])])
    def test_without_an_effect_it_is_undefined(self, zero):
        assert parts(arm([1, 0], [1, 1]), zero) is None

    def test_min_says_that_it_bit(self):
        found = parts(arm([1, 1, 1, 1], [1, 1, 1, 1]), arm([1, 0, 0, 0], [0, 0, 0, 0]))
        assert (found.tpr, found.capped) == (1.0, True)

    def test_readings_that_failed_are_left_out_and_outcomes_are_not(self):
        nan = float("nan")
        found = parts(arm([1, 1, 1, 0], [1, nan, 0, 0]), arm([0, 1, 0, 0], [nan, 0, 0, 1]))
        # TE .5, q 2/3; of two read 1 flagged; TNR_0 2/3, TNR_1 1
        assert found.tpr == pytest.approx(0.75)
        assert found.tnr == pytest.approx((2 / 3) ** 0.5)
        assert parts(arm([1, 1], [nan, nan]), QUIET) is None

    def test_the_always_positive_monitor_has_zero(self):
        assert parts(CAUSED, arm([0, 0], [1, 1])).value == 0


class TestSelection:
    def test_wald(self):
        assert is_selected(np.ones(2), np.zeros(2))  # no variance, an effect
        assert not is_selected(np.ones(1), np.zeros(5))
        assert not is_selected(np.ones(3), np.ones(3))
        one, zero = np.array([1.0, 1, 1, 0]), np.array([0.0, 0, 0, 1])
        # .5 / sqrt(2 * .25 / 4) = 1.41
        assert not is_selected(one, zero)
        assert is_selected(np.repeat(one, 3), np.repeat(zero, 3))


class TestInstances:
    def test_the_mean_is_of_instances_measured_on_rows_that_did_not_select(self):
        # 5 rows an arm: 3 select, 2 measure
        good = arm([1] * 5, [1] * 5), arm([0] * 5, [0] * 5)
        half = arm([1] * 5, [0, 0, 0, 1, 0]), arm([0] * 5, [1, 1, 1, 0, 0])
        lost = arm([1, 1, 1, 0, 0], [1] * 5), arm([0] * 5, [0] * 5)  # no effect on the last two rows
        none = arm([0] * 5, [0] * 5), arm([0] * 5, [0] * 5)
        found = gmean([good, half, lost, none, (arm([], []), arm([0], [0]))])
        assert (found.instances, found.selected, found.measured) == (4, 3, 2)
        assert found.value == pytest.approx((1 + 0.5) / 2)
        assert (found.low, found.high) == (0.5, 1.0)
        assert (found.undefined_arms, found.smallest_arm) == (2, 5)

    def test_one_instance_has_no_interval_and_none_no_value(self):
        one = gmean([(CAUSED, QUIET)])
        assert (one.value, one.low, one.high) == (1.0, None, None)
        assert gmean([]).value is None

    def test_a_coin_is_near_a_quarter_where_the_control_never_moves(self):
        random = np.random.default_rng(3)
        made = []
        for _ in range(60):
            y = (random.random(500) < 0.6).astype(float)
            coins = random.integers(0, 2, (2, 500)).astype(float)
            made.append((Arm(y, coins[0]), Arm(np.zeros(500), coins[1])))
        found = gmean(made)
        assert found.selected == 60
        assert found.value == pytest.approx(0.25, abs=0.01)
