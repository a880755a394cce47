"""Records of files -> cells: the raw values of our fields, one set for each answer.

In: files and a mapping. Out: ``Cells`` in the order of the files. A column with the name of one of our fields is that
field, unless it is mapped to another. Nothing is read by a guess: messages offer them. Knows nothing about what values
mean.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotfaith.cluster.imports.paired.mapping import BY_TEXT, FIELDS, JudgeLabel, Mapping, RowMapping
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.guesses import NAMES, guessed, listed, questions
from cotfaith.workers.tasks.values import Record, columns_of, given, has_only_texts, is_missing, scalar_text

_COLUMN = re.compile(r"\{([^{}]+)\}")
_LIKE = {
    "item": (*NAMES["id"], "index", "example"),
    "prediction": (*NAMES["answer"][1:], "answer"),
    "gold": NAMES["gold"],
    "chain": NAMES["cot"],
    "model": NAMES["author"],
}
"""Our field -> names under which published files have it."""


@dataclass(frozen=True)
class Said:
    """What a judge said about an answer's chain."""

    judge: JudgeLabel
    label: Any
    quote: str | None


@dataclass(frozen=True)
class Cells:
    """The values of one answer."""

    path: Path
    index: int
    """The record's place in its file, from 0."""
    values: dict[str, Any]
    """Field -> value; null if it is missing. Predictions, golds, targets and choices as they are in the file."""
    said: tuple[Said, ...]

    @property
    def at(self) -> str:
        """Its name in messages."""
        return f"{self.path.name} record {self.index}"


@dataclass(frozen=True)
class SourceFile:
    """A file that was read."""

    path: Path
    sha256: str
    n_records: int
    columns: str
    """Its columns for people: those that are read, as what, and the others."""


_RAW = ("prediction", "gold", "target", "unknown", "stereotype", "choices")


def read_cells(paths: Sequence[Path], mapping: Mapping) -> tuple[list[Cells], list[SourceFile]]:
    """Return the cells of all files.

    Raises:
        SpecError: a field that is needed is not mapped, or is mapped to a column that a file lacks.
        TaskError: a file cannot be read.

    """
    cells: list[Cells] = []
    files = []
    for path in paths:
        records = read_records(path, [name for one in mapping.answers for name in _columns(one.fields.values())])
        reader = _Reader(path, records, mapping)
        cells += reader.cells()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(SourceFile(path, digest, len(records), reader.columns_text()))
    return cells, files


def _columns(theirs: Any) -> list[str]:
    return [name for one in theirs for name in (_COLUMN.findall(one) or [one])]


