"""When a run is asked to stop, why, and how long its jobs may go on: by a clock that the test moves."""

import os
import signal

import pytest

from cotfaith.cluster.fleet.stopping import Stopping
from cotfaith.schemas.errors import RunStoppedError, SpecError


class Clock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s

    def move(self, seconds):
        self.now_s += seconds


@pytest.fixture
def clock():
    return Clock()


def test_nothing_asks_for_a_stop_by_itself(clock):
    stopping = Stopping(clock=clock)
    clock.move(1e9)
    stopping.spent(1e9, 1e9, "USD")
    stopping.check()
    assert (stopping.asked(), stopping.overdue()) == (None, False)


def test_the_first_reason_counts_and_jobs_get_their_seconds(clock):
    stopping = Stopping(drain_s=30, clock=clock)
    stopping.ask("one")
    clock.move(29)
    stopping.ask("another")
    assert (stopping.asked(), stopping.overdue()) == ("one", False)
    clock.move(1)
    assert (stopping.asked(), stopping.overdue()) == ("one", True)
    with pytest.raises(RunStoppedError, match=r"^Stopped before the end: one\. Finished work is kept\.$"):
        stopping.check()


def test_without_seconds_to_finish_a_stop_is_at_once(clock):
    stopping = Stopping(drain_s=0, clock=clock)
    stopping.ask("now")
    assert stopping.overdue()


class TestHours:
    @pytest.mark.parametrize(("hours", "last_start_s", "said"), [(2, 7080, "2 hours"), (0.05, 90, "0.05 hours")])
    def test_the_last_jobs_begin_so_early_that_they_can_end_within_the_limit(self, clock, hours, last_start_s, said):
        """Two hours are 7200 s, of which 120 are for the running jobs; of 180 s it is the half."""
        stopping = Stopping(max_hours=hours, drain_s=120, clock=clock)
        clock.move(last_start_s - 1)
        assert stopping.asked() is None
        clock.move(1)
        assert stopping.asked() == f"the limit of {said} is near"
        clock.move(3600 * hours - last_start_s - 1)
        assert not stopping.overdue()
        clock.move(1)
        assert stopping.overdue()

    def test_a_signal_shortly_before_the_limit_does_not_move_the_limit(self, clock):
        stopping = Stopping(max_hours=1, drain_s=120, clock=clock)
        clock.move(3600 - 125)
        stopping.ask("SIGTERM was received")
        clock.move(119)
        assert not stopping.overdue()
        clock.move(6)
        assert stopping.overdue()


class TestCost:
    def test_the_last_jobs_begin_while_their_end_can_be_paid(self, clock):
        """At 36 an hour, 100 seconds cost 1: the last job of 10 begins at 9."""
        stopping = Stopping(max_cost=10, drain_s=100, clock=clock)
        stopping.spent(0, 0, "EUR")
        stopping.spent(8.99, 36, "EUR")
        assert stopping.asked() is None
        stopping.spent(9.0, 36, "EUR")
        assert stopping.asked() == "the limit of 10 EUR is near: the run has cost 9.00 EUR"
        stopping.spent(9.99, 36, "EUR")
        assert not stopping.overdue()
        stopping.spent(10, 36, "EUR")
        assert stopping.overdue()

    def test_half_of_what_is_left_can_always_be_spent(self, clock):
        """The seconds to finish would cost 100, and 4 of 10 are spent: jobs begin until 7 are."""
        stopping = Stopping(max_cost=10, drain_s=100, clock=clock)
        stopping.spent(4, 3600, "USD")
        stopping.spent(6.9, 3600, "USD")
        assert stopping.asked() is None
        stopping.spent(7, 3600, "USD")
        assert stopping.asked() is not None

    def test_a_run_that_has_spent_it_all_begins_nothing(self, clock):
        stopping = Stopping(max_cost=10, clock=clock)
        stopping.spent(10.5, 0, "USD")
        assert stopping.asked() == "the limit of 10 USD is reached: the run has cost 10.50 USD"
        assert stopping.overdue()


class TestSignals:
    @pytest.fixture(autouse=True)
    def _handlers(self):
        """The handlers of a command: each signal interrupts it."""
        before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
        for one in before:
            signal.signal(one, signal.default_int_handler)
        yield
        for one, handler in before.items():
            signal.signal(one, handler)

    @pytest.mark.parametrize(("sent", "said"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
    def test_the_first_asks_and_the_second_interrupts(self, clock, sent, said):
        stopping = Stopping(by_signal=True, clock=clock)
        with stopping.on_signals():
            os.kill(os.getpid(), sent)
            assert said in stopping.asked()
            assert stopping.signal == sent
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), sent)
        assert signal.getsignal(sent) is signal.default_int_handler

    def test_one_that_comes_after_a_limit_is_the_first_of_its_kind(self, clock):
        stopping = Stopping(by_signal=True, clock=clock)
        stopping.ask("a limit")
        with stopping.on_signals():
            os.kill(os.getpid(), signal.SIGTERM)
        assert (stopping.asked(), stopping.signal) == ("a limit", signal.SIGTERM)

    def test_what_a_process_ignores_stays_ignored(self, clock):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stopping = Stopping(by_signal=True, clock=clock)
        with stopping.on_signals():
            os.kill(os.getpid(), signal.SIGINT)
        assert stopping.asked() is None

    def test_runs_from_python_keep_their_handlers(self, clock):
        stopping = Stopping(clock=clock)
        with stopping.on_signals(), pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_hours": 0}, "max_hours: expected a number above 0, got 0"),
        ({"max_cost": -1}, "max_cost: expected a number above 0, got -1"),
        ({"max_hours": float("nan")}, "max_hours: expected a number above 0, got nan"),
        ({"drain_s": -1}, "drain_seconds: expected 0 or more, got -1"),
    ],
)
def test_limits_that_are_none_are_refused(limits, said):
    with pytest.raises(SpecError, match=said):
        Stopping(**limits)
