"""Converts rows of older versions to the present columns. The only place that reads an arm's label.

In: a table as stored in its file, and its schema version. Out: the same rows. Facts that older rows keep in labels, in
``edit`` or in an item's metadata are moved to columns of their own. The caller fills columns that are still missing
with nulls.
"""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cotfaith.schemas.records import READER
from cotfaith.schemas.tables import ITEMS, OBSERVATIONS

TYPED = 4
"""The first version whose rows hold no fact in a label or in metadata."""
CHANNELLED = 6
"""The first version whose sampled chains have a channel if the model writes between <think> and </think>."""
_THINK = "<think>"
_ITEM_FIELDS = ("hint", "hint_style", "setting", "supplied_answer")
_ITEM_JSON = ("bottlenecks", "supplied_steps", "supplied_label", "supplied_step_labels")


def upgrade(table: pa.Table, name: str, version: int) -> pa.Table:
    """Return ``table`` (rows of ``name``, or some of their columns if the version is ``CHANNELLED`` or later) with each
    fact in a column of its own.
    """
    if version >= CHANNELLED:
        return table
    if name == "items":
        return _with_author(table if version >= TYPED else _items(table))
    if name == "chains":
        table = _with_channel(table)
    if version >= TYPED:
        return table
    if name == "observations":
        table = _observations(table)
    return _with(table, "variant", ["plain"] * table.num_rows, pa.string()) if name != "estimates" else table


def _with_channel(table: pa.Table) -> pa.Table:
    """Return the chains; one that was sampled after an opened thought is reasoning, so a run that goes on is one."""
    rows = table.select(["prompt", "finish_reason"]).to_pylist()
    known = table.column("channel").to_pylist() if "channel" in table.column_names else [None] * table.num_rows
    found = [own or _channel(row["prompt"], row["finish_reason"]) for own, row in zip(known, rows, strict=True)]
    rest = table.drop_columns(["channel"]) if "channel" in table.column_names else table
    return _with(rest, "channel", found, pa.string())


def _channel(prompt: str | None, finish_reason: str | None) -> str | None:
    opened = (prompt or "").rstrip().endswith(_THINK) and finish_reason != "supplied"
    return "reasoning" if opened else None


def _items(table: pa.Table) -> pa.Table:
    about = [_pairs(row) for row in table.column("metadata").to_pylist()]
    for name in _ITEM_FIELDS:
        table = _with(table, name, [row.get(name) for row in about], ITEMS.field(name).type)
    for name in _ITEM_JSON:
        values = [json.loads(row[name]) if name in row else None for row in about]
        table = _with(table, name, values, ITEMS.field(name).type)
    rest = [[{"key": k, "value": v} for k, v in row.items() if k not in (*_ITEM_FIELDS, *_ITEM_JSON)] for row in about]
    at = table.column_names.index("metadata")
    return table.set_column(at, ITEMS.field("metadata"), pa.array(rest, ITEMS.field("metadata").type))


def _with_author(table: pa.Table) -> pa.Table:
    """Return the table with the column ``supplied_author``; older rows only have it in the metadata."""
    if "supplied_author" in table.column_names:
        return table
    about = [_pairs(row) for row in table.column("metadata").to_pylist()]
    steps = table.column("supplied_steps").to_pylist()
    authors = [
        (row.get("author", "").strip() or None) if own is not None else None
        for row, own in zip(about, steps, strict=True)
    ]
    return _with(table, "supplied_author", authors, pa.string())


def _pairs(metadata: list[Mapping[str, str]] | None) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in metadata or ()}


def _observations(table: pa.Table) -> pa.Table:
    rows = table.select(["probe", "arm", "reader"]).to_pylist()
    table = _with(table, "condition", [_condition(row["probe"], row["arm"]) for row in rows], pa.string())
    table = _with(table, "reader_role", [row["reader"] and READER for row in rows], pa.string())
    return _shown_choices(table, [row["probe"] == "answer_order" for row in rows])


def _condition(probe: str, arm: str) -> str | None:
    """Return the kind of arm that a label names, for the two probes with several kinds; null for other rows."""
    if probe == "paraphrasing" and arm not in ("chain", "probe"):
        return "resampled" if arm.startswith("resample") else "paraphrased"
    if probe == "answer_order" and arm.startswith(("none", "once", "twice")):
        return arm.split()[0] + "_cot" * arm.endswith(" cot")
    return None


def _shown_choices(table: pa.Table, shuffled: list[bool]) -> pa.Table:
    """Move the order of the choices out of the columns of edits."""
    edits = table.column("edit").to_pylist()
    orders = [list(edit) if here and edit else None for edit, here in zip(edits, shuffled, strict=True)]
    table = _with(table, "shown_choices", orders, OBSERVATIONS.field("shown_choices").type)
    for name in ("edit", "edit_changed", "editor"):
        kept = [None if here else v for v, here in zip(table.column(name).to_pylist(), shuffled, strict=True)]
        at = table.column_names.index(name)
        table = table.set_column(at, OBSERVATIONS.field(name), pa.array(kept, OBSERVATIONS.field(name).type))
    return table


def _with(table: pa.Table, name: str, values: list[Any], kind: pa.DataType) -> pa.Table:
    return table.append_column(pa.field(name, kind), pa.array(values, kind))
