"""Ten chains to read: which ones, and what the model answered after each step.

In: ITEMS, CHAINS and OBSERVATIONS rows. Out: ``Transcript`` objects, plain data. Which chains are shown depends on the
run's id and on the rows alone. Texts are passed on as they are: whoever prints them must escape them.
"""

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import polars as pl

from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.seeds import derive_seed

Row = dict[str, Any]
CHAIN = ("model", "task", "item_id", "chain_index")


@dataclass(frozen=True)
class Cut:
    """What the model answered when the chain was cut after ``k`` steps."""

    k: int
    answer: str | None
    same: bool | None
    """Whether that is the chain's own final answer; null unless ok."""
    p_gold: float | None
    status: str


@dataclass(frozen=True)
class Transcript:
    """One chain with its question and the answers around it."""

    chain: Row
    """The CHAINS row."""
    item: Row
    """The ITEMS row; empty if it is missing."""
    cuts: dict[int, Cut] = field(default_factory=dict)
    """By steps kept, 0..n."""
    no_cot: Row = field(default_factory=dict)
    """The OBSERVATIONS row of the arm without a chain; empty if it is missing."""

    @property
    def outcome(self) -> str:
        """Return "failed", "right" or "wrong"."""
        if self.chain["status"] != "ok" or self.chain["correct"] is None:
            return "failed"
        return "right" if self.chain["correct"] else "wrong"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return (label, text) of each choice."""
        return list(zip(CHOICE_LABELS, self.item.get("choices") or [], strict=False))

    @property
    def settles_at(self) -> int | None:
        """Return the fewest steps from which on every cut gives the final answer; null if an arm failed."""
        last = len(self.chain["steps"] or [])
        if any(k not in self.cuts or self.cuts[k].same is None for k in range(last + 1)):
            return None
        different = [k for k in range(last + 1) if not self.cuts[k].same]
        settled = max(different, default=-1) + 1
        return settled if settled <= last else None


def pick_transcripts(
    run_id: str, items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame, n: int = 10
) -> list[Transcript]:
    """Return up to ``n`` chains: models and tasks in turn, right and wrong in turn, a failed one if there is any."""
    keys = chains.select(*CHAIN, "status", "correct").sort(CHAIN).to_dicts()
    keys.sort(key=lambda key: derive_seed(run_id, *(str(key[name]) for name in CHAIN)))
    chosen = _spread(keys, n)
    chosen.sort(key=lambda key: tuple(key[name] for name in ("task", "model", "item_id", "chain_index")))
    return [transcript(key, items, chains, observations) for key in chosen]


def transcript(key: Row, items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> Transcript:
    """Return the chain named by ``key`` (model, task, item_id, chain_index) with all that belongs to it."""
    here = [pl.col(name) == key[name] for name in CHAIN[:3]]
    chain = chains.filter(*here, pl.col("chain_index") == key["chain_index"]).row(0, named=True)
    item = items.filter(*here).head(1).to_dicts()
    rows = observations.filter(*here)
    early = rows.filter(
        pl.col("probe") == "early_answering",
        pl.col("chain_index") == key["chain_index"],
        pl.col("position").is_not_null(),
    )
    baseline = rows.filter(pl.col("probe") == "no_cot", pl.col("arm") == "no_cot").head(1).to_dicts()
    cuts = {cut.k: cut for cut in map(_cut, early.sort("position").to_dicts())}
    return Transcript(chain, item[0] if item else {}, cuts, baseline[0] if baseline else {})


def _cut(row: Row) -> Cut:
    return Cut(int(row["position"]), row["answer"], row["same_answer"], row["p_gold"], row["status"])


def _spread(keys: list[Row], n: int) -> list[Row]:
    """Take the first failed chain, then one of each (task, model) in turn, alternating right and wrong."""
    failed = [key for key in keys if key["status"] != "ok"]
    groups: dict[tuple[str, str], list[Row]] = {}
    for key in keys:
        if key["status"] == "ok":
            groups.setdefault((key["task"], key["model"]), []).append(key)
    queues = [_alternate(group, odd % 2 == 0) for odd, (_, group) in enumerate(sorted(groups.items()))]
    turns = [key for turn in zip_longest(*queues) for key in turn if key is not None]
    chosen = failed[:1] + turns
    return (chosen + failed[1:])[:n]


def _alternate(group: list[Row], right_first: bool) -> list[Row]:
    right, wrong = [k for k in group if k["correct"]], [k for k in group if not k["correct"]]
    first, second = (right, wrong) if right_first else (wrong, right)
    return [key for pair in zip_longest(first, second) for key in pair if key is not None]
