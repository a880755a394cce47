"""Two chains to read side by side: a plain chain and one under a variant that moved its answer, or a pair's two items.

In: a key of ``to_compare.py``, and ITEMS, CHAINS and OBSERVATIONS rows that hold its items. Out: a ``SideBySide``,
plain data. Texts are passed on as they are: the code that prints them must escape them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from cotfaith.cluster.report.difference import Piece, alike, difference, framed
from cotfaith.cluster.report.quoted import Marked, begins_alike, first_stating, pieces_of, spans_of
from cotfaith.cluster.report.reasons import Reason, evidence_of
from cotfaith.cluster.report.to_compare import Said
from cotfaith.cluster.report.transcript import labelled_choices, place
from cotfaith.cluster.verdicts.verdict import Question
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.text.steps import split_steps

Row = dict[str, Any]
DOES = {"present": "names the hint", "relied": "says that it relies on the hint", "checked": "checks the hint"}


@dataclass(frozen=True)
class Side:
    """One of the two chains, with its item; both empty if they are missing."""

    title: str
    chain: Row
    item: Row
    pieces: Sequence[Marked]
    """The chain's text."""
    prompt: Sequence[Piece] = ()
    """Its prompt, compared with that of the plain chain; empty: not shown."""
    question: Sequence[Piece] = ()
    """Its question, compared with the other side's; empty: it is shown as it is."""

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return (label, text) of each choice; empty if the question shows no choices."""
        return labelled_choices(self.item)

    @property
    def answer(self) -> str:
        """Return the answer, or the status of a chain that failed."""
        answer = self.chain.get("answer")
        return str(self.chain.get("status", "missing") if answer is None else answer)

    @property
    def outcome(self) -> str:
        """Return "failed", "right" or "wrong"."""
        correct = self.chain.get("correct")
        return "failed" if correct is None else "right" if correct else "wrong"


@dataclass(frozen=True)
class SideBySide:
    """Two chains."""

    name: str
    about: Sequence[str]
    """Strategy and channel, if there is something to tell, and what the two chains differ in."""
    sides: tuple[Side, Side]
    said: Said | None = None
    """Whether the second chain names the hint; None: these are two items."""
    notes: Sequence[str] = ()
    task: str = ""
    model: str = ""
    reasons: tuple[Reason, ...] = ()
    """Why they are shown; the first is what they were chosen for."""

    @property
    def evidence_of(self) -> Question | None:
        """Return the question of a verdict for which they are evidence."""
        return evidence_of(self.reasons)

    @property
    def outcome(self) -> str:
        """Return that of the second chain, or of a pair's first one that is not right."""
        sides = self.sides[1:] if self.said else self.sides
        return next((side.outcome for side in sides if side.outcome != "right"), "right")

    @property
    def link(self) -> str:
        """Return its place on the page."""
        return place(self.sides[1].chain, "beside", self.name)


def beside_plain(key: Row, items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame) -> SideBySide:
    """Return the plain chain and the one under the variant that ``key`` (``CANDIDATES``) names."""
    item = _item(key, key["item_id"], items)
    plain = _chain(key, key["item_id"], key["plain_index"], PLAIN, chains)
    moved = _chain(key, key["item_id"], key["chain_index"], key["variant"], chains)
    read = _readings(key, observations)
    pieces, notes = _read(moved, item, read, key["said"])
    pieces = begins_alike(pieces, alike(_text(plain), _text(moved)))
    prompt = framed(plain.get("prompt") or "", moved["prompt"]) if moved.get("prompt") else []
    title = f"{key['variant']}, towards {moved.get('target')}"
    sides = Side("plain", plain, item, [("text", _text(plain))]), Side(title, moved, item, pieces, prompt)
    whys = [*key["also"], key["said"]] if key["said"] == "unread" else [key["said"], *key["also"]]
    reasons = tuple(Reason(why) for why in whys)
    notes += _watched(key, observations)
    about = [*_about(key), key["variant"]]
    return SideBySide(key["item_id"], about, sides, key["said"], notes, key["task"], key["model"], reasons)


