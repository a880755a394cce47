"""Asks engines for their totals while they work: each every few seconds, but never many a second.

Knows nothing about Ray; an engine that owes an answer is not asked again.
"""

from collections.abc import Iterable

from cotfaith.cluster.fleet.backend import Backend
from cotfaith.cluster.fleet.replica import Replica

_EVERY_S = 2.0
_MOST_A_SECOND = 50
"""Engines of large fleets are asked less often; what a job used also comes with its report."""


class Polls:
    """Who was asked, and owes an answer."""

    def __init__(self, backend: Backend, every_s: float = _EVERY_S) -> None:
        self._backend = backend
        self._every_s = every_s
        self._owing: set[str] = set()
        self._next_s = 0.0
        self._turn: list[Replica] = []
        """Who is still to be asked in this round."""

    def ask(self, engines: Iterable[Replica]) -> None:
        """Ask some of the engines that owe no answer; about once a second. A round begins if it is time."""
        if not self._turn and self._backend.now() >= self._next_s:
            self._turn = list(engines)
            self._next_s = self._backend.now() + self._every_s
            self._owing &= {one.name for one in self._turn}
        some, self._turn = self._turn[:_MOST_A_SECOND], self._turn[_MOST_A_SECOND:]
        for one in some:
            if one.name not in self._owing and one.is_up:
                self._owing.add(one.name)
                self._backend.ask_usage(one.name, one.actor)

    def answered(self, name: str) -> None:
        """Note an answer."""
        self._owing.discard(name)
