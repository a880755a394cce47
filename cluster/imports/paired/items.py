"""The items that paired records are about: each is the same question, gold and choices in all its records.

An item with a side has its side in its id, and without a pair it is the pair's name: two contexts of a question are two
items. A record with a weight and without an item is an item of its own.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cotfaith.cluster.imports.paired.answers import Answers, choices_of, is_no_answer
from cotfaith.cluster.imports.paired.cells import Cells
from cotfaith.cluster.imports.paired.fields import Fields
from cotfaith.cluster.imports.paired.problems import Problems
from cotfaith.schemas.records import CHOICE_LABELS, AnswerFormat
from cotfaith.workers.tasks.choices import Choices
from cotfaith.workers.text.canonical import decimal_number

Key = tuple[str, str]
"""Task and item's id."""
TASK = "paired"
"""The task's name if none is mapped."""
_COUNT = re.compile(r"\d{1,9}(?:\.0+)?")
_FACTS = ("gold", "choices", "question", "pair", "side", "group", "unknown", "stereotype", "difficulty", "weight")
_WAYS = {
    "question": "A prompt that differs between variants is mapped as prompt, not as question",
    "weight": "A count is one item under all its variants: give each item one weight",
}
_OTHER = "If these are several contexts of one question, map side; else give each item its own id"


@dataclass(frozen=True)
class PairedItem:
    """What is known of an item."""

    task: str
    id: str
    answer_format: AnswerFormat
    gold: str | None = None
    """Canonical; null: it is not known."""
    choices: Choices | None = None
    """Texts are empty if only their number is known; null: not even that."""
    question: str | None = None
    pair: str | None = None
    side: str | None = None
    group: str | None = None
    unknown: str | None = None
    """Canonical answer that says that the question cannot be decided."""
    stereotype: str | None = None
    """Canonical answer that a stereotype suggests."""
    difficulty: float | None = None
    weight: int | None = None
    """How many alike items it stands for; null: it is one."""

    @property
    def key(self) -> Key:
        """Its name among all items."""
        return self.task, self.id


class Items:
    """All items, in the order in which they first occur."""

    def __init__(self) -> None:
        self._found: dict[Key, PairedItem] = {}
        self._first: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, key: Key) -> PairedItem:
        return self._found[key]

    def add(self, item: PairedItem, at: str, problems: Problems) -> None:
        """Add what a record says of an item; what contradicts another record is noted."""
        known = self._found.setdefault(item.key, item)
        self._first.setdefault(item.key, at)
        news = {}
        for name in _FACTS:
            old, new = getattr(known, name), getattr(item, name)
            if old is None and new is not None:
                news[name] = new
            elif new is not None and new != old:
                places = f"{item.id!r} in {at} and {self._first[item.key]}"
                problems.add(f"an item has another {name} than before", places, _WAYS.get(name, _OTHER))
        if news:
            self._found[item.key] = replace(known, **news)

    def check(self, problems: Problems) -> None:
        """Note golds that the item's choices lack, and pairs with more than two sides."""
        for item in self._found.values():
            if item.gold and item.choices and CHOICE_LABELS.index(item.gold) >= len(item.choices.texts):
                problems.add("a gold is none of the choices", f"{item.id!r}: {item.gold}", "Fix the records")
        for group in self.together():
            if len(group) > 2:
                sides = ", ".join(str(item.side) for item in group[:4])
                problems.add(
                    "a pair has more than two sides",
                    f"{group[0].pair!r}: {sides}",
                    "Give each two items that are compared a pair of their own; or leave pair and side out, and map "
                    'item as "{question}-{context}" and the question as group',
                )

    def together(self) -> list[list[PairedItem]]:
        """Return the items of each pair, and each other item alone."""
        found: dict[tuple[str, str, str], list[PairedItem]] = {}
        for item in self._found.values():
            kind, name = ("item", item.id) if item.pair is None else ("pair", item.pair)
            found.setdefault((item.task, kind, name), []).append(item)
        return list(found.values())


def read_items(cells: Sequence[Cells], answers: Answers, problems: Problems) -> tuple[Items, list[Key | None]]:
    """Return all items, and the item of each of ``cells``; None if it could not be read, which is then noted."""
    items, keys = Items(), list[Key | None]()
    for one in cells:
        item = _read(Fields(one, problems), answers)
        keys.append(None if item is None else item.key)
        if item is not None:
            items.add(item, one.at, problems)
    items.check(problems)
    return items, keys


def _read(fields: Fields, answers: Answers) -> PairedItem | None:
    cells, pair, side = fields.cells, fields.word("pair"), fields.word("side")
    weight, name = _weight(fields), fields.word("item") or pair
    if name is None and weight is not None:
        name = f"{cells.path.name}-{cells.index:06d}"
    if name is None:
        fields.problem("item is missing", "Fill it, or map pair and side")
    if side is not None and weight is not None:
        fields.problem(
            "a side of a pair has a weight", "Counts of pairs cannot be read: give each pair records of its own"
        )
    if pair is not None and side is None:
        fields.problem("a pair has no side", "Map side: which of the pair's two items it is")
    choices = _choices(fields, answers)
    made = PairedItem(
        task=fields.name("task") if "task" in cells.values else TASK,
        id=f"{name}/{side}" if side else name or "",
        answer_format=answers.answer_format,
        gold=_answer(fields, "gold", answers, choices),
        choices=choices,
        question=fields.text("question"),
        pair=(pair or name) if side else pair,
        side=side,
        group=fields.word("group"),
        unknown=_answer(fields, "unknown", answers, choices),
        stereotype=_answer(fields, "stereotype", answers, choices),
        difficulty=_difficulty(fields),
        weight=weight,
    )
    return made if fields.sound else None


def _choices(fields: Fields, answers: Answers) -> Choices | None:
    try:
        return choices_of(fields.cells) if answers.answer_format == "choice" else None
    except ValueError as error:
        fields.problem(str(error), "Fix the records, or map another column")
        return None


def _answer(fields: Fields, name: str, answers: Answers, choices: Choices | None) -> str | None:
    """Return a canonical answer; None: no column is mapped, it cannot be read, or the item has none (not for golds)."""
    value = fields.cells.values.get(name)
    if name not in fields.cells.values or (name != "gold" and is_no_answer(value)) or not fields.sound:
        return None
    found = answers.read(value, choices)
    if found is None:
        what = "grade nothing" if name == "gold" else "leave it out"
        fields.problem(
            f"{name} {value!r} is none of the possible answers{answers.listed(choices)}",
            f"Fix the records, say with --gold-is how answers are written, or {what}: --set {name}=null",
        )
    return found


def _weight(fields: Fields) -> int | None:
    text = fields.word("weight")
    if text is not None and not _COUNT.fullmatch(text):
        fields.problem(
            f"weight {text!r} is not a count",
            "Weights are whole numbers of alike records; shares and sampling weights are none. Give counts, or leave "
            "weights out: --set weight=null",
        )
        return None
    return None if text is None else int(float(text))


def _difficulty(fields: Fields) -> float | None:
    text = fields.word("difficulty")
    number = None if text is None else decimal_number(text)
    if text is not None and (number is None or not math.isfinite(float(number))):
        fields.problem(f"difficulty {text!r} is no number", "Map another column, or none: --set difficulty=null")
        return None
    return None if number is None else float(number)
