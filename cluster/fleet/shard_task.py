"""A job's work, on a CPU next to an engine actor: do what is missing, and commit each part as it is finished.

In: a job, and the engines by role. Out: the rows, in the run's folder, and a ``ShardReport`` of the work. The shard's
log says what is missing, before and after each part, so an attempt that finds its work done by another one does no
more. A reader's job is the same work with another model in the subject's place, on chains that are committed.
"""

import logging
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from cotfaith.cluster.fleet.earlier import earlier_readings
from cotfaith.cluster.fleet.events import job_ids
from cotfaith.cluster.fleet.jobs import Job, Reasons
from cotfaith.cluster.fleet.metering import MeteredEngine, metered
from cotfaith.cluster.fleet.range_sums import keep_sums
from cotfaith.cluster.fleet.writer import CUT, Draft, Effort, Tables, Writer
from cotfaith.cluster.storage.ledger import ShardLog, log_of
from cotfaith.cluster.storage.read import live_parts, read_live, read_log
from cotfaith.cluster.storage.segments import Entry, entry_of, settled
from cotfaith.cluster.storage.store import Store, open_store
from cotfaith.schemas.errors import StoreError
from cotfaith.schemas.records import Chain, Item
from cotfaith.schemas.run_objects import PieceName
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import CHAINS, PROBES, READINGS, EngineUsage, StageKey, StageWork
from cotfaith.workers.log_lines import log_event
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.shard.loop import Engines
from cotfaith.workers.shard.rows import (
    RowKey,
    chains_from_table,
    chains_table,
    items_table,
    observations_table,
)
from cotfaith.workers.shard.rows_read import ok_rows_on
from cotfaith.workers.shard.work import RowsOn, ShardWork, run_probes, sample_chains
from cotfaith.workers.text.codec import Codec

Missing = Mapping[PieceName, tuple[str, ...]]
"""Piece -> the items that lack it."""
_MOST_PARTS = 1000
T = TypeVar("T")


@dataclass
class ShardReport:
    """What one shard task did."""

    shard: str
    items: int
    statuses: Counter[str] = field(default_factory=Counter)
    """Rows of chains and observations by status."""
    seconds: float = 0.0
    usage: EngineUsage = field(default_factory=EngineUsage)
    """The engine's totals when the task ended."""
    reader: str | None = None
    """Who answered in the subject's place."""
    stages: dict[StageKey, StageWork] = field(default_factory=dict)
    """The work of this task by stage, that of helpers included."""
    chains: int = 0
    """Chains that it made, and whose tokens are known."""
    chain_tokens: int = 0
    committed: Entry | None = None
    """What the shard's commits amount to, when the task ended."""


def run_job(job: Job, engines: Engines) -> ShardReport:
    """Do the job; parts that are committed stay, even if a later one fails. It is logged in this process's log."""
    began, ids = time.monotonic(), {"run_id": job.run_id, **job_ids(job)}
    log_event("job_began", ids)
    try:
        report = _run(job, engines)
    except BaseException as error:
        failed = {"error": repr(error), "seconds": round(time.monotonic() - began, 3)}
        log_event("job_failed", ids | failed, logging.ERROR)
        raise
    log_event("job_done", ids | {"seconds": round(report.seconds, 3), "statuses": dict(report.statuses)})
    return report


def _run(job: Job, engines: Engines) -> ShardReport:
    began = time.monotonic()
    import_plugins(job.spec.plugins)
    task = _Task(job, metered(engines), open_store(job.spec.output), ShardReport(job.shard.id, len(job.items)))
    log = task.run()
    task.report.seconds = time.monotonic() - began
    task.report.reader, task.report.stages = job.reader, task.stages()
    task.report.usage = engines["subject"].usage()
    task.report.committed = _committed(job, task.store, log)
    keep_sums(job, task.store, log)
    return task.report


def _committed(job: Job, store: Store, log: ShardLog) -> Entry | None:
    """Return what the shard's commits amount to; None if others have just added to them, or the store fails now."""
    try:
        return settled(store, entry_of(job.shard, log, job.wanted.reads))
    except StoreError as error:
        warnings.warn(f"{job.name}: what is committed is read later: {error}", stacklevel=2)
        return None


