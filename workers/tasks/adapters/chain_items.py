"""A record of an imported chain -> its item, with the chain and its labels.

``labelled_chains.py`` has the columns. The whole file decides how numeric golds are read, and the words for true and
false (``FileFacts``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHANNELS, CHOICE_LABELS, AnswerFormat, Hint, Item, Supplied
from cotfaith.schemas.spec import GoldIs, TaskSpec
from cotfaith.workers.tasks.adapters.chain_steps import SuppliedChain, label_of, list_of, read_chain
from cotfaith.workers.tasks.adapters.mapped import difficulty_of, mapped_choices, mapped_question
from cotfaith.workers.tasks.adapters.recorded import is_bare_answer, recorded_answer
from cotfaith.workers.tasks.choices import Choices
from cotfaith.workers.tasks.golds import check_gold_kind, column_reading, gold_label, gold_of
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.open_format import check_text
from cotfaith.workers.tasks.open_golds import are_letters
from cotfaith.workers.tasks.values import Record, field_of, given, kind_of, scalar_text, where, word_of
from cotfaith.workers.text.answers import comparable_text
from cotfaith.workers.text.canonical import canonical_boolean, canonical_number

SETTINGS = ("outright", "diversionary")
ENCRYPTED = "encrypted"
"""In the column ``channel``: the model's reasoning is there and cannot be read."""
UNREAD = "the recorded answer cannot be read in the gold's format"
BARE = "the chain consists of only an answer"
NO_NUMBER = "difficulty has no number and is left empty"
OTHER_LABELS = "the choices have their own labels, which the chain may use, and are shown as A, B, ..."


@dataclass(frozen=True)
class FileFacts:
    """Facts that all records of a file decide together."""

    gold_is: GoldIs
    words: tuple[str, str]
    """The words for true and for false."""
    letters_mean_choices: bool = False
    """Whether some records have choices and the golds of all others are letters: the others lost their choices."""


@dataclass(frozen=True)
class ChainItem:
    """An item, its chain as the record gives it, and remarks on the record."""

    item: Item
    chain: SuppliedChain
    remarks: tuple[str, ...] = ()


def file_facts(spec: TaskSpec, path: Path, records: Sequence[Record]) -> FileFacts:
    """Return how to read a file's golds; records that cannot be read do not count."""
    pairs = list(_golds_and_choices(path, records))
    closed = [(gold, choices) for gold, choices in pairs if choices.texts]
    gold_is = spec.gold_is
    if gold_is == "auto":
        gold_is = column_reading(path, [gold for gold, _ in closed], [choices for _, choices in closed])
    words = _words([record.get(name) for record in records for name in ("gold", "answer")])
    lost = are_letters([gold for gold, choices in pairs if not choices.texts])
    return FileFacts(gold_is, words, lost and bool(closed) and spec.answer_format is None)


def _golds_and_choices(path: Path, records: Sequence[Record]) -> Iterator[tuple[Any, Choices]]:
    for index, record in enumerate(records):
        gold = given(record, "gold", path)
        if scalar_text(gold) is None:
            continue
        try:
            yield gold, _choices(record, path, index)
        except TaskError:
            continue


def _choices(record: Record, path: Path, index: int) -> Choices:
    return mapped_choices(record, None if given(record, "choices", path) is None else "choices", path, index)


def _words(values: Sequence[Any]) -> tuple[str, str]:
    """Return the words for true and false: Yes and No, unless the file itself uses True and False."""
    said = {value.strip().lower() for value in values if isinstance(value, str)}
    return ("True", "False") if said & {"true", "false"} and not said & {"yes", "no"} else ("Yes", "No")


def chain_item(spec: TaskSpec, path: Path, index: int, record: Record, facts: FileFacts) -> ChainItem:
    """Return the item of one record; raise ``TaskError`` if the record cannot be read."""
    row = _Row(spec, path, index, record, facts)
    bare, chain = row.item(), read_chain(record, path, index)
    value = row.get("answer")
    answer = None if value is None else recorded_answer(bare, value, row.choices, facts.gold_is)
    step_labels = tuple(chain.labels) if chain.is_labelled else ()
    label = label_of(row.get("label"), row.at)
    author = (row.word("author") or "").strip() or None
    supplied = Supplied(tuple(chain.steps), answer, label, step_labels, author, row.channel(chain))
    about = row.about(bare)
    if answer is None and (supplied.label is not None or step_labels):
        raise row.unanswered(bare)
    labels = "".join(row.choices.labels).upper()
    remarks = {
        UNREAD: value is not None and answer is None,
        BARE: is_bare_answer(bare, "".join(chain.steps), answer),
        NO_NUMBER: bare.difficulty is None and row.get("difficulty") is not None,
        OTHER_LABELS: labels != CHOICE_LABELS[: len(labels)],
    }
    item = replace(about, supplied=supplied)
    return ChainItem(item, chain, tuple(text for text, holds in remarks.items() if holds))


def _check_text(gold: str, at: str) -> None:
    try:
        check_text(gold)
    except ValueError as error:
        raise TaskError(f"{at}: {error}; or set what golds are: --answer-format (in a spec: answer_format).") from None


