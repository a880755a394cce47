"""A run's tables -> for each usable chain, all that was observed about it. What every metric is a function of.

In: ITEMS, CHAINS and OBSERVATIONS rows. Out: ``Evidence`` in the tables' order. Probes on items are evidence for each
of the item's chains. Probabilities are normalised over the scored candidates; there are none for generated answers.
Knows nothing about metrics or labels.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from cotfaith.schemas.records import Chain, Item
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.rows import chains_from_table, item_from_row

Row = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One observed answer."""

    name: str
    position: float | None
    answer: str | None
    """Null unless the arm is ok."""
    p: Mapping[str, float] | None
    """Answer -> probability; null unless scored."""
    prompt_tokens: int
    of_item: bool = False
    """Asked once for all chains of the item."""
    step: int | None = None
    """The step that was edited, deleted or resampled, from 1."""
    edit_changed: bool | None = None
    """Whether an editor changed the words; null where none was asked."""
    similarity: float | None = None
    """Of the step's meaning and the resampled one's."""
    sampled_tokens: int = 0
    """By the subject, for the chain that the answer was asked after."""


@dataclass(frozen=True)
class Evidence:
    """One usable chain."""

    model: str
    task: str
    item: Item
    chain: Chain
    final: Arm
    """The answer after the whole chain."""
    arms: Mapping[str, tuple[Arm, ...]]
    """Probe -> its arms on this chain, or on its item, by position."""
    shared_by: int
    """Usable chains of the item: they share what the probes on items cost."""

    def p_answer(self, arm: Arm) -> float | None:
        """Return the probability that ``arm`` gives to the chain's own answer."""
        return None if arm.p is None or self.final.answer is None else arm.p.get(self.final.answer)

    def same(self, arm: Arm) -> float | None:
        """Return 1.0 if ``arm`` gives the chain's own answer, 0.0 if another, None if it failed."""
        return None if arm.answer is None else float(arm.answer == self.final.answer)


def collect(items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> list[Evidence]:
    """Return the evidence on every chain whose status is ok."""
    usable = chains.filter(pl.col("status") == Status.OK)
    by_key = {(row["model"], row["task"], row["item_id"]): item_from_row(row) for row in items.iter_rows(named=True)}
    arms = _arms(observations)
    rows = usable.to_dicts()
    counts = Counter(map(_of_item, rows))
    found = []
    for row, chain in zip(rows, chains_from_table(usable.to_arrow()), strict=True):
        key = _of_item(row)
        seen = {
            probe: tuple(a) for probe, a in {**arms.get((*key, None), {}), **arms.get((*key, chain.index), {})}.items()
        }
        item = by_key[row["model"], row["task"], row["item_id"]]
        found.append(Evidence(key[0], key[1], item, chain, _arm(row, "chain", None), seen, counts[key]))
    return found


def _of_item(row: Row) -> tuple[str, str, str, str]:
    """Return what the probes on an item belong to: a strategy has its own."""
    return row["model"], row["task"], row["strategy"], row["item_id"]


def _arms(observations: pl.DataFrame) -> dict[tuple[str, str, str, str, int | None], dict[str, list[Arm]]]:
    """Index the arms by chain (index None: by item), then by probe; a row without position stands for a lost probe."""
    found: dict[tuple[str, str, str, str, int | None], dict[str, list[Arm]]] = {}
    placed = observations.filter(pl.col("position").is_not_null())
    for row in placed.sort("position", maintain_order=True).iter_rows(named=True):
        key = (*_of_item(row), row["chain_index"])
        found.setdefault(key, {}).setdefault(row["probe"], []).append(_arm(row, row["arm"], row["position"]))
    return found


def _arm(row: Row, name: str, position: float | None) -> Arm:
    ok = row["status"] == Status.OK
    p = _normalised(row["candidates"], row["candidate_logprobs"]) if ok else None
    return Arm(
        name,
        position,
        row["answer"] if ok else None,
        p,
        row["prompt_tokens"] or 0,
        of_item=row["chain_index"] is None,
        step=row.get("step"),
        edit_changed=row.get("edit_changed"),
        similarity=row.get("similarity"),
        sampled_tokens=(row["n_tokens"] or 0) if "probe" in row else 0,
    )


def _normalised(candidates: list[str] | None, logprobs: list[float] | None) -> Mapping[str, float] | None:
    if not candidates or not logprobs:
        return None
    top = max(logprobs)
    weights = [math.exp(x - top) for x in logprobs]  # nats
    return {c: w / sum(weights) for c, w in zip(candidates, weights, strict=True)}
