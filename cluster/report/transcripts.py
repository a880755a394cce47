"""Ten chains to read: which ones, and what the model answered after each step, and after each change to it.

In: ITEMS, CHAINS and OBSERVATIONS rows. Out: ``Transcript`` objects, plain data. Which chains are shown depends on the
run's id and on the rows alone. Texts are passed on as they are: whoever prints them must escape them.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import polars as pl

from cotfaith.cluster.report.difference import Piece, difference
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.status import Status

Row = dict[str, Any]
CHAIN = ("model", "task", "strategy", "item_id", "chain_index")


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
class Change:
    """What became of one step when it was changed."""

    what: str
    """In words, such as "left out"."""
    outcome: str
    """The answer, or the status of an arm that failed."""
    pieces: list[Piece] = field(default_factory=list)
    """The step's old and new words, where an editor wrote."""


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
    changes: dict[int, list[Change]] = field(default_factory=dict)
    """By step, from 1."""
    whole: list[Change] = field(default_factory=list)
    """Changes to more than one step, and other readers."""

    @property
    def outcome(self) -> str:
        """Return "failed", "right" or "wrong"."""
        if self.chain["status"] != "ok" or self.chain["correct"] is None:
            return "failed"
        return "right" if self.chain["correct"] else "wrong"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return (label, text) of each choice; a closed answer space that the question does not show has none."""
        if self.item.get("answer_format") != "choice":
            return []
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
    chosen.sort(key=lambda key: tuple(key[name] for name in ("task", "model", "strategy", "item_id", "chain_index")))
    return [transcript(key, items, chains, observations) for key in chosen]


def transcript(key: Row, items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> Transcript:
    """Return the chain named by ``key`` (``CHAIN``) with all that belongs to it."""
    here = [pl.col(name) == key[name] for name in CHAIN[:4]]
    this = pl.col("chain_index") == key["chain_index"]
    chain = chains.filter(*here, this).row(0, named=True)
    item = items.filter(here[0], here[1], here[3]).head(1).to_dicts()
    rows = observations.filter(*here)
    own = rows.filter(this)
    early = own.filter(pl.col("probe") == "early_answering", pl.col("position").is_not_null())
    baseline = rows.filter(pl.col("probe") == "no_cot", pl.col("arm") == "no_cot").head(1).to_dicts()
    cuts = {cut.k: cut for cut in map(_cut, early.sort("position").to_dicts())}
    changes = _step_changes(own, chain["steps"] or [])
    found = (item[0] if item else {}, cuts, baseline[0] if baseline else {}, changes, _whole_changes(own, chain))
    return Transcript(chain, *found)


def _cut(row: Row) -> Cut:
    return Cut(int(row["position"]), row["answer"], row["same_answer"], row["p_gold"], row["status"])


def _step_changes(own: pl.DataFrame, steps: list[str]) -> dict[int, list[Change]]:
    changes: dict[int, list[Change]] = {}
    placed = own.filter(pl.col("step").is_not_null()).sort("step", "rollout", nulls_last=True)
    for row in placed.filter(pl.col("probe") == "adding_mistakes").to_dicts():
        pieces = _pieces(steps[row["step"] - 1], row)
        changes.setdefault(row["step"], []).append(Change("made wrong", _outcome(row), pieces))
    for row in placed.filter(pl.col("probe") == "step_deletion").to_dicts():
        changes.setdefault(row["step"], []).append(Change("left out", _outcome(row)))
    for (step, *_), rows in placed.filter(pl.col("probe") == "resampling").group_by("step", maintain_order=True):
        answers = Counter(map(_outcome, rows.to_dicts())).most_common()
        changes.setdefault(int(str(step)), []).append(
            Change("written anew", ", ".join(f"{answer} ({count})" for answer, count in answers))
        )
    return changes


def _whole_changes(own: pl.DataFrame, chain: Row) -> list[Change]:
    """Return the longest paraphrase with its baseline, and what other readers answered."""
    placed = own.filter(pl.col("probe") == "paraphrasing", pl.col("position").is_not_null()).sort("position", "arm")
    found = []
    for row in placed.filter(pl.col("position") == pl.col("position").max()).to_dicts():
        kept = int(row["position"])
        pieces = _pieces("".join((chain["steps"] or [])[:kept]), row)
        what = "written anew after" if row["condition"] == "resampled" else "with other words in"
        found.append(Change(f"{what} steps 1 to {kept}", _outcome(row), pieces))
    readers = own.filter(pl.col("probe") == "transfer", pl.col("reader").is_not_null()).sort("reader")
    return found + [Change(f"read by {row['reader']}", _outcome(row)) for row in readers.to_dicts()]


def _pieces(old: str, row: Row) -> list[Piece]:
    """Return what an editor did to ``old``; nothing if it failed, or wrote nothing."""
    edited = row["status"] != Status.EDIT_FAILED and row["edit"] is not None
    return difference(old.strip(), row["edit"].strip()) if edited else []


def _outcome(row: Row) -> str:
    return str(row["status"] if row["answer"] is None else row["answer"])


def _spread(keys: list[Row], n: int) -> list[Row]:
    """Take the first failed chain, then one of each (task, model, strategy) in turn, alternating right and wrong."""
    failed = [key for key in keys if key["status"] != "ok"]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for key in keys:
        if key["status"] == "ok":
            groups.setdefault((key["task"], key["model"], key["strategy"]), []).append(key)
    queues = [_alternate(group, odd % 2 == 0) for odd, (_, group) in enumerate(sorted(groups.items()))]
    turns = [key for turn in zip_longest(*queues) for key in turn if key is not None]
    chosen = failed[:1] + turns
    return (chosen + failed[1:])[:n]


def _alternate(group: list[Row], right_first: bool) -> list[Row]:
    right, wrong = [k for k in group if k["correct"]], [k for k in group if not k["correct"]]
    first, second = (right, wrong) if right_first else (wrong, right)
    return [key for pair in zip_longest(first, second) for key in pair if key is not None]
