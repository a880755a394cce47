"""How much of a run is committed: its commits against its plan, by shard.

In: run.json, the commits and the records of quarantined items and of models that are given up. Out: ``Completeness``:
counts and sentences. The plan is what the last spec asks for, and what an earlier spec of the folder began. A shard is
done when the chains of all its items, every probe on them and every reading of them are committed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from cotfaith.cluster.storage.ledger import Ledger, Shard, ShardLog, Wanted
from cotfaith.cluster.storage.read import read_given_up, read_ledger, read_quarantine
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.terminal import first_lines
from cotfaith.schemas.run_objects import GivenUpModel, PieceName, Quarantined, RunRecord

Group = tuple[str, str]
"""Model and task."""
MOST_NAMED = 10
"""The most groups or items that one text names."""


@dataclass(frozen=True)
class Completeness:
    """Which shards of a run are done."""

    done: int
    total: int
    missing: Mapping[Group, int]
    """Shards that are not done."""
    quarantined: Sequence[tuple[str, str]] = ()
    """Name and reason of each item that failed every attempt; its rows say so."""
    given_up: Sequence[tuple[str, str]] = ()
    """Name and reason of each model whose engine could not be made or kept up; rows are missing for it."""

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self.done == self.total

    def headline(self) -> str:
        """Return "k of n shards are done" and what that means; "" for a whole run."""
        if self.whole:
            return ""
        return (
            f"Incomplete: {self.done} of {self.total} shards are done. The figures rest on those that are committed; "
            "run it again to do the rest."
        )

    def details(self) -> list[str]:
        """Return what is given up, missing and quarantined, with reasons; each list is cut at ``MOST_NAMED``."""
        lacking = _lacking(self.missing)
        failed = [f"Quarantined: {name}: {reason}" for name, reason in self.quarantined]
        broken = [f"Given up: {reason}" for _, reason in self.given_up]
        return [*_cut(broken, "more given up"), *_cut(lacking, "more models"), *_cut(failed, "more quarantined")]


def completeness(store: Store, run: RunRecord, ledger: Ledger | None = None) -> Completeness:
    """Compare what is committed with the plan in ``run`` (run.json); ``ledger``: the commits, if they were read."""
    found = read_ledger(store, run) if ledger is None else ledger
    return compare(run, found, read_quarantine(store), read_given_up(store))


def compare(
    run: RunRecord, ledger: Ledger, failed: Iterable[Quarantined] = (), broken: Iterable[GivenUpModel] = ()
) -> Completeness:
    """Return which shards of the plan are done. Models that are given up count if shards are missing for them."""
    plan = _plan(run, ledger)
    done = Counter(
        shard[:2]
        for shard, log in ledger.logs.items()
        if run.has_shard(*shard[1:]) and _is_done(log, plan[shard[:2]], shard, run.max_tokens)
    )
    undone = {group: run.n_shards(group[1]) - done[group] for group in plan}
    lacking = {group: n for group, n in undone.items() if n}
    total = sum(run.n_shards(task) for _, task in plan)
    dead = [(one.name, one.reason) for one in failed]
    short = {model for model, _ in lacking}
    given_up = [(one.name, one.reason) for one in broken if short.intersection(one.lacking)]
    return Completeness(total - sum(lacking.values()), total, lacking, dead, given_up)


def _is_done(log: ShardLog, pieces: frozenset[PieceName], shard: Shard, max_tokens: int | None) -> bool:
    """Return whether each piece is there for all items, with no text cut by a smaller limit than the present one."""
    if any(len(log.live.get(piece, ())) < shard.stop - shard.start for piece in pieces):
        return False
    items = list(dict.fromkeys(item for piece in pieces for item in log.live[piece]))
    return not log.missing(items, Wanted(pieces, max_tokens))


def wanted_pieces(run: RunRecord, model: str, task: str) -> frozenset[PieceName]:
    """Return the pieces that the last spec asks for, of the model's chains on each item of the task."""
    strategies = run.spec.strategies or list(run.identity.strategies)
    pieces = {PieceName(*one) for one in product(strategies, run.variants_of(None))}
    for probe in run.spec.probes:
        reading = probe.name in run.readers
        readers: Sequence[str | None] = run.readers_of(probe.name, task, model) if reading else [None]
        on = product(strategies, run.variants_of(probe.name), readers)
        pieces |= {PieceName(strategy, variant, probe.name, reader) for strategy, variant, reader in on}
    return frozenset(pieces)


def _plan(run: RunRecord, ledger: Ledger) -> dict[Group, frozenset[PieceName]]:
    """Return everything that belongs to each group's shards."""
    spec = run.spec
    asked = [(model, task.name) for model in spec.subjects for task in spec.tasks if spec.answers(model, task)]
    plan = {(model, task): wanted_pieces(run, model, task) for model, task in asked}
    for key, log in ledger.logs.items():  # possibly of an earlier spec
        group = (key.model, key.task)
        plan[group] = plan.get(group, frozenset()) | {piece.chains for piece in log.pieces} | set(log.pieces)
    return plan


def _lacking(missing: Mapping[Group, int]) -> list[str]:
    """Return a line for each group, or for each model if there are too many groups, the one that lacks most first."""
    if len(missing) <= MOST_NAMED:
        return [f"{' / '.join(group)}: {n} not done" for group, n in missing.items()]
    shards, tasks = Counter[str](), Counter(model for model, _ in missing)
    for (model, _), n in missing.items():
        shards[model] += n
    return [f"{model}: {n:,} not done, in {tasks[model]} tasks" for model, n in shards.most_common()]


def _cut(lines: list[str], more: str) -> list[str]:
    return first_lines(lines, more, MOST_NAMED)
