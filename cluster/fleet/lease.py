"""The lease on a run: of two drivers, one works and the other is told, so that no work is done twice.

In: a run's store. Out: a context in which this driver holds ``_lease.json``, and a function that raises once it does
not. The lease is advice: which rows count rests on commits only, also if two drivers work at once. It is decided by
whether the object changes while this machine's monotonic clock runs, never by a wall clock: one that jumps, on either
machine, changes nothing.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

from cotfaith.cluster.fleet.process import has_ended, this_process
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import CotfaithError, RunConflictError, RunFailedError, RunFolderError
from cotfaith.schemas.run_folder import parse_lease
from cotfaith.schemas.run_objects import Lease

LEASE_S = 30.0
"""A lease that is not renewed for so long may be taken."""
RENEW_S = 10.0
"""Time between two renewals."""
_POLL_S = 1.0
"""Time between two looks at another driver's lease, and before a failed renewal is tried again."""
_RELEASE_S = 5.0
"""The longest wait for the release at the end: a store that is down must not keep the driver from ending."""

Check = Callable[[], None]
"""Raises if this driver must stop."""
Say = Callable[[str], None]


@contextmanager
def hold_lease(store: Store, say: Say, take_over: bool = False) -> Iterator[Check]:
    """Hold the lease on a run; yield a function that raises once another driver has it.

    A daemon thread renews the lease, and releases it at the end. ``say`` takes lines about what is waited for. With
    ``take_over``, another driver's lease is taken at once.

    Raises:
        RunConflictError: another driver works on the run.
        RunFolderError: ``_lease.json`` is no lease.
        StoreError: the store failed while the lease was taken. Later failures end nothing.

    """
    driver = LeaseHolder(store)
    driver.take(say, take_over)
    ended = threading.Event()
    thread = threading.Thread(target=driver.keep, args=(ended,), name="lease", daemon=True)
    thread.start()
    try:
        yield driver.check
    finally:
        ended.set()
        thread.join(_RELEASE_S)


class LeaseHolder:
    """One driver's side of the lease."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.holder = uuid.uuid4().hex
        self.process = this_process()
        self.since = datetime.now(UTC)
        self.renewals = 0
        self._stop: Exception | None = None

    def check(self) -> None:
        """Raise ``RunFailedError`` if the lease was found to be another's, and what else ended its renewal."""
        if self._stop is not None:
            raise self._stop

    def take(self, say: Say, take_over: bool = False) -> None:
        """Take the lease: at once if nobody has it or its holder has ended, else if it stays unchanged for 30 s.

        Raises:
            RunConflictError: another driver renews it.

        """
        watch = _Watch(say)
        while not self._try(watch, take_over):
            sleep(_POLL_S)

    def keep(self, ended: threading.Event) -> None:
        """Renew the lease until ``ended`` is set, then release it; or until it is another's."""
        renewed = True
        while self._stop is None and not ended.wait(RENEW_S if renewed else _POLL_S):
            try:
                renewed = self.renew()
            except CotfaithError:  # the store failed: the lease stays ours until somebody else takes it
                renewed = False
            except Exception as error:
                self._stop = error
        if self._stop is None:
            with suppress(CotfaithError):  # it ends by itself
                self.release()

    def renew(self) -> bool:
        """Renew the lease; return whether that was done. If it is another's, ``check`` raises from now on."""
        found = self.store.get_tagged(keys.LEASE)
        lease = None if found is None else _lease(found[0])
        if found is None or lease is None or lease.holder != self.holder:
            self._stop = RunFailedError(_lost(lease, self.store.place(keys.LEASE)))
            return False
        self.renewals += 1
        return self.store.put_if_unchanged(keys.LEASE, self._data(), found[1])

    def release(self) -> None:
        """Delete the lease if it is still ours."""
        data = self.store.get(keys.LEASE)
        lease = None if data is None else _lease(data)
        if lease is not None and lease.holder == self.holder:
            self.store.delete(keys.LEASE)

    def _try(self, watch: "_Watch", take_over: bool) -> bool:
        asked_s = monotonic()
        found = self.store.get_tagged(keys.LEASE)
        if found is None:
            return self.store.put_if_absent(keys.LEASE, self._data())
        data, tag = found
        if take_over or watch.is_left(parse_lease(data), tag, asked_s):
            return self.store.put_if_unchanged(keys.LEASE, self._data(), tag)
        return False

    def _data(self) -> bytes:
        return Lease(
            holder=self.holder,
            process=self.process,
            since=_text(self.since),
            until=_text(datetime.now(UTC) + timedelta(seconds=LEASE_S)),
            renewals=self.renewals,
        ).as_json()


class _Watch:
    """Watches another driver's lease by this machine's monotonic clock."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._tag: str | None = None
        self._since_s = 0.0

    def is_left(self, lease: Lease, tag: str, asked_s: float) -> bool:
        """Return whether the lease may be taken. The store was asked for it at ``asked_s``, and may have been slow.

        Raises:
            RunConflictError: it changed since the first look.

        """
        if has_ended(lease.process):
            self._say(f"The driver that held this run has ended: {lease.name}. This one goes on at once.")
            return True
        if self._tag is None:
            self._tag, self._since_s = tag, monotonic()
            self._say(
                f"Another driver holds this run: {lease.name}. Waiting for up to {LEASE_S:.0f} s to see if it works."
            )
        elif tag != self._tag:
            raise RunConflictError(
                f"Another driver works on this run: {lease.name}. Wait for its end, or take the run over with "
                "--take-over (in Python: take_over=True); the other driver then stops."
            )
        return asked_s - self._since_s >= LEASE_S


def _lease(data: bytes) -> Lease | None:
    """Return the lease, or None for something else, which is not ours either."""
    try:
        return parse_lease(data)
    except RunFolderError:
        return None


def _lost(lease: Lease | None, place: str) -> str:
    found = f"somebody removed or changed {place}" if lease is None else f"another driver took it over: {lease.name}"
    return f"This driver lost the run: {found}. Finished work is kept."


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
