"""The pieces that a run's jobs have to do, counted by stage: how many items each, and not which.

In: jobs, and what is committed. Out: counts, which shrink as shards finish. Knows nothing about costs or time.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from cotfaith.cluster.fleet.jobs import Job, Jobs
from cotfaith.cluster.storage.ledger import Ledger, Shard
from cotfaith.schemas.run_objects import PieceName
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.engines.protocol import CHAINS, PROBES, READINGS, StageKey


class Planned(NamedTuple):
    """A kind of rows: a probe's, or the chains."""

    stage: StageKey
    name: str
    """The probe, or ``CHAINS``."""
    variant: str = PLAIN


Counts = Counter[Planned]
"""Items, once for each strategy; shares of shards need not be whole."""


def _planned(model: str, task: str, piece: PieceName, reader: str | None) -> Planned:
    stage = CHAINS if piece.probe is None else PROBES if reader is None else READINGS
    return Planned(StageKey(model, task, stage), piece.probe or CHAINS, piece.variant)


@dataclass
class _Part:
    """The jobs on one shard."""

    items: int = 0
    counts: Counts = field(default_factory=Counter)


@dataclass
class ToDo:
    """What is left, by shard and reader."""

    parts: dict[tuple[str, str | None], _Part] = field(default_factory=dict)

    def add(self, shard: Shard, reader: str | None, items: int, counts: Counts) -> None:
        """Add a job's counts."""
        part = self.parts.setdefault((shard.id, reader), _Part())
        part.items += items
        part.counts.update(counts)

    def take(self, shard: str, reader: str | None, items: int) -> Counts:
        """Remove and return what so many items of a shard had to do."""
        part = self.parts.get((shard, reader))
        if part is None or not part.items:
            return Counter()
        share = min(1.0, items / part.items)
        taken = Counter({one: n * share for one, n in part.counts.items()})
        part.items -= items
        part.counts = Counter({one: n * (1 - share) for one, n in part.counts.items()})
        if part.items <= 0:
            del self.parts[shard, reader]
        return taken

    def left(self) -> Counts:
        """Return the sum of all that is left."""
        found: Counts = Counter()
        for part in self.parts.values():
            found.update(part.counts)
        return found


def find_to_do(missing: Jobs, jobs: Iterable[Job], ledger: Ledger) -> ToDo:
    """Return what these jobs have to do, and what readers have to do after them."""
    found = ToDo()
    for job in jobs:
        found.add(job.shard, None, len(job.items), _of_job(job, ledger))
    for shard, probe, reader in missing.readings():
        lacking = {piece: _unread(shard, piece, ledger) for piece in missing.pieces(probe, reader)}
        if any(lacking.values()):
            counts: Counts = Counter()
            for piece, n in lacking.items():
                counts[_planned(reader, shard.task, piece, reader)] += n
            found.add(shard, reader, max(lacking.values()), +counts)
    return found


def _of_job(job: Job, ledger: Ledger) -> Counts:
    """Count the items that lack each piece; probes on chains that are to be made are to be done too."""
    lacking = ledger.log(job.shard).missing([item.id for item in job.items], job.wanted)
    found: Counts = Counter()
    for piece in job.wanted.pieces:
        items = {*lacking.get(piece, ()), *lacking.get(piece.chains, ())}
        found[_planned(job.model, job.shard.task, piece, None)] += len(items)
    return +found


def _unread(shard: Shard, piece: PieceName, ledger: Ledger) -> int:
    return shard.stop - shard.start - len(ledger.log(shard).live.get(piece, ()))


def all_of(missing: Jobs) -> Counts:
    """Return the counts of the whole run, done or not."""
    found: Counts = Counter()
    own = [None, *(probe.name for probe in missing.plan.probes if not probe.kind.readers)]
    kinds = [(shard, name, None) for shard in missing.plan.shards(missing.run) for name in own]
    for shard, probe, reader in (*kinds, *missing.readings()):
        for piece in missing.pieces(probe, reader):
            found[_planned(reader or shard.model, shard.task, piece, reader)] += shard.stop - shard.start
    return found
