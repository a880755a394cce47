"""Which of a task's items reads differently now, in words.

In: a run's store and record, and the items of a spec whose fingerprints differ from the run's. Out: a clause that names
the first such item, and what was and is there. It reads the items in the run's tables; it says nothing about those that
are not committed.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any

from cotfaith.cluster.storage.read import live_parts, read_ledger, read_live
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.workers.shard.rows import RowKey, items_table

Row = Mapping[str, Any]
_KEY = ("schema_version", "run_id", "model", "task")
_SHOWN = 60
_BEFORE = 20
"""Characters that are shown before the first one that differs."""


def item_change(store: Store, run: RunRecord, shuffled: Collection[str], task: str, found: Sequence[Item]) -> str:
    """Return what differs between the run's items and ``found``, as many; "" if the run's tables do not show it.

    ``shuffled`` names the tasks that are shuffled: another line in the file gives all items another order.
    """
    try:
        had = _committed(store, run, task)
    except RunFolderError:
        return ""
    now = {row["item_id"]: row for row in items_table(RowKey("", "", ""), found).to_pylist()}
    for number, (name, row) in enumerate(now.items(), start=1):
        if name in had and (change := _change(had[name], row)):
            return f"item {number} ({name!r}) reads differently now: {change}"
    hint = "; with shuffle, a file that gets or loses a line gives other items" if task in shuffled else ""
    lost = next((name for name in had if name not in now), None)
    if lost is not None:
        return f"item {lost!r} is not among the first {len(found)} now{hint}"
    return f"they are in another order now{hint}" if len(had) == len(now) else ""


def _committed(store: Store, run: RunRecord, task: str) -> dict[str, Row]:
    """Return item id -> its row, of those that any model has committed, in the task's order."""
    logs = [log for shard, log in read_ledger(store, run).logs.items() if shard.task == task]
    live = [named for log in logs for named in live_parts(log) if named.part.table == "items"]
    live.sort(key=lambda named: named.commit.start)
    return {row["item_id"]: row for table in read_live(store, live, run.run_id) for row in table.to_pylist()}


def _change(old: Row, new: Row) -> str:
    """Return the first column that differs, with both values; "" if none does."""
    column = next((name for name in new if name not in _KEY and old[name] != new[name]), None)
    if column is None:
        return ""
    was, now = (value if isinstance(value, str) else repr(value) for value in (old[column], new[column]))
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(was, now, strict=False)))
    verb = "were" if column.endswith("s") else "was"
    return f"the {column.replace('_', ' ')} {verb} {_short(was, same)}, now {_short(now, same)}"


def _short(text: str, same: int) -> str:
    """Return the text, or its part around the first character that differs."""
    start = 0 if len(text) <= _SHOWN else max(0, same - _BEFORE)
    part = repr(text[start : start + _SHOWN])
    return f"{'...' if start else ''}{part}{'...' if start + _SHOWN < len(text) else ''}"
