"""The chains to read: each with the model's answer after each step, and its answer after each change to a step.

In: ITEMS, CHAINS and OBSERVATIONS rows, a key of ``choice.py``, and the words of each probe on its rows. Out:
``Transcript`` objects, plain data. Only chains on plain items are chosen. Texts are passed on as they are: the code
that prints them must escape them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from cotfaith.cluster.report.choice import KEY, chosen, first_told, tellings
from cotfaith.cluster.report.difference import Piece, difference
from cotfaith.cluster.report.folds import Fold, folds, step_text
from cotfaith.cluster.report.reasons import ORDER, Reason, evidence_of
from cotfaith.cluster.stats.metrics.lib.groups import grouped
from cotfaith.cluster.stats.metrics.lib.remarks import Cut, Remark, Without, every_arm
from cotfaith.cluster.stats.metrics.lib.words import AGAIN, Words
from cotfaith.cluster.verdicts.verdict import Question
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.plugins import faults_named

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


def pick_transcripts(
    run_id: str,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
) -> list[Transcript]:
    """Return the chains to read, from tables that are at hand.

    ``words``: those of each probe; a probe without words is shown arm by arm, after the others.
    """
    told = first_told(tellings(*grouped(chains, observations), words))
    return [transcript(key, items, chains, observations, words) for key in chosen(run_id, chains, told)]


def transcript(
    key: Row,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
) -> Transcript:
    """Return the chain named by ``key`` (of ``chosen``), with its item, cuts, changes and reasons."""
    here = [pl.col(name) == key[name] for name in KEY[:4]]
    whole = chains.filter(*here, _is_plain(), pl.col("chain_index") == key["chain_index"]).head(1)
    chain = whole.row(0, named=True)
    item = items.filter(here[0], here[1], here[3]).head(1).to_dicts()
    index = pl.col("chain_index")
    own = observations.filter(*here, _is_plain(), index.is_null() | (index == key["chain_index"]))
    shown = Transcript(chain, item[0] if item else {}, reasons=_reasons(key["why"], whole, own, words))
    return _with_remarks(shown, _remarks(chain, own, words))


def _is_plain() -> pl.Expr:
    return pl.col("variant").fill_null(PLAIN) == PLAIN


def _reasons(
    first: Reason, whole: pl.DataFrame, own: pl.DataFrame, words: Mapping[str | None, Words]
) -> tuple[Reason, ...]:
    """Return the reason for which the chain was chosen, and the others that its rows tell."""
    found = tellings(*grouped(whole, own), words).select("tell", "step").iter_rows()
    others = {tell: step for tell, step in found if tell != first.why}
    return first, *(Reason(why, others[why]) for why in ORDER if why in others)


def _remarks(chain: Row, own: pl.DataFrame, words: Mapping[str | None, Words]) -> Iterable[Cut | Without | Remark]:
    """Yield the remarks of the words on each probe's rows of the chain and its item."""
    rows = own.sort("step", "position", "rollout", "arm", nulls_last=True)
    found = rows["probe"].unique().sort().to_list()
    for probe in [*(probe for probe in words if probe in found), *(probe for probe in found if probe not in words)]:
        say = words[probe].remarks if probe in words else every_arm
        with faults_named(f"A transcript of {probe}", say, AGAIN):
            yield from say(chain, rows.filter(pl.col("probe") == probe).to_dicts())


def _with_remarks(shown: Transcript, remarks: Iterable[Cut | Without | Remark]) -> Transcript:
    last, without = len(shown.chain["steps"] or []), shown.without
    for remark in remarks:
        if isinstance(remark, Cut):
            shown.cuts[remark.k] = remark
        elif isinstance(remark, Without):
            without = remark.outcome
        elif remark.step is None or not 1 <= remark.step <= last:
            shown.whole.append(_change(remark))
        else:
            shown.changes.setdefault(remark.step, []).append(_change(remark))
    return replace(shown, without=without)


def _change(remark: Remark) -> Change:
    edited = remark.old is not None and remark.new is not None
    pieces = difference(remark.old or "", remark.new or "") if edited else []
    return Change(remark.what, remark.outcome, pieces, remark.moved)
