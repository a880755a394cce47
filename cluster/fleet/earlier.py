"""The readings of a shard that earlier commits hold: what is the same is not asked of the reader again.

In: a shard's log, and the pieces and items that are read now. Out: readings by what they depend on. Commits whose rows
no longer count are read too: chains may have been made again, and have come out equal. Objects that are damaged are
left out.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from cotfaith.cluster.storage.ledger import ShardLog
from cotfaith.cluster.storage.parts import checked_part
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_objects import Commit, Part, PieceName
from cotfaith.workers.readings.held import held_of
from cotfaith.workers.shard.ask import Held


def earlier_readings(
    store: Store, log: ShardLog, pieces: Collection[PieceName], items: Collection[str], run_id: str
) -> Held:
    """Return the readings in the commits of one reader's pieces and these items."""
    asked = {(piece.probe, piece.reader) for piece in pieces}
    rows = (row for commit, part in _parts(log, pieces, items) for row in _rows(store, commit, part, run_id))
    return held_of(row for row in rows if row["item_id"] in items and (row["probe"], row["reader"]) in asked)


def _parts(log: ShardLog, pieces: Collection[PieceName], items: Collection[str]) -> Iterator[tuple[Commit, Part]]:
    for commit in log.commits:
        if {piece.name for piece in commit.pieces} & set(pieces) and set(commit.items) & set(items):
            yield from ((commit, part) for part in commit.parts if part.table == "observations")


def _rows(store: Store, commit: Commit, part: Part, run_id: str) -> list[dict[str, Any]]:
    with suppress(RunFolderError):
        found: list[dict[str, Any]] = checked_part(store.get(part.key), part, commit, run_id).to_pylist()
        return found
    return []