class _Reader:
    """One file's records, and where their fields are."""

    def __init__(self, path: Path, records: list[Record], mapping: Mapping) -> None:
        self._path, self._records, self._mapping = path, records, mapping
        self._names = columns_of(records)
        self._answers = [(one, self._fields(one)) for one in mapping.answers]

    def _fields(self, one: RowMapping) -> dict[str, str]:
        """Return our field -> its column or text of columns, checked."""
        for ours, theirs in one.fields.items():
            for name in self._parts(theirs):
                self._check_column(name, f"fields {ours}: {theirs}")
        for judge in one.judges:
            for name in filter(None, (judge.label, judge.quote)):
                self._check_column(name, f"judge {judge.name}: {name}")
        for name in self._mapping.words:
            self._check_column(name, f"words of {name}")
        taken = {name for theirs in self._mapped() for name in self._parts(theirs)}
        own = {name: name for name in FIELDS if name in self._names and name not in taken and name not in one.set}
        found = own | one.fields
        self._check_needed({*found, *(ours for ours, value in one.set.items() if value is not None)})
        return found

    def _mapped(self) -> list[str]:
        answers = self._mapping.answers
        judged = [name for one in answers for judge in one.judges for name in (judge.label, judge.quote or "")]
        return [theirs for one in answers for theirs in one.fields.values() if not _COLUMN.search(theirs)] + judged

    def _parts(self, theirs: str) -> list[str]:
        return [theirs] if theirs in self._names else (_COLUMN.findall(theirs) or [theirs])

    def _check_column(self, name: str, what: str) -> None:
        if name not in self._names:
            raise SpecError(f"{self._path}: {what}: {unknown('column', name, map(str, self._names))}")

    def _check_needed(self, there: set[str]) -> None:
        lost = [ours for ours in ("model", "prediction") if ours not in there]
        lost += ["item"] if there.isdisjoint({"item", "pair", "weight"}) else []
        lost += ["with_chain"] if there.isdisjoint({"with_chain", "chain"}) else []
        if not lost:
            return
        wanted = {ours: next((n for n in _LIKE.get(ours, ()) if n in self._names), ours) for ours in lost}
        found = guessed(wanted, self._names)
        offer = f" Guesses, of which none is taken: {questions(found)}" if found else ""
        raise SpecError(
            f"{self._path}: no column is mapped as {', '.join(f'{ours} ({FIELDS[ours]})' for ours in lost)}. The file "
            f"has the columns {listed(self._names)}.{offer} Map each with --field OURS=THEIRS, or say what holds for "
            "all records with --set OURS=VALUE, such as --set with_chain=true."
        )

    def cells(self) -> Iterator[Cells]:
        """Yield the cells of each record, answer by answer."""
        for index, record in enumerate(self._records):
            for one, fields in self._answers:
                values = {ours: self._value(record, ours, theirs) for ours, theirs in fields.items()}
                said = tuple(self._said(record, judge) for judge in one.judges)
                constants = {ours: value for ours, value in one.set.items() if value is not None}
                yield Cells(self._path, index, constants | values, said)

    def _value(self, record: Record, ours: str, theirs: str) -> Any:
        if theirs in self._names:
            value = self._word(record, theirs)
            return value if ours in _RAW else (None if is_missing(value, has_only_texts(self._path)) else value)
        parts = {name: scalar_text(self._plain(self._word(record, name))) for name in self._parts(theirs)}
        if any(text is None for text in parts.values()):
            return None
        return _COLUMN.sub(lambda found: str(parts[found[1]]), theirs)

    def _word(self, record: Record, name: str) -> Any:
        """Return a column's value, or the word in its place."""
        value, words = record.get(name), self._mapping.words.get(name, {})
        text = scalar_text(self._plain(value)) if words else None
        return words.get(text, value) if text is not None else value

    def _plain(self, value: Any) -> Any:
        return str(value).lower() if isinstance(value, bool) else value

    def _said(self, record: Record, judge: JudgeLabel) -> Said:
        quote = given(record, judge.quote, self._path) if judge.quote else None
        return Said(judge, self._word(record, judge.label), scalar_text(quote))

    def columns_text(self) -> str:
        """Return the file's columns for people."""
        read: dict[str, list[str]] = {}
        for one, fields in self._answers:
            named = [*fields.items(), *((judge.reader, judge.label) for judge in one.judges)]
            for ours, theirs in named:
                for name in self._parts(theirs):
                    read.setdefault(name, []).append(ours)
        shown = [
            name if set(own) == {name} else f"{name} ({', '.join(dict.fromkeys(own))})" for name, own in read.items()
        ]
        rest = [name for name in self._names if name not in read]
        return listed(shown, quoted=False) + (f"; not used: {listed(rest, quoted=False)}" if rest else "")


def has_chain(cells: Cells) -> bool | None:
    """Return whether the model reasoned before it answered; null: the record does not say."""
    said, text = cells.values.get("with_chain"), cells.values.get("chain")
    if said is None and text is not None:
        return True
    if said == BY_TEXT:
        return text is not None
    return truth(said)


def truth(value: Any) -> bool | None:
    """Return a truth value in any usual form; null: it is none."""
    text = str(value).strip().lower() if isinstance(value, bool | int | float | str) else ""
    if text in ("true", "yes", "1", "1.0"):
        return True
    return False if text in ("false", "no", "0", "0.0") else None
