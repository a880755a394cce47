"""Seconds of engines as seconds on the clock: how many engines work at once, and what loading the next ones costs.

In: looks at what the engines have done, as time passes. Out: seconds on the clock for work that is left. Time in which
no engine got on, after the first one did, counts for the engines that came up later; loading beside another's work is
free.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STILL_S = 5.0
"""Engines are asked every 2 s: if there is no news for so long, none of them worked."""


@dataclass
class Wall:
    """What the clock showed so far."""

    clock: Callable[[], float]
    working_s: float = 0.0
    """Time in which some engine worked."""
    waiting_s: float = 0.0
    """Time since then in which none did."""
    _quiet_s: float = 0.0
    """Time since the last news: it is known by the next ones what it was."""
    _spent_s: float = 0.0
    _looked_s: float = 0.0
    _first: int = 0
    """Engines that were up when the first one worked."""
    _later: int = 0

    def look(self, spent_s: float, engines: int) -> None:
        """Take the engines' seconds so far, and how many have come up."""
        now = self.clock()
        self._quiet_s += now - self._looked_s
        if not self._spent_s:  # the work began before this look
            self._first, self._quiet_s = engines, spent_s / max(1, engines)
        if spent_s > self._spent_s:
            if self._quiet_s < STILL_S or not self._spent_s:
                self.working_s += self._quiet_s
            else:
                self.waiting_s += self._quiet_s
            self._quiet_s = 0.0
        self._later = max(self._later, engines - self._first)
        self._looked_s, self._spent_s = now, max(spent_s, self._spent_s)

    def left_s(self, work_s: Sequence[float], loads: int, loading_s: Sequence[float]) -> float | None:
        """Return the seconds on the clock for each model's work and so many loads; None before the first work.

        Args:
            work_s: seconds of engines; one model's are not done by several at once.
            loads: the engines that are still to come.
            loading_s: what each load so far took. The quickest counts: the first ones read files that are cached later.

        """
        if not self._spent_s:
            return None
        first = max(1, self._first)
        one = (self.waiting_s + min(loading_s, default=0.0)) / (self._later + first)
        at_once = self._spent_s / self.working_s
        places = math.ceil(at_once - 0.05)
        return _longest(work_s, places) * places / at_once + loads * one


def _longest(work_s: Sequence[float], places: int) -> float:
    """Return when the last of these is done, if each begins where a place is free first."""
    busy = [0.0] * max(1, places)
    for seconds in work_s:
        heapq.heapreplace(busy, busy[0] + seconds)
    return max(busy)
