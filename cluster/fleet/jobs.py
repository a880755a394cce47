"""The missing work of a run: jobs on the items of one shard each, for the subject or for a reader of its chains.

In: a plan, the run's record, and what is committed. Out: jobs, which can be sent to other machines. Reads and writes
nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import accumulate, product
from typing import NamedTuple, Protocol

from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.portable import portable
from cotfaith.cluster.plan.prompt_date import recorded_date
from cotfaith.cluster.storage.ledger import Ledger, Shard, Wanted
from cotfaith.schemas import keys
from cotfaith.schemas.old_commits import FIRST_PRESENT, stand_in
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import PieceName, Quarantined, RunRecord, Stage
from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.roles.editors import with_prompts

Reasons = Mapping[str, str]
"""Item id -> why it is quarantined."""


@dataclass(frozen=True)
class Job:
    """What one shard task is given. The task does what it finds missing of ``wanted``."""

    run_id: str
    spec: RunSpec
    shard: Shard
    items: tuple[Item, ...]
    """Those of the shard that lack something, as they are."""
    wanted: Wanted
    reader: str | None = None
    """Model that answers in the subject's place; the chains are committed already."""
    quarantined: Reasons = field(default_factory=dict)
    """The items that get rows without being tried."""
    chainless: frozenset[str] = frozenset()
    """Those of them whose chains are not tried either."""
    variants: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    """Variant -> the items under it; the plain one is not there."""
    of_range: Mapping[str, frozenset[PieceName]] = field(default_factory=dict)
    """Subject -> all that the run wants of these items of it, by any reader."""

    @property
    def model(self) -> str:
        """The model whose engine answers."""
        return self.reader or self.shard.model

    @property
    def probes(self) -> frozenset[str]:
        """The probes that it may run."""
        return frozenset(piece.probe for piece in self.wanted.pieces if piece.probe is not None)

    @property
    def name(self) -> str:
        """Its name in messages."""
        whole = len(self.items) == self.shard.stop - self.shard.start
        part = "" if whole else f" ({len(self.items)} items from {self.items[0].id})"
        return f"{self.shard.id}{part}" + ("" if self.reader is None else f" read by {self.reader}")

    def halves(self) -> tuple["Job", "Job"]:
        """Return two jobs on its first and its last items; it has at least two."""
        middle = len(self.items) // 2
        first, second = self.parts([middle, len(self.items) - middle])
        return first, second

    def parts(self, counts: Sequence[int]) -> list["Job"]:
        """Return a job on each of these numbers of items, in their order; together they are all its items."""
        assert sum(counts) == len(self.items), f"{counts} items of {len(self.items)}"
        ends = list(accumulate(counts))
        return [self._on(self.items[end - count : end]) for count, end in zip(counts, ends, strict=True)]

    def _on(self, items: tuple[Item, ...]) -> "Job":
        ids = {item.id for item in items}
        reasons = {item: reason for item, reason in self.quarantined.items() if item in ids}
        variants = {name: tuple(item for item in found if item.id in ids) for name, found in self.variants.items()}
        return replace(self, items=items, quarantined=reasons, chainless=self.chainless & ids, variants=variants)

    def given_up(self, reason: str, stage: Stage) -> "Job":
        """Return the job that writes rows for its only item, which is quarantined, without trying what failed."""
        item, wanted = self.items[0].id, replace(self.wanted, quarantined=False)
        return replace(
            self, wanted=wanted, quarantined={item: reason}, chainless=frozenset({item} if stage == "chains" else ())
        )

    def is_given_up(self, stage: Stage) -> bool:
        """Return whether its only item is quarantined, and this stage not tried."""
        return self.items[0].id in (self.chainless if stage == "chains" else self.quarantined)

    def quarantine(self, index: int, reason: str, attempts: int, stage: Stage) -> Quarantined:
        """Return a record, with the present time, that its only item failed every attempt."""
        shard, item = self.shard, self.items[0].id
        return Quarantined(
            key=keys.quarantine(shard.id, index, self.reader),
            model=shard.model,
            task=shard.task,
            start=shard.start,
            stop=shard.stop,
            item=item,
            index=index,
            reader=self.reader,
            stage=stage,
            reason=reason,
            attempts=attempts,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


class Known(Protocol):
    """What is known of a run's commits: a ``Ledger`` of all of them, or ``RunStates``."""

    def missing(self, key: Shard, items: Sequence[str], wanted: Wanted) -> Mapping[PieceName, Sequence[str]]:
        """Return piece -> which of the shard's items lack it (``ShardLog.missing``)."""
        ...


class Found(NamedTuple):
    """A job, and how much it has to do."""

    job: Job
    lacking: Mapping[PieceName, int]
    """Items that lack each piece; probes on chains that are to be made are to be done too."""


class Reading(NamedTuple):
    """What one reader does of one probe on the shards of a subject and a task."""

    subject: str
    task: str
    probe: str
    reader: str


@dataclass(frozen=True)
class Jobs:
    """Makes the jobs of a run."""

    plan: Plan
    run: RunRecord
    known: Sequence[Quarantined] = ()
    """The items that are quarantined."""
    again: Wanted = field(default_factory=lambda: Wanted(frozenset()))
    """What is wanted anew, besides what is missing."""

    def of_subjects(self, known: Known) -> list[Job]:
        """Return the jobs of all shards whose chains or probes are not all committed; readers' parts do not count.

        A model's tasks take turns, so that a run soon knows how long each one's chains are.
        """
        shards = _by_turns(self.plan.shards(self.run))
        return [one.job for shard in shards for one in self.of_shard(shard, known)]

    def of_readers(self, known: Known) -> list[Job]:
        """Return the jobs of readers on the items whose chains are committed."""
        return [one.job for reading in self.readings() for one in self.of_reading(*reading, known)]

    def reading_groups(self) -> Iterator[Reading]:
        """Yield what readers do in the run, without its shards."""
        for probe in self.plan.probes:
            for reader in probe.readers:
                for model, task in self.plan.groups:
                    if reader in probe.readers_for(task, model):
                        yield Reading(model, task, probe.name, reader)

    def readings(self) -> Iterator[tuple[Shard, str, str]]:
        """Yield (shard, probe, reader) for everything that readers do in the run."""
        for one in self.reading_groups():
            for start, stop in self.run.shards(one.task):
                yield Shard(one.subject, one.task, start, stop), one.probe, one.reader

    def unread(self, ledger: Ledger) -> list[tuple[Shard, str, str]]:
        """Return the readings that are not committed for all items."""
        return [one for one in self.readings() if self._is_unread(*one, ledger)]

    def lack_items(self) -> bool:
        """Return whether the run lacks items of the plan."""
        return any(len(items) > self.run.n_items.get(task, 0) for task, items in self.plan.items.items())

    def _is_unread(self, shard: Shard, probe: str, reader: str, ledger: Ledger) -> bool:
        log = ledger.log(shard)
        held = [log.live.get(piece, {}) for piece in self.pieces(probe, reader)]
        return any(len(found) < shard.stop - shard.start for found in held)

    def pieces(self, probe: str | None = None, reader: str | None = None) -> frozenset[PieceName]:
        """Return the pieces of a probe, or of the chains (null), in all strategies and variants."""
        plan = self.plan
        named = next((one for one in plan.probes if one.name == probe), None)
        variants = plan.resolved.variants if named is None else plan.resolved.variants_of(named)
        return frozenset(PieceName(*one, probe, reader) for one in product(plan.spec.strategies, variants))

    @cached_property
    def own(self) -> Wanted:
        """What is wanted of the subjects' own engines."""
        return self._wanted(self._own)

    def of_shard(self, shard: Shard, known: Known) -> Iterator[Found]:
        """Yield a job for the items that lack chains, and one for each set of probes that others lack."""
        groups: defaultdict[frozenset[PieceName], list[str]] = defaultdict(list)
        missing = self._items_missing(shard, known, self.own)
        for item, pieces in missing.items():
            lacks_chains = any(piece.probe is None for piece in pieces)
            groups[self.own.pieces if lacks_chains else pieces | self._chains].append(item)
        for pieces, items in groups.items():
            job = self._job(shard, items, replace(self.own, pieces=pieces))
            yield Found(job, _lacking(pieces, [missing[item] for item in items]))

    def reading(self, probe: str, reader: str) -> Wanted:
        """Return what is wanted of a reader."""
        if (probe, reader) not in self._readings:
            self._readings[probe, reader] = self._wanted(self.pieces(probe, reader))
        return self._readings[probe, reader]

    @cached_property
    def _readings(self) -> dict[tuple[str, str], Wanted]:
        return {}

    def of_reading(self, shard: Shard, probe: str, reader: str, known: Known) -> Iterator[Found]:
        """Yield the job on the items whose chains are there; none if nothing is missing of them."""
        wanted = self.reading(probe, reader)
        chains = frozenset(piece.chains for piece in wanted.pieces)
        missing = self._items_missing(shard, known, self._wanted(wanted.pieces | chains))
        items = [item for item, pieces in missing.items() if not pieces & chains]
        if items:
            job = self._job(shard, items, wanted, reader)
            yield Found(job, _lacking(wanted.pieces, [missing[item] for item in items]))

    def _items_missing(self, shard: Shard, known: Known, wanted: Wanted) -> dict[str, frozenset[PieceName]]:
        """Return item id -> its missing pieces, in the order of the items."""
        ids = self._ids(shard)
        found: dict[str, set[PieceName]] = {item: set() for item in ids}
        for piece, items in known.missing(shard, ids, wanted).items():
            for item in items:
                found[item].add(piece)
        return {item: frozenset(pieces) for item, pieces in found.items() if pieces}

    @cached_property
    def _known(self) -> Mapping[tuple[str, str, str | None], Sequence[Quarantined]]:
        """Subject, task and reader -> the items that are quarantined."""
        found: defaultdict[tuple[str, str, str | None], list[Quarantined]] = defaultdict(list)
        for one in self.known:
            found[one.model, one.task, one.reader].append(one)
        return found

    @cached_property
    def _chains(self) -> frozenset[PieceName]:
        return self.pieces()

    @cached_property
    def _own(self) -> frozenset[PieceName]:
        """The pieces that the subject's own engine answers in."""
        own = [probe.name for probe in self.plan.probes if not probe.kind.readers]
        return self._chains.union(*(self.pieces(name) for name in own))

    def _wanted(self, pieces: frozenset[PieceName]) -> Wanted:
        return replace(self.again, pieces=pieces, max_tokens=self.run.max_tokens, reads=self.plan.resolved.reads)

    def _items(self, shard: Shard) -> tuple[Item, ...]:
        return self.plan.items[shard.task][shard.start : shard.stop]

    def _ids(self, shard: Shard) -> list[str]:
        if self.run.schema_version < FIRST_PRESENT:
            return [stand_in(at) for at in range(shard.start, shard.stop)]
        return [item.id for item in self._items(shard)]

    def _job(self, shard: Shard, ids: Sequence[str], wanted: Wanted, reader: str | None = None) -> Job:
        chosen = set(ids)
        items = tuple(item for item in self._items(shard) if item.id in chosen)
        known = [one for one in self._known.get((shard.model, shard.task, reader), ()) if one.item in chosen]
        reasons = {one.item: one.reason for one in known}
        chainless = frozenset(one.item for one in known if one.stage == "chains")
        names = sorted({piece.variant for piece in wanted.pieces} - {PLAIN})
        variants = {name: self.plan.resolved.under(name, shard.task, items) for name in names}
        return Job(
            self.run.run_id,
            self._portable,
            shard,
            items,
            wanted,
            reader,
            reasons,
            chainless,
            variants,
            self._of_ranges[shard.task],
        )

    @cached_property
    def _of_ranges(self) -> Mapping[str, Mapping[str, frozenset[PieceName]]]:
        """Task -> subject -> all its pieces."""
        found: defaultdict[str, dict[str, frozenset[PieceName]]] = defaultdict(dict)
        for model, task in self.plan.groups:
            found[task][model] = self._own
        for one in self.reading_groups():
            found[one.task][one.subject] |= self.pieces(one.probe, one.reader)
        return found

    @cached_property
    def _portable(self) -> RunSpec:
        """The spec with what other processes lack: the texts of prompts, the run's date, absolute paths."""
        spec = portable(self.plan.spec)
        own = {probe.name: probe.portable_options for probe in self.plan.probes if probe.kind.prompts}
        probes = [one.model_copy(update={"options": own[one.name]}) if one.name in own else one for one in spec.probes]
        prompts = spec.prompts.model_copy(update={"date": recorded_date(self.run)})
        return spec.model_copy(
            update={"editor": with_prompts(spec.editor), "prompts": prompts, "probes": tuple(probes)}
        )


def _lacking(wanted: Iterable[PieceName], missing: Sequence[frozenset[PieceName]]) -> dict[PieceName, int]:
    """Return how many items lack each piece, or its chains."""
    found = {piece: sum(piece in own or piece.chains in own for own in missing) for piece in wanted}
    return {piece: n for piece, n in found.items() if n}


def _by_turns(shards: Sequence[Shard]) -> list[Shard]:
    """Return the shards, model by model; the first ones of all its tasks, then as many of each as it has."""
    of_task: defaultdict[tuple[str, str], list[Shard]] = defaultdict(list)
    for shard in shards:
        of_task[shard.model, shard.task].append(shard)
    models = {model: place for place, model in enumerate(dict.fromkeys(model for model, _ in of_task))}
    turn = {one: at / len(own) for own in of_task.values() for at, one in enumerate(own)}
    return sorted(shards, key=lambda one: (models[one.model], turn[one]))