@dataclass(frozen=True)
class _Task:
    """A job in progress."""

    job: Job
    engines: Mapping[str, MeteredEngine]
    store: Store
    report: ShardReport

    def run(self) -> ShardLog:
        """Do one part after another, until nothing is missing: another attempt may have done some. Return the log."""
        items = [item.id for item in self.job.items]
        log: ShardLog | None = None
        for _ in range(_MOST_PARTS):
            log = log or read_log(self.store, self.job.shard)
            missing = log.missing(items, self.job.wanted)
            if not missing:
                return log
            log = self._do(missing, log)
        raise AssertionError(f"{self.job.name}: still not done after {_MOST_PARTS} parts")

    def _do(self, missing: Missing, log: ShardLog) -> ShardLog | None:
        """Do the next part: chains before the probes on them, and together what the same items lack.

        Returns:
            The log with the part's commit; None if it has others as well, and must be read again.

        """
        chains = {piece: items for piece, items in missing.items() if piece.probe is None}
        groups: defaultdict[tuple[str, ...], list[PieceName]] = defaultdict(list)
        for piece, items in (chains or missing).items():
            groups[items].append(piece)
        items, pieces = next(iter(groups.items()))
        if chains:
            return self._sample(pieces, set(items), log)
        if self.job.spec.resources.probes_apart:
            return self._probe([piece for piece in pieces if piece.probe == pieces[0].probe], set(items), log)
        return self._probe(pieces, set(items), log)

    def _sample(self, pieces: Sequence[PieceName], ids: set[str], log: ShardLog) -> ShardLog | None:
        items = self._items(ids)
        kept = [chain for chain in self._chains(pieces, ids, log) if not _is_wanted_anew(chain)]
        have = {(chain.strategy, chain.variant, chain.item_id, chain.index) for chain in kept}
        given_up = {item: reason for item, reason in self.job.quarantined.items() if item in self.job.chainless}
        work = {piece: self._work(piece, ids, given_up) for piece in pieces}
        wanted = [
            (one, [key for key in one.chain_keys() if (*piece[:2], key[0].id, key[1]) not in have])
            for piece, one in work.items()
        ]
        made, effort = self._measured(lambda: sample_chains(wanted, self.engines))
        lengths = [chain.n_tokens for chain in made if chain.n_tokens is not None]  # a server may not count them
        self.report.chains += len(lengths)
        self.report.chain_tokens += sum(lengths)
        chains = _in_order([*kept, *made], pieces, items)
        tables: Tables = {"items": items_table(self._key, items), "chains": chains_table(self._key, items, chains)}
        return self._commit(Draft([one.id for one in items], pieces, tables, chains, effort, self._limit), log)

    def _probe(self, pieces: Sequence[PieceName], ids: set[str], log: ShardLog) -> ShardLog | None:
        """Run probes in common rounds; the effort of each is that of all of them together."""
        items, on = self._items(ids), list(dict.fromkeys(piece.chains for piece in pieces))
        names = list(dict.fromkeys(piece.probe for piece in pieces if piece.probe is not None))
        held = {} if self.job.reader is None else earlier_readings(self.store, log, pieces, ids, self.job.run_id)
        chains = _in_order(self._chains(on, ids, log), on, items)
        work = [
            (
                replace(self._work(one, ids, self.job.quarantined), held=held, read=self._rows_read(one, names, log)),
                [chain for chain in chains if (chain.strategy, chain.variant) == one[:2]],
                [piece.probe for piece in pieces if piece.chains == one and piece.probe is not None],
            )
            for one in on
        ]
        rows, effort = self._measured(lambda: run_probes(work, self.engines), names)
        tables: Tables = {"observations": observations_table(self._key, rows)}
        return self._commit(Draft([one.id for one in items], pieces, tables, chains, effort, self._limit), log)

    def _items(self, ids: set[str], variant: str = PLAIN) -> tuple[Item, ...]:
        found = self.job.items if variant == PLAIN else self.job.variants[variant]
        return tuple(item for item in found if item.id in ids)

    def _rows_read(self, chains: PieceName, probes: Sequence[str], log: ShardLog) -> RowsOn:
        """Return the ok rows of the subject's probes that these probes read, on the chains of one piece."""
        named = [self.job.wanted.read_by(chains._replace(probe=probe)) for probe in probes]
        wanted = {piece for piece in named if piece is not None}
        live = [one for one in live_parts(log) if one.part.table == "observations" and wanted & one.items.keys()]
        tables = read_live(self.store, live, self.job.run_id) if live else ()
        names = {piece.probe for piece in wanted if piece.probe is not None}
        return ok_rows_on(tables, names, chains.strategy, chains.variant)

    def _work(self, piece: PieceName, ids: set[str], given_up: Reasons) -> ShardWork:
        job, items = self.job, self._items(ids, piece.variant)
        model = next(m for m in job.spec.models if m.id == job.model)
        task = next(t for t in job.spec.tasks if t.name == job.shard.task)
        named = next(name for name in job.spec.strategies if name == piece.strategy)
        return ShardWork(job.spec, model, task, named, items, self._codec, given_up)

    @cached_property
    def _codec(self) -> Codec:
        model = next(m for m in self.job.spec.models if m.id == self.job.model)
        return load_codec(model, self.job.spec.prompts.date)

    @cached_property
    def _key(self) -> RowKey:
        return RowKey(self.job.run_id, self.job.shard.model, self.job.shard.task)

    @property
    def _limit(self) -> int | None:
        return self.job.wanted.max_tokens

    def _chains(self, pieces: Iterable[PieceName], ids: set[str], log: ShardLog) -> list[Chain]:
        """Return the committed chains of these pieces and items; those in damaged parts are left out."""
        wanted, without = {piece[:2] for piece in pieces}, self.job.wanted.without
        live = [
            one
            for one in live_parts(log)
            if one.part.table == "chains"
            and wanted & {name[:2] for name in one.items}
            and without.isdisjoint(part.key for part in one.commit.parts)
        ]
        tables = read_live(self.store, live, self.job.run_id)
        found = [chain for table in tables for chain in chains_from_table(table)]
        return [one for one in found if one.item_id in ids and (one.strategy, one.variant) in wanted]

    def _commit(self, draft: Draft, log: ShardLog) -> ShardLog | None:
        """Commit the draft, and count its rows unless another attempt committed first."""
        commit = Writer(self.store, self.job.shard).commit(draft, log)
        for piece in () if commit is None else commit.pieces:
            self.report.statuses.update({status: sum(counts) for status, counts in piece.statuses.items()})
        if commit is not None:
            about = {"run_id": self.job.run_id, "shard": self.job.shard.id, "reader": self.job.reader}
            log_event("part_committed", about | {"key": commit.key, "items": len(commit.items)})
        is_next = commit is not None and commit.generation == log.next_generation
        return log_of([*log.commits, commit]) if commit is not None and is_next else None

    def _measured(self, work: Callable[[], T], probes: Sequence[str] = ()) -> tuple[T, Effort]:
        """Do ``work``; return its result and its effort."""
        began, since, before = time.time(), time.monotonic(), self._tokens()
        stage = CHAINS if not probes else PROBES if self.job.reader is None else READINGS
        for engine in self.engines.values():
            engine.begin(StageKey(self.job.model, self.job.shard.task, stage))
        result = work()
        tokens = {role: total - before[role] for role, total in self._tokens().items()}
        return result, Effort(began, time.monotonic() - since, probes, tokens)

    def stages(self) -> dict[StageKey, StageWork]:
        """Return the work so far, of all roles."""
        found: dict[StageKey, StageWork] = {}
        for engine in self.engines.values():
            for stage, work in engine.stages.items():
                found[stage] = found.get(stage, StageWork()) + work
        return found

    def _tokens(self) -> dict[str, int]:
        return {role: engine.tokens for role, engine in self.engines.items()}


def _is_wanted_anew(chain: Chain) -> bool:
    """Return whether a chain of an item that lacks chains is made again; the item's other chains stay."""
    return chain.finish_reason in CUT or chain.status is Status.QUARANTINED


def _in_order(chains: Sequence[Chain], pieces: Sequence[PieceName], items: Sequence[Item]) -> list[Chain]:
    piece = {one[:2]: at for at, one in enumerate(pieces)}
    place = {item.id: at for at, item in enumerate(items)}
    return sorted(chains, key=lambda one: (piece[one.strategy, one.variant], place[one.item_id], one.index))
