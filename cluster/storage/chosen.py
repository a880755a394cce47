"""The shards of a run that some rows are in: as few of its objects are read as the keys and commits allow.

In: a store, its run.json, and what is wanted. Out: the logs of the shards that can have it. Shards of old runs, whose
commits name no items, always can.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cotfaith.cluster.storage.ledger import Ledger, ShardLog, ledger_of
from cotfaith.cluster.storage.read import commits_found, read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import RunRecord


@dataclass(frozen=True)
class Chosen:
    """Which rows are wanted; what is empty or None admits all."""

    models: Sequence[str] = ()
    tasks: Sequence[str] = ()
    item: str | None = None
    strategies: Sequence[str] = ()
    variants: Sequence[str] = ()
    probes: Sequence[str] = ()
    status: str | None = None


def chosen_ledger(store: Store, run: RunRecord, chosen: Chosen) -> Ledger:
    """Return the commits of the models and tasks; those of others are not even read.

    Raises:
        RunFolderError: an object among them is not a commit of this run.

    """
    if run.schema_version < FIRST_PRESENT or not chosen.models:
        found = read_ledger(store, run).logs
        return Ledger({shard: log for shard, log in found.items() if _is_of(chosen, shard.model, shard.task)})
    ends = [f"{task}/" for task in chosen.tasks] or [""]
    prefixes = [f"{keys.COMMITS}{model}/{end}" for model in chosen.models for end in ends]
    commits = []
    for _, one in (pair for prefix in prefixes for pair in commits_found(store, run, prefix)):
        if isinstance(one, RunFolderError):
            raise one
        commits.append(one)
    return ledger_of(commits)


def chosen_logs(run: RunRecord, ledger: Ledger, chosen: Chosen) -> Iterator[ShardLog]:
    """Yield the logs that can have such rows."""
    old = run.schema_version < FIRST_PRESENT
    for log in ledger.logs.values():
        if (old or _has_item(log, chosen.item)) and _has_status(log, chosen.status):
            yield log


def _is_of(chosen: Chosen, model: str, task: str) -> bool:
    return (not chosen.models or model in chosen.models) and (not chosen.tasks or task in chosen.tasks)


def _has_item(log: ShardLog, item: str | None) -> bool:
    return item is None or any(item in commit.items for commit in log.commits)


def _has_status(log: ShardLog, status: str | None) -> bool:
    return status is None or any(log.statuses(piece)[status] for piece in log.pieces)
