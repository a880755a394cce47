"""How much of a run is committed: its commits against its plan, by shard.

In: run.json, the commits and the records of shards that were given up. Out: ``Completeness``: counts and sentences.
The plan is what the last spec asks for, and what an earlier spec of the folder began. A shard is done when its chains,
every probe on them and every reading of them are committed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cotfaith.cluster.storage.given_up import given_up
from cotfaith.cluster.storage.read import commits
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import Commit, GivenUp, RunRecord, ShardEntry

Group = tuple[str, str, str]
"""Model, task, strategy."""
Stage = tuple[str | None, str | None]
"""Probe and reader; (None, None) for the chains."""
MOST_NAMED = 10
"""The most groups or shards that one text names."""


@dataclass(frozen=True)
class Completeness:
    """Which shards of a run are done."""

    done: int
    total: int
    missing: Mapping[Group, int]
    """Shards that are not done."""
    given_up: Sequence[tuple[str, str]] = ()
    """Name and reason of each shard (or reading) that failed every attempt and is still missing."""

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
        """Return what is missing, and what was given up and why; each list is cut at ``MOST_NAMED``."""
        lacking = [f"{' / '.join(group)}: {n} not done" for group, n in self.missing.items()]
        failed = [f"Given up: {name}: {reason}" for name, reason in self.given_up]
        return [*_cut(lacking, "more groups"), *_cut(failed, "more given up")]


def completeness(store: Store, run: RunRecord) -> Completeness:
    """Compare what is committed with the plan in ``run`` (run.json)."""
    return compare(run, list(commits(store)), given_up(store))


def compare(run: RunRecord, found: Sequence[Commit], failed: Iterable[GivenUp] = ()) -> Completeness:
    """Return which shards of the plan are done."""
    have = {commit.commit_key for commit in found}
    plan = _plan(run, found)
    began: dict[Group, set[str]] = {}
    for commit in found:
        began.setdefault(_group(commit), set()).add(commit.shard)
    total, lacking = 0, {}
    for group, stages in plan.items():
        done = sum(not _missing(shard, stages, have) for shard in began.get(group, ()))
        n = -(-run.n_items.get(group[1], 0) // run.shard_size)
        total += n
        if done < n:
            lacking[group] = n - done
    dead = [(one.name, one.reason) for one in failed if _still_missing(one, plan.get(_group(one), set()), have)]
    return Completeness(total - sum(lacking.values()), total, lacking, dead)


def _still_missing(record: GivenUp, stages: set[Stage], have: set[str]) -> bool:
    """Return whether part of what was given up is still missing; a shard's own job is its chains and all its probes."""
    if record.reader is not None:
        own = stages & {(record.probe, record.reader)}
    else:
        own = {stage for stage in stages if stage[1] is None}
    return _missing(record.shard, own, have)


def _missing(shard: str, stages: set[Stage], have: set[str]) -> bool:
    """Return whether any of the shard's stages is not committed."""
    return any(keys.commit(shard, *stage) not in have for stage in stages)


def _group(entry: ShardEntry) -> Group:
    return entry.model, entry.task, entry.strategy


def _plan(run: RunRecord, found: Iterable[Commit]) -> dict[Group, set[Stage]]:
    """Return (probe, reader) of everything that belongs to each group's shards; (None, None) for the chains."""
    strategies = run.spec.strategies or list(run.identity.strategies)
    stages: set[Stage] = {(None, None)}
    for probe in run.spec.probes:
        readers: Sequence[str | None] = run.readers.get(probe.name) or [None]
        stages |= {(probe.name, reader) for reader in readers}
    plan = {(m, t.name, s): set(stages) for m in run.spec.subjects for t in run.spec.tasks for s in strategies}
    for commit in found:  # possibly of an earlier spec
        plan.setdefault(_group(commit), {(None, None)}).add((commit.probe, commit.reader))
    return plan


def _cut(lines: list[str], more: str) -> list[str]:
    left = len(lines) - MOST_NAMED
    return lines if left <= 0 else [*lines[:MOST_NAMED], f"... and {left} {more}"]
