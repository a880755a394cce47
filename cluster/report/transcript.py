"""A chain to read with what was found of it, as plain data.

Texts are passed on as they are: the code that prints them must escape them. Knows no tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cotfaith.cluster.report.difference import Piece
from cotfaith.cluster.report.folds import Fold, folds, step_text
from cotfaith.cluster.report.reasons import Reason, evidence_of
from cotfaith.cluster.stats.metrics.lib.remarks import Cut
from cotfaith.cluster.verdicts.verdict import Question
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.seeds import derive_seed

Row = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """The answer after a step, or the whole chain, was changed or read by another model."""

    what: str
    """The change in words, such as "left out"."""
    outcome: str
    """The answer, or the status of an arm that failed."""
    pieces: list[Piece] = field(default_factory=list)
    """The step's old and new words, if an editor rewrote it."""
    moved: float | None = None
    """Share of the answers after it that differ from the chain's own; None: not known."""


@dataclass(frozen=True)
class Transcript:
    """One chain with its question and the answers around it."""

    chain: Row
    """The CHAINS row."""
    item: Row
    """The ITEMS row; empty if it is missing."""
    cuts: dict[int, Cut] = field(default_factory=dict)
    """Number of kept steps (0..n) -> the cut there."""
    without: str = "not asked"
    """The answer without a chain, or its status."""
    changes: dict[int, list[Change]] = field(default_factory=dict)
    """Step (from 1) -> its changes."""
    whole: list[Change] = field(default_factory=list)
    """Changes to more than one step, and other readers."""
    reasons: tuple[Reason, ...] = ()
    """Why it is shown; the first is what it was chosen for."""

    @property
    def evidence_of(self) -> Question | None:
        """Return the question of a verdict for which it is evidence."""
        return evidence_of(self.reasons)

    @property
    def folds(self) -> list[Fold]:
        """Return the steps in order, with those that are folded or left out."""
        return folds(self.chain["steps"] or [])

    def step(self, k: int) -> list[tuple[str, str]]:
        """Return the pieces of step ``k``, from 1."""
        return step_text(self.chain["steps"], k)

    @property
    def model(self) -> str:
        """Return the model's id."""
        return str(self.chain["model"])

    @property
    def task(self) -> str:
        """Return the task's name."""
        return str(self.chain["task"])

    @property
    def about(self) -> list[str]:
        """Return task, model, strategy if it is not the usual one, number and channel."""
        strategy = [] if self.chain["strategy"] == "cot" else [str(self.chain["strategy"])]
        channel = [str(self.chain["channel"])] if self.chain.get("channel") else []
        return [self.task, self.model, *strategy, f"chain {self.chain['chain_index']}", *channel]

    @property
    def link(self) -> str:
        """Return its place on the page."""
        return place(self.chain)

    @property
    def importance(self) -> dict[int, float]:
        """Return by step how much the answer depends on it, from 0 to 1; a step of which nothing is known has none.

        That is the mean over what was done to only this step: whether the answer before it is another one than after
        it, where the chain was cut at both; and the share of the answers that differ from the chain's own after the
        step was made wrong, left out or written again.
        """
        found: dict[int, list[float]] = {}
        for k, cut in self.cuts.items():
            before = self.cuts.get(k - 1)
            if before is not None and before.answer is not None and cut.answer is not None:
                found.setdefault(k, []).append(float(before.answer != cut.answer))
        for step, changes in self.changes.items():
            found.setdefault(step, []).extend(one.moved for one in changes if one.moved is not None)
        return {step: sum(parts) / len(parts) for step, parts in sorted(found.items()) if parts}

    @property
    def outcome(self) -> str:
        """Return "failed", "right" or "wrong"."""
        if self.chain["status"] != "ok" or self.chain["correct"] is None:
            return "failed"
        return "right" if self.chain["correct"] else "wrong"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return (label, text) of each choice; empty if the question shows no choices."""
        return labelled_choices(self.item)

    @property
    def settles_at(self) -> int | None:
        """Return the fewest steps after which every cut gives the final answer; None if an arm failed."""
        last = len(self.chain["steps"] or [])
        if any(k not in self.cuts or self.cuts[k].same is None for k in range(last + 1)):
            return None
        different = [k for k in range(last + 1) if not self.cuts[k].same]
        settled = max(different, default=-1) + 1
        return settled if settled <= last else None


def labelled_choices(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (label, text) of each choice; empty if the question shows no choices."""
    if item.get("answer_format") != "choice":
        return []
    return list(zip(CHOICE_LABELS, item.get("choices") or [], strict=False))


def place(chain: Mapping[str, Any], *more: str) -> str:
    """Return the id of a chain's place on the page: the same in each report of the run."""
    names = ("model", "task", "strategy", "variant", "item_id", "chain_index")
    return f"chain-{derive_seed(*(str(chain.get(name)) for name in names), *more):016x}"
