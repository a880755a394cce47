"""Commits of old runs (before version 5), read as present ones.

In: an object's bytes and its key. Out: a ``Commit`` of generation 0. An old commit is of one strategy, and of the
chains or of one probe on them (by one reader), always of a whole shard; it names no items and no texts. Stand-ins for
items fill their places, so that what is committed can be counted in the same way. Nothing writes such commits.
"""

from pydantic import Field, NonNegativeInt

from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_folder import check_place, parse_object
from cotfaith.schemas.run_objects import ChainTexts, Commit, Part, Piece, ShardEntry, Text
from cotfaith.schemas.spec import Name

FIRST_PRESENT = 5
"""The first version that does not write these."""


class OldCommit(ShardEntry):
    """A commit marker of an old run."""

    key: str | None = None
    shard: Text
    strategy: Name
    probe: Name | None
    reader: Name | None = None
    attempt: Name
    parts: list[Part]
    statuses: dict[str, NonNegativeInt]
    began: float | None = None
    seconds: float | None = None
    timed_with: list[str] = Field(default_factory=list)
    tokens: dict[str, NonNegativeInt] = Field(default_factory=dict)

    @property
    def old_id(self) -> str:
        """The shard's name in old keys."""
        return f"{self.model}~{self.task}~{self.strategy}~{self.start:07d}-{self.stop:07d}"


def parse_old_commit(data: bytes, key: str) -> Commit:
    """Return the commit at ``key``.

    Raises:
        RunFolderError: it is not a commit, contradicts itself, or belongs to another key (a copy).

    """
    old = parse_object(OldCommit, data, key, f"Move {key} out of the folder.")
    check_place(old.key or key, _key(old), key)
    if problem := _contradiction(old):
        raise RunFolderError(f"{key}: {problem}. Was it changed by hand? Move it out of the folder.")
    return _present(old, key)


def _key(old: OldCommit) -> str:
    name = old.old_id if old.probe is None else f"{old.old_id}.{old.probe}"
    return f"{keys.COMMITS}{name}{'' if old.reader is None else '/' + old.reader}.json"


def _contradiction(old: OldCommit) -> str:
    """Return why a run cannot have written this commit; "" if it can have."""
    if old.shard != old.old_id:
        return f"it names the shard {old.shard!r} but describes {old.old_id!r}"
    if old.start >= old.stop:
        return f"it covers items {old.start} to {old.stop}"
    tables = sorted(part.table for part in old.parts)
    wanted = ["chains", "items"] if old.probe is None else ["observations"]
    if tables != wanted:
        return f"its parts are {', '.join(tables) or 'none'}, expected {' and '.join(wanted)}"
    folder = "" if old.probe is None else f"probe={old.probe}/"
    for part in old.parts:
        own = f"{part.table}/model={old.model}/task={old.task}/{folder}{old.old_id}-{old.attempt}.parquet"
        if part.key != own:
            return f"its {part.table} are named {part.key!r}, expected {own!r}"
    rows = sum(part.rows for part in old.parts if part.table != "items")
    counted = sum(old.statuses.values())
    return "" if rows == counted else f"it counts {counted} statuses for {rows} rows"


def _present(old: OldCommit, key: str) -> Commit:
    """Return it as a present commit, with all its rows counted at the first of its stand-ins."""
    items = [stand_in(at) for at in range(old.start, old.stop)]
    rest = [0] * (len(items) - 1)
    statuses = {status: [n, *rest] for status, n in old.statuses.items()}
    return Commit(
        key=key,
        model=old.model,
        task=old.task,
        start=old.start,
        stop=old.stop,
        generation=0,
        attempt=old.attempt,
        items=items,
        pieces=[Piece(strategy=old.strategy, probe=old.probe, reader=old.reader, statuses=statuses)],
        texts=[ChainTexts(strategy=old.strategy, hashes=[[] for _ in items])],
        parts=old.parts,
        began=old.began,
        seconds=old.seconds,
        timed_with=old.timed_with,
        tokens=old.tokens,
    )


def stand_in(at: int) -> str:
    """Return the stand-in for the id of the item at this place."""
    return f"#{at}"