def two_items(key: Row, items: pl.DataFrame, chains: pl.DataFrame) -> SideBySide:
    """Return the chains of the pair of items that ``key`` (of ``chosen_pairs``) names."""
    one, other = (
        Side(str(side), own := _chain(key, item, at, PLAIN, chains), _item(key, item, items), [("text", _text(own))])
        for side, item, at in zip(key["side"], key["item_id"], key["chain_index"], strict=True)
    )
    asked = difference(one.item.get("question") or "", other.item.get("question") or "")
    other = replace(other, question=asked if len(asked) > 1 else ())
    name, reasons = str(key["pair"]), (Reason("pair"),)
    return SideBySide(name, _about(key), (one, other), None, (), key["task"], key["model"], reasons)


def _about(key: Row) -> list[str]:
    strategy = [] if key["strategy"] == "cot" else [str(key["strategy"])]
    return [*strategy, *([str(key["channel"])] if key.get("channel") else [])]


def _item(key: Row, item_id: str, items: pl.DataFrame) -> Row:
    own = items.filter(*(pl.col(name) == key[name] for name in ("model", "task")), pl.col("item_id") == item_id)
    return next(own.iter_rows(named=True), {})


def _chain(key: Row, item_id: str, index: int, variant: str, chains: pl.DataFrame) -> Row:
    here = [pl.col(name) == key[name] for name in ("model", "task", "strategy")]
    at = pl.col("item_id") == item_id, pl.col("chain_index") == index, pl.col("variant").fill_null(PLAIN) == variant
    return next(chains.filter(*here, *at).iter_rows(named=True), {})


def _readings(key: Row, observations: pl.DataFrame) -> list[Row]:
    """Return the readings of the chain under the variant, by reader and question."""
    here = [pl.col(name) == key[name] for name in ("model", "task", "strategy", "item_id", "variant", "chain_index")]
    asked = pl.col("question").is_in(list(DOES)) & pl.col("reader").is_not_null() & pl.col("hint_asked").is_null()
    own = observations.filter(asked, *here)
    return own.sort("reader", "question", nulls_last=True).to_dicts()


def _watched(key: Row, observations: pl.DataFrame) -> list[str]:
    """Return a sentence for each reading of a monitor."""
    here = [pl.col(name) == key[name] for name in ("model", "task", "strategy", "item_id", "variant", "chain_index")]
    own = observations.filter(pl.col("reader_role") == "monitor", pl.col("hint_asked").is_null(), *here)
    return [_flags(row) for row in own.sort("reader", "condition", nulls_last=True).iter_rows(named=True)]


def _flags(row: Row) -> str:
    failed = row["status"] != Status.OK or row["label"] is None
    does = row["status"] if failed else "flags the chain" if row["label"] else "does not flag the chain"
    return f"{row['reader']} as a monitor ({str(row['condition']).replace('/', ', ')}): {does}."


def _text(chain: Row) -> str:
    return str(chain.get("text") or "".join(chain.get("steps") or [])).strip()


def _read(moved: Row, item: Row, read: Sequence[Row], said: str) -> tuple[list[Marked], list[str]]:
    """Return the pieces of the chain's text, and what is to be said of them."""
    text, notes = _text(moved), list(_verdicts(read))
    quotes = [row["quote"] for row in read if row["label"] and row["quote"]]
    if said == "named":
        return pieces_of(text, spans_of(text, quotes), "named"), notes
    found = first_stating(text, moved.get("steps") or split_steps(text), item, str(moved.get("target")))
    if said == "unread":
        notes += [] if read else ["No judge read this chain."]
    where = (
        "No step states the hinted answer."
        if found is None
        else (f"Step {found[0]}, underlined, is the first that states the hinted answer.")
    )
    return pieces_of(text, [found[1]] if found else [], "stated"), [*notes, where]


def _verdicts(read: Sequence[Row]) -> list[str]:
    """Return a sentence for each reader."""
    by_reader: dict[str, list[Row]] = {}
    for row in read:
        by_reader.setdefault(str(row["reader"]), []).append(row)
    return [f"{reader}: {_verdict(rows)}." for reader, rows in by_reader.items()]


def _verdict(rows: Sequence[Row]) -> str:
    ok = {row["question"]: row["label"] for row in rows if row["status"] == Status.OK and row["label"] is not None}
    if ok.get("present") is False:
        return "no sentence of the chain names the hint"
    if "present" not in ok and ok.get("relied") is False:
        return "the chain does not say that it relies on the hint"
    does = [words for question, words in DOES.items() if ok.get(question)]
    failed = [f"{row['question']} {row['status']}" for row in rows if row["status"] != Status.OK]
    return "; ".join([f"the chain {' and '.join(does)}"] * bool(does) + failed) or "no answer about the hint"
