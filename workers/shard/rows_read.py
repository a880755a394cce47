"""Committed rows of a probe -> observations, for the probes that read them.

In: OBSERVATIONS tables. Out: the ok rows of some probes by chain. Knows nothing about storage.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields
from typing import Any

import pyarrow as pa

from cotfaith.schemas.answer_row import answer_from_row
from cotfaith.schemas.records import Edit, Observation
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.shard.work import RowsOn

_MADE = ("answer", "edit", "shown_choices", "variant")
"""Fields that are not one column."""


def ok_rows_on(tables: Iterable[pa.Table], probes: Set[str], strategy: str, variant: str) -> RowsOn:
    """Return the probes' ok rows on chains of a strategy and variant, by probe and chain."""
    found: defaultdict[tuple[str, str, int], list[Observation]] = defaultdict(list)
    for row in (row for table in tables for row in _own(table, probes).to_pylist()):
        if (row["strategy"], row["variant"] or PLAIN) == (strategy, variant) and row["chain_index"] is not None:
            found[row["probe"], row["item_id"], row["chain_index"]].append(_observation(row))
    return {key: tuple(sorted(rows, key=_order)) for key, rows in found.items()}


def _own(table: pa.Table, probes: Set[str]) -> pa.Table:
    own = [probe in probes for probe in table["probe"].to_pylist()]
    ok = [status == Status.OK for status in table["status"].to_pylist()]
    return table.filter(pa.array([a and b for a, b in zip(own, ok, strict=True)], pa.bool_()))


def _order(row: Observation) -> tuple[int, str]:
    return (-1 if row.rollout is None else row.rollout, row.arm)


def _observation(row: Mapping[str, Any]) -> Observation:
    """Return the observation as it was written; of the answer that it is compared with, the row has only the value."""
    alike = {one.name: row[one.name] for one in fields(Observation) if one.name in row and one.name not in _MADE}
    return Observation(
        **alike,
        answer=answer_from_row(row, row["status"]),
        edit=None if row["edit"] is None else _edit(row),
        shown_choices=tuple(row["shown_choices"] or ()),
        variant=row["variant"] or PLAIN,
    )


def _edit(row: Mapping[str, Any]) -> Edit:
    seeds = tuple(row["edit_seeds"] or ())
    about = {"editor": row["editor"] or "", "prompt_hash": row["prompt_hash"], "seeds": seeds}
    return Edit(row["edit"], bool(row["edit_changed"]), row["edit_plausible"], Status.OK, **about)
