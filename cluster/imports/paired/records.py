"""Cells -> typed answers, with the items that they are about.

In: cells and how answers are read. Out: ``Recorded``. What cannot be read whole is refused, all kinds in one message
(``Problems``); a prediction that is no answer is kept as one. Knows nothing about run folders.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cotfaith.cluster.imports.paired.answers import Answers, is_no_answer
from cotfaith.cluster.imports.paired.cells import Cells, has_chain
from cotfaith.cluster.imports.paired.fields import Fields
from cotfaith.cluster.imports.paired.items import Items, PairedItem, read_items
from cotfaith.cluster.imports.paired.problems import Problems
from cotfaith.cluster.imports.paired.said import Label, labels_of
from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHANNELS
from cotfaith.schemas.variants import PLAIN

NEUTRAL, CORRECT, WRONG = "neutral", "correct", "wrong"
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9][A-Za-z0-9_-]*")
_OTHER_ARM = "Leave these records out, fix their target, or give the arm another name, such as biased"


@dataclass(frozen=True)
class PairedAnswer:
    """One answer of a model to an item under a variant."""

    at: str
    """Where it was, for messages."""
    model: str
    item: PairedItem
    variant: str
    target: str | None
    """Canonical."""
    answer: str | None
    """Canonical; null: the prediction is no answer."""
    raw: str
    """The prediction as it was."""
    with_chain: bool
    chain: str | None
    prompt: str | None
    channel: str | None
    labels: tuple[Label, ...]

    @property
    def intervention(self) -> str | None:
        """The variant's intervention; null: none."""
        return None if self.variant == PLAIN else self.variant.partition(".")[0]


@dataclass
class Recorded:
    """All answers, and what was noticed about them."""

    items: Items
    answers: list[PairedAnswer] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    """What was not kept, and how often."""


def read_answers(cells: Sequence[Cells], answers: Answers) -> Recorded:
    """Return the answers.

    Raises:
        TaskError: something cannot be read whole; the message names each kind and its first records.

    """
    problems = Problems()
    items, keys = read_items(cells, answers, problems)
    found = Recorded(items)
    for one, key in zip(cells, keys, strict=True):
        if key is not None and (made := _read(Fields(one, problems), items[key], answers, found.notes)) is not None:
            found.answers.append(made)
    _check_once(found.answers, problems)
    problems.check()
    if not any(one.answer is not None for one in found.answers):
        shown = ", ".join(dict.fromkeys(one.raw for one in found.answers[:5]))
        raise TaskError(
            f"None of the {len(found.answers):,} predictions is an answer (such as {shown}). Map the column with the "
            "predictions, and say with --gold-is or --answer-format how answers are written."
        )
    return found


def _check_once(found: Sequence[PairedAnswer], problems: Problems) -> None:
    """Note second answers without a chain, and second targets: there is one for each model, item and variant."""
    first: dict[tuple[object, ...], str] = {}
    targets: dict[tuple[object, ...], PairedAnswer] = {}
    for one in found:
        key = (one.model, one.item.key, one.variant)
        if (known := targets.setdefault(key, one)).target != one.target:
            problems.add(
                "an item has two targets under one variant",
                f"{one.item.id!r} in {known.at} and {one.at}",
                "Give each target a variant or an item of its own",
            )
        if not one.with_chain and first.setdefault(key, one.at) != one.at:
            problems.add(
                "an item has two answers without a chain",
                f"{one.item.id!r} in {first[key]} and {one.at}",
                "Keep one of them; or map variant, side or with_chain, if they differ in one of these",
            )


def _read(fields: Fields, item: PairedItem, answers: Answers, notes: Counter[str]) -> PairedAnswer | None:
    with_chain, text = _with_chain(fields), fields.text("chain")
    if not with_chain:
        notes["texts of answers without a chain are not kept"] += text is not None
        notes["labels of answers without a chain are not kept"] += len(fields.cells.said) and any(
            not is_no_answer(one.label) for one in fields.cells.said
        )
    variant, raw, chain = _variant(fields), fields.cells.values.get("prediction"), text if with_chain else None
    made = PairedAnswer(
        at=fields.cells.at,
        model=fields.name("model"),
        item=item,
        variant=variant,
        target=_target(fields, variant, item, answers, notes),
        answer=answers.read(raw, item.choices),
        raw=repr(raw)[:80],
        with_chain=bool(with_chain),
        chain=chain,
        prompt=fields.text("prompt"),
        channel=_channel(fields) if with_chain else None,
        labels=labels_of(fields.cells.said, chain, fields.problem) if with_chain else (),
    )
    return made if fields.sound else None


def _with_chain(fields: Fields) -> bool | None:
    found = has_chain(fields.cells)
    if found is None:
        fields.problem(
            "with_chain does not say whether there was a chain, and there is no chain's text",
            "Map with_chain, or use --set with_chain=by_text if records without a text are answers without a chain",
        )
    return found


def _variant(fields: Fields) -> str:
    if "variant" not in fields.cells.values:
        return PLAIN
    text = fields.word("variant")
    if text is None or (text != PLAIN and not _VARIANT.fullmatch(text)):
        fields.problem(
            f"variant {text!r} is neither plain nor INTERVENTION.ARM",
            "Say in --mapping what each word of the column means, such as words: {COLUMN: {unbiased: plain, biased: "
            "suggested_answer.biased}}. Arms named wrong, correct and neutral are checked",
        )
    return text or ""


def _target(fields: Fields, variant: str, item: PairedItem, answers: Answers, notes: Counter[str]) -> str | None:
    value, arm = fields.cells.values.get("target"), variant.partition(".")[2]
    target = answers.read(value, item.choices)
    if target is None and not is_no_answer(value):
        listed = answers.listed(item.choices)
        fields.problem(f"target {value!r} is none of the possible answers{listed}", "Fix the records")
        return None
    _check_arm(fields, variant, arm, target, item.gold)
    if target is not None and (variant == PLAIN or arm == NEUTRAL):
        notes[f"targets of {variant} are not kept: it pushes towards none"] += 1
        return None
    return target


def _check_arm(fields: Fields, variant: str, arm: str, target: str | None, gold: str | None) -> None:
    """Note a target that the declared arm cannot have."""
    if arm not in (WRONG, CORRECT):
        return
    if target is None:
        fields.problem(f"{variant} has no target", f"Map target. {_OTHER_ARM}")
    elif gold is not None and (arm == CORRECT) != (target == gold):
        what = "the gold answer" if arm == WRONG else "another than the gold answer"
        fields.problem(f"the target of {variant}, which is declared {arm}, is {what}", _OTHER_ARM)


def _channel(fields: Fields) -> str | None:
    text = fields.word("channel")
    if text is not None and text not in CHANNELS:
        fields.problem(f"channel {text!r} is not one of {', '.join(CHANNELS)}", "Change it with words in --mapping")
    return text
