"""The pieces that a run's jobs have to do, counted by stage: how many items each, and not which.

In: jobs, and what is committed. Out: counts, which shrink as shards finish. Shards whose jobs are not made yet have no
object of their own: they are counted by their states. Knows nothing about costs or time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cotfaith.cluster.fleet.jobs import Found, Job, Jobs, Reading
from cotfaith.cluster.storage.ledger import Ledger, Shard
from cotfaith.cluster.storage.run_states import RunStates
from cotfaith.cluster.storage.shard_state import ShardState
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
    """What is left."""

    parts: dict[tuple[str, str | None], _Part] = field(default_factory=dict)
    """Shard and reader -> what jobs have to do that were made."""
    later: Counts = field(default_factory=Counter)
    """What jobs will have to do that are not made yet: at least that."""

    def begin(self, expected: Counts) -> None:
        """Take what was expected of a shard whose jobs are now made and added."""
        self.later.subtract(expected)

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
        found: Counts = +self.later
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


def expected(missing: Jobs, states: RunStates) -> Counts:
    """Return what is left of the whole run, as far as the shards' states say: all items of those that lack some."""
    found: Counts = Counter()
    for group in missing.plan.groups:
        for state, _, items in states.counts(group):
            found.update(of_subject(missing, group, state, items))
    for reading in missing.reading_groups():
        for state, _, items in states.counts(reading[:2]):
            found.update(of_reading(missing, reading, state, items))
    return found


def of_subject(missing: Jobs, group: tuple[str, str], state: ShardState, items: int) -> Counts:
    """Return what the subject has to do on so many items of shards of this state."""
    pieces = state.may_lack(missing.own) if items and state.has_work(missing.own) else ()
    return _counted(*group, dict.fromkeys(pieces, items), None)


def of_reading(missing: Jobs, reading: Reading, state: ShardState, items: int) -> Counts:
    """Return what a reader has to do on them, once their chains are there."""
    pieces = missing.reading(reading.probe, reading.reader).pieces
    lacking = [piece for piece in pieces if not state.is_complete([piece])]
    return _counted(reading.reader, reading.task, dict.fromkeys(lacking, items), reading.reader)


def of_found(found: Found) -> Counts:
    """Return what a job has to do."""
    job = found.job
    return _counted(job.model, job.shard.task, found.lacking, job.reader)


def _counted(model: str, task: str, lacking: Mapping[PieceName, int], reader: str | None) -> Counts:
    found: Counts = Counter()
    for piece, items in lacking.items():
        found[_planned(model, task, piece, reader)] += items
    return found


def all_of(missing: Jobs) -> Counts:
    """Return the counts of the whole run, done or not."""
    found: Counts = Counter()
    own = [None, *(probe.name for probe in missing.plan.probes if not probe.kind.readers)]
    kinds = [(model, task, name, None) for model, task in missing.plan.groups for name in own]
    items = missing.run.n_items
    for subject, task, probe, reader in (*kinds, *missing.reading_groups()):
        for piece in missing.pieces(probe, reader):
            found[_planned(reader or subject, task, piece, reader)] += items.get(task, 0)
    return found
