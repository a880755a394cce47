"""Seconds of engines as seconds on the clock: how many engines work at once, and what loading the next ones costs.

In: looks at what the engines have done, as time passes. Out: seconds on the clock for work that is left. Time in which
no engine got on, after the first one did, counts for the engines that came up at its end; loading beside another's work
is free. If none came up it was something else, such as a slow store: then what is left takes longer by as much.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STILL_S = 5.0
"""Engines are asked every 2 s: if there is no news for so long, none of them worked."""
STUCK_S = 60.0
"""If there is no news for so long, and no engine loads, something is stuck."""


@dataclass
class Wall:
    """What the clock showed so far."""

    clock: Callable[[], float]
    working_s: float = 0.0
    """Time in which some engine worked."""
    waiting_s: float = 0.0
    """Time since then in which none did, until another engine came up."""
    stalled_s: float = 0.0
    """The same, until those that were up got on."""
    _quiet_s: float = 0.0
    """Time since the last news: it is known by the next ones what it was."""
    _spent_s: float = 0.0
    _looked_s: float = 0.0
    _first: int = 0
    """Engines that were up when the first one worked."""
    _later: int = 0
    _up: int = 0
    """Engines that had come up at the last news."""

    def look(self, spent_s: float, engines: int) -> None:
        """Take the engines' seconds so far, and how many have come up."""
        now = self.clock()
        self._quiet_s += now - self._looked_s
        if not self._spent_s:  # the work began before this look
            self._first, self._quiet_s = engines, spent_s / max(1, engines)
        if spent_s > self._spent_s:
            self._count(spent_s, engines)
            self._quiet_s, self._up = 0.0, engines
        self._later = max(self._later, engines - self._first)
        self._looked_s, self._spent_s = now, max(spent_s, self._spent_s)

    def _count(self, spent_s: float, engines: int) -> None:
        """Sort the time since the last news: work, or a long wait with some work at its end."""
        worked_s = self._quiet_s
        if self._spent_s and self._quiet_s >= STILL_S:
            worked_s = min(self._quiet_s, (spent_s - self._spent_s) / max(1, engines))
        self.working_s += worked_s
        if engines > self._up:
            self.waiting_s += self._quiet_s - worked_s
        else:
            self.stalled_s += self._quiet_s - worked_s

    def left_s(self, work_s: Sequence[float], loads: int, loading_s: Sequence[float]) -> float | None:
        """Return the seconds on the clock for each model's work and so many loads.

        None before the first work, and if nothing goes on although no engine is to come: nobody knows for how long.

        Args:
            work_s: seconds of engines; one model's are not done by several at once.
            loads: the engines that are still to come.
            loading_s: what each load so far took. The quickest counts: the first ones read files that are cached later.

        """
        if not self._spent_s or (self._quiet_s >= STUCK_S and not loads):
            return None
        first = max(1, self._first)
        one = (self.waiting_s + min(loading_s, default=0.0)) / (self._later + first)
        at_once = self._spent_s / self.working_s
        places = math.ceil(at_once - 0.05)
        longer = 1 + self.stalled_s / self.working_s
        return _longest(work_s, places) * places / at_once * longer + loads * one


def _longest(work_s: Sequence[float], places: int) -> float:
    """Return when the last of these is done, if each begins where a place is free first."""
    busy = [0.0] * max(1, places)
    for seconds in work_s:
        heapq.heapreplace(busy, busy[0] + seconds)
    return max(busy)
