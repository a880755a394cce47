"""Whether a driver works on a run now: its lease, and the status that it writes, looked at more than once.

In: a run's store. Out: ``Alive``. As for the lease (``lease.py``), no wall clock counts: a driver works if what it
writes changes while this machine's monotonic clock runs, or if its process is seen here; it is dead if its process has
ended, or if nothing changes for as long as a lease lasts. Writes nothing.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from cotfaith.cluster.fleet.lease import LEASE_S
from cotfaith.cluster.fleet.process import has_ended, is_here
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.live_status import LiveStatus
from cotfaith.schemas.run_folder import parse_lease, parse_live_status
from cotfaith.schemas.run_objects import Lease

Verdict = Literal["works", "dead", "nobody", "unsure"]
"""A driver works; the one that did has ended without a word; nobody has the run; not known until more looks."""


@dataclass(frozen=True)
class Alive:
    """What is known of a run's driver."""

    verdict: Verdict
    lease: Lease | None
    status: LiveStatus | None
    """What the last driver said last; null: nothing, or nothing that can be read."""

    @property
    def live(self) -> LiveStatus | None:
        """The status, if it is that of the driver that holds the lease."""
        mine = self.status is not None and self.lease is not None and self.status.process == self.lease.process
        return self.status if mine else None


class Watch:
    """Looks at one run's driver again and again."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store, self._clock = store, clock
        self._seen: tuple[str | None, int | None] | None = None
        """The lease's tag and the status' counter at the last change."""
        self._since_s = 0.0
        self._changed_s: float | None = None

    def look(self) -> Alive:
        """Return what is known now; a store that is asked twice within seconds says more than one that is asked once.

        Raises:
            StoreError: the store failed.

        """
        asked_s = self._clock()
        found, status = self._store.get_tagged(keys.LEASE), self._status()
        lease = None
        if found is not None:
            with suppress(RunFolderError):
                lease = parse_lease(found[0])
        if found is None or lease is None:
            self._seen = None
            return Alive("nobody", None, status)
        self._note((found[1], None if status is None else status.counter), asked_s)
        return Alive(self._verdict(lease, asked_s), lease, status)

    def _status(self) -> LiveStatus | None:
        data = self._store.get(keys.STATUS)
        with suppress(RunFolderError):
            return None if data is None else parse_live_status(data)
        return None

    def _note(self, now: tuple[str | None, int | None], asked_s: float) -> None:
        if self._seen is None:
            self._since_s, self._changed_s = self._clock(), None
        elif now != self._seen:
            self._since_s = self._changed_s = asked_s
        self._seen = now

    def _verdict(self, lease: Lease, asked_s: float) -> Verdict:
        if has_ended(lease.process):
            return "dead"
        if is_here(lease.process):
            return "works"
        if asked_s - self._since_s >= LEASE_S:
            return "dead"
        return "unsure" if self._changed_s is None else "works"
