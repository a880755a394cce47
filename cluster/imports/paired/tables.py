"""Paired answers -> rows of a run's tables.

An answer with a chain is a row of CHAINS, one without is an observation of the probe ``no_cot``, a judge's label is one
of the probe ``verbalises``. What the records do not say is null: the question, the prompt, the chain's text, the gold.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.imports.paired.items import PairedItem
from cotfaith.cluster.imports.paired.records import PairedAnswer
from cotfaith.cluster.imports.paired.said import Label
from cotfaith.schemas.records import Answer, Chain
from cotfaith.schemas.status import Status
from cotfaith.workers.text.steps import split_steps

Row = dict[str, Any]
STRATEGY = "cot"
WITHOUT = "no_cot"
"""The probe whose rows are answers without a chain."""
LABELS = "verbalises"
"""The probe whose rows are judges' labels."""
JUDGE, HUMAN = "judge", "human"
"""Roles of readers."""
_UNIT = "sentence"


@dataclass(frozen=True)
class RecordedChain:
    """An answer with a chain, and which of its item's it is, from 0."""

    answer: PairedAnswer
    index: int
    steps: tuple[str, ...]
    """Empty if the text is not known."""

    @classmethod
    def of(cls, answer: PairedAnswer, index: int) -> "RecordedChain":
        """Return it with its steps."""
        return cls(answer, index, split_steps(answer.chain) if answer.chain else ())

    @property
    def chain(self) -> Chain:
        """What probes would see of it."""
        one = self.answer
        answer = Answer(Status(_status(one)), one.answer)
        return Chain(
            item_id=one.item.id,
            index=self.index,
            text=one.chain or "",
            steps=self.steps,
            answer=answer,
            status=answer.status,
            n_tokens=None,
            finish_reason="supplied",
            seed=None,
            strategy=STRATEGY,
            variant=one.variant,
        )

    def row(self) -> Row:
        """Return its row of CHAINS, without the key."""
        one, known = self.answer, self.answer.chain is not None
        return _answer_row(one) | {
            "chain_index": self.index,
            "prompt": one.prompt,
            "text": one.chain,
            "steps": list(self.steps) if known else None,
            "n_steps": len(self.steps) if known else None,
            "step_unit": _UNIT,
            "finish_reason": "supplied",
            "answer_status": _status(one),
        }

    def label_rows(self) -> Iterator[tuple[str, Row]]:
        """Yield the reader and the row of OBSERVATIONS, without the key, of each label."""
        for label in self.answer.labels:
            yield label.judge.reader, self._label_row(label)

    def _label_row(self, label: Label) -> Row:
        one = self.answer
        failed = label.value is None
        about = {name: value for name, value in _answer_row(one).items() if name not in ("answer", "correct")}
        return about | {
            "chain_index": self.index,
            "probe": LABELS,
            "arm": label.judge.question,
            "n_steps": None if one.chain is None else len(self.steps),
            "reader": label.judge.reader,
            "reader_role": HUMAN if label.judge.human else JUDGE,
            "question": label.judge.question,
            "label": label.value,
            "quote": label.quote,
            "quote_found": label.quote_found,
            "text_hash": None if one.chain is None else hashlib.sha256(one.chain.encode()).hexdigest(),
            "status": Status.UNPARSED.value if failed else Status.OK.value,
            "error": f"the label {label.raw} is neither yes nor no" if failed else None,
            "reference_answer": one.answer,
        }


def without_chain_row(one: PairedAnswer) -> Row:
    """Return the row of OBSERVATIONS, without the key, of an answer without a chain."""
    return _answer_row(one) | {"probe": WITHOUT, "arm": WITHOUT, "position": 0.0}


def item_row(item: PairedItem) -> Row:
    """Return the row of ITEMS, without the key."""
    return {
        "question": item.question,
        "choices": None if item.choices is None else list(item.choices.texts),
        "answer_format": item.answer_format,
        "gold": item.gold,
        "difficulty": item.difficulty,
        "pair": item.pair,
        "side": item.side,
        "group": item.group,
        "unknown": item.unknown,
        "stereotype": item.stereotype,
        "weight": item.weight,
    }


def indexed(answers: Sequence[PairedAnswer]) -> list[RecordedChain]:
    """Return the answers with a chain; those of an item under one variant are numbered in their order."""
    seen: dict[tuple[object, ...], int] = {}
    found = []
    for one in answers:
        if one.with_chain:
            key = (one.model, one.item.key, one.variant)
            seen[key] = seen.get(key, -1) + 1
            found.append(RecordedChain.of(one, seen[key]))
    return found


def _status(one: PairedAnswer) -> str:
    return (Status.UNPARSED if one.answer is None else Status.OK).value


def _answer_row(one: PairedAnswer) -> Row:
    known = one.answer is not None and one.item.gold is not None
    return {
        "strategy": STRATEGY,
        "status": _status(one),
        "error": f"the prediction {one.raw} is none of the possible answers" if one.answer is None else None,
        "answer": one.answer,
        "correct": one.answer == one.item.gold if known else None,
        "variant": one.variant,
        "intervention": one.intervention,
        "target": one.target,
        "channel": one.channel,
    }
