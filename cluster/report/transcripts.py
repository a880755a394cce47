"""Ten chains to read: which ones, the model's answer after each step, and its answer after each change to a step.

In: ITEMS, CHAINS and OBSERVATIONS rows, and the remarks of each probe's words on its rows. Out: ``Transcript`` objects,
plain data. Only chains on plain items are chosen. The choice depends only on the run's id and on the rows. Texts are
passed on as they are: the code that prints them must escape them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import polars as pl

from cotfaith.cluster.report.difference import Piece, difference
from cotfaith.cluster.stats.metrics.lib.remarks import Cut, Remark, Without, every_arm
from cotfaith.cluster.stats.metrics.lib.words import AGAIN, Words
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.plugins import faults_named

Row = dict[str, Any]
CHAIN = ("model", "task", "strategy", "item_id", "chain_index")


@dataclass(frozen=True)
class Change:
    """The answer after a step, or the whole chain, was changed or read by another model."""

    what: str
    """The change in words, such as "left out"."""
    outcome: str
    """The answer, or the status of an arm that failed."""
    pieces: list[Piece] = field(default_factory=list)
    """The step's old and new words, if an editor rewrote it."""


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


def pick_transcripts(
    run_id: str,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
    n: int = 10,
) -> list[Transcript]:
    """Return up to ``n`` chains: models and tasks in turn, right and wrong in turn, and a failed one if there is any.

    ``words``: those of each probe; a probe without words is shown arm by arm, after the others.
    """
    return [transcript(key, items, chains, observations, words) for key in chosen_chains(run_id, chains, n)]


def chosen_chains(run_id: str, chains: pl.DataFrame, n: int = 10) -> list[Row]:
    """Return the keys (``CHAIN``) of the chains to read, with their ``status`` and ``correct``."""
    own = chains.filter(_is_plain())
    keys = own.select(*CHAIN, "status", "correct").sort(CHAIN).to_dicts()
    keys.sort(key=lambda key: derive_seed(run_id, *(str(key[name]) for name in CHAIN)))
    chosen = _spread(keys, n)
    chosen.sort(key=lambda key: tuple(key[name] for name in ("task", "model", "strategy", "item_id", "chain_index")))
    return chosen


def transcript(
    key: Row,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
) -> Transcript:
    """Return the chain named by ``key`` (``CHAIN``), with its item, cuts and changes."""
    here = [pl.col(name) == key[name] for name in CHAIN[:4]]
    chain = chains.filter(*here, _is_plain(), pl.col("chain_index") == key["chain_index"]).row(0, named=True)
    item = items.filter(here[0], here[1], here[3]).head(1).to_dicts()
    index = pl.col("chain_index")
    own = observations.filter(*here, _is_plain(), index.is_null() | (index == key["chain_index"]))
    return _with_remarks(Transcript(chain, item[0] if item else {}), _remarks(chain, own, words))


def _is_plain() -> pl.Expr:
    return pl.col("variant").fill_null(PLAIN) == PLAIN


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
    return Change(remark.what, remark.outcome, pieces)


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
