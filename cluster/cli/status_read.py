"""What ``cotfaith status`` reads of a run: what is committed, and whether a driver works on it.

In: a run's store. Out: ``Seen``, as objects and as plain data. ``read_committed`` is the only place that reads the
commits. Knows nothing about how they are shown.
"""

import time
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.cli.incomplete import complete_data
from cotfaith.cluster.cli.stages import Stage, stages
from cotfaith.cluster.cli.view import View
from cotfaith.cluster.fleet.alive import Alive, Watch
from cotfaith.cluster.storage.completeness import Completeness, compare
from cotfaith.cluster.storage.read import read_given_up, read_ledger, read_noise, read_quarantine
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.run_objects import NoiseEntry, RunRecord

_LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Committed:
    """What is in a run's folder."""

    stages: list[Stage]
    complete: Completeness
    noise: list[NoiseEntry]


@dataclass(frozen=True)
class Seen:
    """A run, as it is seen at one moment."""

    record: RunRecord
    committed: Committed
    alive: Alive

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        about = {"run_id": self.record.run_id, "created": self.record.created}
        done = {"stages": [one.as_data() for one in self.committed.stages], **complete_data(self.committed.complete)}
        noise = [one.model_dump(exclude={"key"}) for one in self.committed.noise]
        return about | done | {"noise": noise, "driver": driver_data(self.alive), "live": live_data(self.alive)}


def read_committed(store: Store, record: RunRecord, shown: View) -> Committed:
    """Read what is committed of the models and tasks that are shown; it takes longer the more shards there are."""
    ledger = read_ledger(store, record)
    found = [one for one in stages(record, ledger) if shown.shows(one.model, one.task)]
    complete = compare(record, ledger, read_quarantine(store), read_given_up(store))
    return Committed(
        found, complete, [one for one in read_noise(store) if not shown.models or one.model in shown.models]
    )


def find_driver(store: Store) -> Alive:
    """Look until it is known whether a driver works on the run: at once, or for as long as a lease lasts."""
    watch = Watch(store)
    while (found := watch.look()).verdict == "unsure":
        time.sleep(_LOOK_EVERY_S)
    return found


def driver_data(alive: Alive) -> dict[str, Any]:
    """Return as plain data who has the run, and whether that driver works."""
    process = None if alive.lease is None else alive.lease.process
    about = {"verdict": alive.verdict, "works": {"works": True, "unsure": None}.get(alive.verdict, False)}
    if process is None or alive.lease is None:
        return about | {"host": None, "pid": None, "since": None}
    return about | {"host": process.host, "pid": process.pid, "since": alive.lease.since}


def live_data(alive: Alive) -> dict[str, Any] | None:
    """Return the last status as plain data, with its sums; null: there is none."""
    status = alive.status
    if status is None:
        return None
    counts = ("done", "running", "waiting", "failed", "preempted", "quarantined", "tokens", "distinct_tokens")
    sums = {name: int(status.sum(name)) for name in counts}
    rates = {name: round(status.sum(name), 1) for name in ("tokens_per_s", "distinct_tokens_per_s")}
    engines = {name: int(status.sum(name)) for name in ("engines_up", "engines_asked")}
    return status.model_dump() | {"all": sums | rates | engines | {"busy_share": status.busy_share}}