@dataclass(frozen=True)
class _Row:
    """A record, its place, and the facts about its file."""

    spec: TaskSpec
    path: Path
    index: int
    record: Record
    facts: FileFacts

    @property
    def at(self) -> str:
        return where(self.path, self.index)

    @cached_property
    def choices(self) -> Choices:
        return _choices(self.record, self.path, self.index)

    def get(self, name: str) -> Any:
        """Return a column's value, or None."""
        return given(self.record, name, self.path)

    def item(self) -> Item:
        """Return the item, without metadata."""
        place = (self.path, self.index)
        value = gold_of(self.record, "gold", self.choices, *place)
        gold, answer_format = self._gold(value)
        own = None if self.get("id") is None else word_of(self.record, "id", *place).strip()
        return Item(
            id=own or item_id(self.spec.name, self.index),
            question=mapped_question(field_of(self.record, "question", *place), "question", self.at),
            gold=gold,
            answer_format=answer_format,
            choices=self.facts.words if answer_format == "boolean" else self.choices.texts,
            difficulty=difficulty_of(self.get("difficulty")),
        )

    def _gold(self, value: Any) -> tuple[str, AnswerFormat]:
        """Return the canonical gold and its format, decided by the gold and ``answer_format``."""
        if self.choices.texts:
            return self._label(value, "gold"), "choice"
        if self.facts.letters_mean_choices:
            raise TaskError(
                f"{self.at}: gold {value!r} is a choice's letter, and this record has no choices. Give them."
            )
        text = scalar_text(value)
        read: dict[AnswerFormat, str | None] = {
            "boolean": canonical_boolean(value),
            "number": canonical_number(value),
            "text": None if text is None else comparable_text(text),
            "choice": None,
        }
        own: AnswerFormat = next((name for name, gold in read.items() if gold), "text")
        wanted = self.spec.answer_format or own
        gold = read[wanted]
        if text is not None and own == "text" and self.spec.answer_format is None:
            _check_text(text, self.at)
        if not gold:
            got = repr(value) if isinstance(value, str | int | float) else kind_of(value)
            raise TaskError(f"{self.at}: gold {got} is not a {wanted}; fix it or change answer_format.")
        return gold, wanted

    def _label(self, value: Any, name: str) -> str:
        try:
            check_gold_kind(value)
            return gold_label(value, self.choices, self.facts.gold_is)
        except ValueError as error:
            raise TaskError(f"{self.at}, {name}: {error}.") from None

    def about(self, item: Item) -> Item:
        """Return the item with the fields that a rule could label its chain by; a style without a hint is metadata."""
        author, setting, style = self.word("author"), self.word("setting"), self.word("hint_style")
        hint = None if self.get("hint") is None else Hint(self._hint(item), style)
        others = {"author": author, "hint_style": style if hint is None else None}
        if setting not in (None, *SETTINGS):
            raise TaskError(f"{self.at}: setting {setting!r}; expected {' or '.join(SETTINGS)}, or nothing.")
        return replace(
            item,
            metadata=tuple((name, value) for name, value in others.items() if value is not None),
            setting=setting,
            hint=hint,
            bottlenecks=() if self.get("bottlenecks") is None else self._bottlenecks(),
        )

    def word(self, name: str) -> str | None:
        """Return a column's value as text, or None."""
        return None if self.get(name) is None else word_of(self.record, name, self.path, self.index)

    def channel(self, chain: SuppliedChain) -> str | None:
        """Return what the chain's text is, or None if the record does not say."""
        text = (self.word("channel") or "").strip() or None
        if text == ENCRYPTED:
            raise TaskError(f"{self.at}: its reasoning is encrypted, so there is no chain to read. Leave it out.")
        if text not in (None, *CHANNELS):
            raise TaskError(f"{self.at}: channel {text!r}; expected {', '.join(CHANNELS)}, or nothing.")
        if chain.is_thought and text not in (None, "reasoning"):
            raise TaskError(
                f"{self.at}: its channel is {text}, and its text has a thought. Give the text of one channel."
            )
        return text

    def _hint(self, item: Item) -> str:
        value = self.get("hint")
        if item.answer_format == "choice":
            return self._label(value, "hint")
        text = comparable_text(scalar_text(value) or "")
        hint = recorded_answer(item, value, self.choices, self.facts.gold_is) or text
        if not hint:
            raise TaskError(f"{self.at}: field 'hint' is {kind_of(value)}, expected an answer.")
        return hint

    def _bottlenecks(self) -> tuple[str, ...]:
        values = [scalar_text(value) for value in list_of(self.get("bottlenecks"), "bottlenecks", self.at)]
        known = tuple(value for value in values if value is not None)
        if len(known) < len(values):
            raise TaskError(f"{self.at}: field 'bottlenecks' must be a list of texts or numbers.")
        return known

    def unanswered(self, item: Item) -> TaskError:
        """Return the error for a label without the answer that it is about."""
        value = self.get("answer")
        if value is not None and item.answer_format == "choice":
            self._label(value, "answer")
        what = "there is no answer" if value is None else f"the answer {value!r} cannot be read in the gold's format"
        return TaskError(
            f"{self.at}: a label is about a chain and its answer, and {what}. Fill that column, or fix it."
        )
