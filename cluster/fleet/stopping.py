"""Whether a run should stop before its end: why, and how long its running jobs may still take.

In: signals, the limits on hours and on cost, and what the run has cost. Out: the reason in words, and whether the time
to finish is over. A limit is the end of all work: no job begins in the last ``drain_s`` seconds before it, or in its
second half if that is shorter. Holds no lock, so that it can be asked within a signal handler and from any thread.
Knows nothing about engines, jobs or terminals.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from cotfaith.schemas.errors import RunStoppedError, SpecError

DRAIN_S = 120.0
"""Seconds that running jobs get by default."""
_HOUR_S = 3600.0
_NAMES = {signal.SIGINT: "Ctrl-C was pressed", signal.SIGTERM: "SIGTERM was received"}


class Stopping:
    """Follows one session of a run: it is asked to stop at most once, and stays so."""

    def __init__(
        self,
        max_hours: float | None = None,
        max_cost: float | None = None,
        drain_s: float = DRAIN_S,
        *,
        by_signal: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count the hours.

        Args:
            max_hours: hours on the clock from now on; None: no limit.
            max_cost: the most that the whole run may cost, earlier sessions included; None: no limit.
            drain_s: seconds that running jobs get once a stop is asked for.
            by_signal: whether Ctrl-C and SIGTERM ask for a stop while jobs run (``on_signals``).
            clock: seconds that never go back.

        Raises:
            SpecError: a limit is not a number above 0, or ``drain_s`` is negative.

        """
        for name, limit in (("max_hours", max_hours), ("max_cost", max_cost)):
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                raise SpecError(f"{name}: expected a number above 0, got {limit:g}. Leave it out for no limit.")
        if not (math.isfinite(drain_s) and drain_s >= 0):
            raise SpecError(f"drain_seconds: expected 0 or more, got {drain_s:g}.")
        self.max_hours, self.max_cost, self.drain_s, self.by_signal = max_hours, max_cost, drain_s, by_signal
        self.signal: int | None = None
        """The first signal that asked for a stop; also if a limit asked for it before."""
        self._clock = clock
        self._ends_s = math.inf if max_hours is None else clock() + max_hours * _HOUR_S
        self._first_cost: float | None = None
        self.cost = 0.0
        """What the run has cost, earlier sessions included."""
        self.is_spent = False
        """Whether the limit on cost asks for a stop."""
        self._asked: tuple[str, float] | None = None
        """The reason, and when the time to finish is over."""

    def ask(self, reason: str) -> None:
        """Ask for a stop, unless that was done before."""
        if self._asked is None:
            self._asked = (reason, min(self._clock() + self.drain_s, self._ends_s))

    def asked(self) -> str | None:
        """Return why no more jobs may begin; None: they may."""
        if self._asked is None and self.max_hours is not None:
            kept_s = min(self.drain_s, self.max_hours * _HOUR_S / 2)
            if self._clock() >= self._ends_s - kept_s:
                self._asked = (f"the limit of {_hours(self.max_hours)} is near", self._ends_s)
        return None if self._asked is None else self._asked[0]

    def overdue(self) -> bool:
        """Return whether running jobs must end now."""
        if self.asked() is None or self._asked is None:
            return False
        return self._clock() >= self._asked[1] or (self.max_cost is not None and self.cost >= self.max_cost)

    def left_s(self) -> float:
        """Return the seconds that running jobs still have once a stop is asked for."""
        return math.inf if self._asked is None else max(0.0, self._asked[1] - self._clock())

    def spent(self, cost: float, per_hour: float, currency: str) -> None:
        """Take what the whole run has cost so far, and what an hour costs now."""
        self.cost = cost
        if self.max_cost is None:
            return
        if self._first_cost is None:
            self._first_cost = cost
        kept = min(per_hour * self.drain_s / _HOUR_S, max(0.0, self.max_cost - self._first_cost) / 2)
        if cost + kept >= self.max_cost:
            self.is_spent = True
            where = "reached" if cost >= self.max_cost else "near"
            self.ask(f"the limit of {self.max_cost:g} {currency} is {where}: the run has cost {cost:.2f} {currency}")

    def check(self) -> None:
        """Raise ``RunStoppedError`` if a stop is asked for."""
        if (reason := self.asked()) is not None:
            raise RunStoppedError(f"Stopped before the end: {reason}. Finished work is kept.")

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let the first Ctrl-C or SIGTERM ask for a stop; the second one has the effect that it had before.

        Does nothing unless ``by_signal``, nor outside of the main thread. A signal that the process ignores stays
        ignored.
        """
        if not self.by_signal or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: handler for one in _NAMES if callable(handler := signal.getsignal(one))}
        for one, handler in before.items():
            signal.signal(one, self._handler(handler))
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _handler(self, before: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], Any]:
        def take(number: int, frame: FrameType | None) -> None:
            if self.signal is not None:
                before(number, frame)
                return
            self.signal = number
            self.ask(_NAMES[signal.Signals(number)])

        return take


def _hours(hours: float) -> str:
    return f"{hours:g} hour{'s' * (hours != 1)}"
