"""A run's items, a line for each model, strategy and variant: what was answered, and which probes changed it.

In: tables of some shards, and filters. Out: ``ItemLine`` objects, in the order of the tables.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cotfaith.schemas.status import Status

Row = dict[str, Any]
KEY = ("model", "task", "item_id", "strategy", "variant")
_CHAIN = (*KEY, "chain_index", "answer", "correct", "status")
_ARM = (*KEY, "probe", "same_answer", "status")


@dataclass(frozen=True)
class Filters:
    """Which lines are wanted; what is empty or None admits all."""

    strategies: Sequence[str] = ()
    variants: Sequence[str] = ()
    probes: Sequence[str] = ()
    """Only rows of these probes count, and chains."""
    status: str | None = None
    """Some row has it."""
    changed: bool = False
    """Some arm changed the answer."""
    correct: bool | None = None
    """Some chain's answer is right (true) or wrong (false)."""


@dataclass
class ItemLine:
    """One item of one model, strategy and variant."""

    key: Row
    gold: str | None
    chains: list[Row] = field(default_factory=list)
    """``chain_index``, ``answer``, ``correct``, ``status`` of each."""
    arms: Counter[str] = field(default_factory=Counter)
    """Probe -> its arms; ``changed``: those whose answer is not the chain's."""
    changed: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    """Rows by status, chains and arms together."""

    @property
    def failed(self) -> Counter[str]:
        """The rows that are not ok."""
        return Counter({name: n for name, n in self.statuses.items() if name != Status.OK})

    def is_wanted(self, filters: Filters) -> bool:
        """Return whether the filters admit the line."""
        return (
            (not filters.strategies or self.key["strategy"] in filters.strategies)
            and (not filters.variants or self.key["variant"] in filters.variants)
            and (not filters.probes or any(self.arms[probe] for probe in filters.probes))
            and (filters.status is None or self.statuses[filters.status] > 0)
            and (not filters.changed or bool(self.changed))
            and (filters.correct is None or any(chain["correct"] is filters.correct for chain in self.chains))
        )

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        changed = {probe: {"arms": n, "changed": self.changed[probe]} for probe, n in self.arms.items()}
        about = {"gold": self.gold, "chains": self.chains, "probes": changed, "statuses": dict(self.statuses)}
        return self.key | about


def item_lines(tables: Mapping[str, pl.DataFrame], filters: Filters) -> Iterator[ItemLine]:
    """Yield the lines that the filters admit."""
    items = tables["items"].select("model", "task", "item_id", "gold").unique(maintain_order=True)
    golds = {tuple(row[:3]): row[3] for row in items.iter_rows()}
    lines: dict[tuple[Any, ...], ItemLine] = {}
    for row in tables["chains"].select(_CHAIN).iter_rows(named=True):
        line = _line(lines, row, golds)
        line.chains.append({name: row[name] for name in _CHAIN[len(KEY) :]})
        line.statuses[row["status"]] += 1
    for row in tables["observations"].select(_ARM).iter_rows(named=True):
        if not filters.probes or row["probe"] in filters.probes:
            line = _line(lines, row, golds)
            line.arms[row["probe"]] += 1
            line.changed.update([row["probe"]] if row["same_answer"] is False else [])
            line.statuses[row["status"]] += 1
    yield from (line for line in lines.values() if line.is_wanted(filters))


def _line(lines: dict[tuple[Any, ...], ItemLine], row: Row, golds: Mapping[tuple[str, ...], str]) -> ItemLine:
    key = tuple(row[name] for name in KEY)
    if key not in lines:
        lines[key] = ItemLine(dict(zip(KEY, key, strict=True)), golds.get(key[:3]))
    return lines[key]
