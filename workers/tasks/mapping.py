"""A mapped task's fields against its file's columns: what cannot be right is refused before any value is read.

In: the task, the file and its records. Out: nothing, or an error that lists the file's columns, and offers guesses.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.spec import TaskSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.tasks.choice_columns import choice_columns
from cotfaith.workers.tasks.guesses import guessed, listed, questions, written
from cotfaith.workers.tasks.values import Record, columns_of, where

OURS = ("id", "question", "choices", "gold", "difficulty", "pair", "side", "group", "unknown", "stereotype")


def several(name: str, known: Collection[str]) -> list[str]:
    """Return the columns that a mapping names: one, or several that are separated by commas."""
    return [name] if name in known else [part.strip() for part in name.split(",")]


def check_fields(spec: TaskSpec, path: Path, records: Sequence[Record]) -> None:
    """Refuse fields that are unknown, lacking, or mapped to columns that no record has.

    Raises:
        SpecError: a field is not one of ours, one that is needed is not mapped, or a column is mapped twice.
        TaskError: no record has a column.

    """
    mapping = _Mapping(spec, path, records)
    for ours in spec.fields:
        if ours not in OURS:
            raise SpecError(f"task {spec.name!r}, fields: {unknown('field', ours, OURS)}")
    for ours in ("question", "gold"):
        mapping.check_has(ours, f"fields must name the column with the {ours}: {ours}: <column>")
    if {"pair", "side"} & set(spec.fields):
        for ours in ("pair", "side"):
            mapping.check_has(ours, f"pairs need both fields, pair and side: {ours}: <column>")
    if spec.answer_format == "choice":
        mapping.check_has("choices", "answer_format choice needs a column for choices in fields")
    for ours in spec.fields:
        mapping.check_columns(ours)


@dataclass(frozen=True)
class _Mapping:
    """A task's fields and its file's records."""

    spec: TaskSpec
    path: Path
    records: Sequence[Record]

    @cached_property
    def names(self) -> list[str]:
        return columns_of(self.records)

    def columns(self, ours: str) -> list[str]:
        return several(self.spec.fields[ours], self.names)

    def check_has(self, ours: str, problem: str) -> None:
        if ours not in self.spec.fields:
            at = f"task {self.spec.name!r}: {problem}. {self.path} has the columns {listed(self.names)}."
            raise SpecError(at + self._advice())

    def check_columns(self, ours: str) -> None:
        columns, own = self.columns(ours), list(self.records[0])
        if len(set(columns)) < len(columns):
            at = f"task {self.spec.name!r}, fields: {ours} names a column twice"
            raise SpecError(f"{at}: {', '.join(columns)}. Remove one.")
        lost = [column for column in columns if column not in self.names]
        if lost:
            more = "" if len(own) == len(self.names) else f" The file has the columns {listed(self.names)}."
            raise TaskError(
                f"{where(self.path, 0)}: field {lost[0]!r} is missing; the record has {listed(own, quoted=False)}. "
                f"No record has it, and {ours} is mapped to it.{more}{self._advice()} Fix fields, or the file."
            )

    def _advice(self) -> str:
        """Return guesses for the fields that are lacking or wrong, and the fields to write if the guesses are right."""
        fields, names = self.spec.fields, set(self.names)
        right: dict[str, str | list[str]] = {ours: cs for ours in fields if set(cs := self.columns(ours)) <= names}
        wanted = {ours: fields.get(ours, ours) for ours in ("question", "gold", *fields) if ours not in right}
        taken = [column for columns in right.values() for column in columns]
        may_be_closed = "choices" not in right and self.spec.answer_format in (None, "choice")
        choices = choice_columns(self.records, taken) if may_be_closed else []
        single = {ours: wrote for ours, wrote in wanted.items() if ours != "choices"}
        found: dict[str, str | list[str]] = dict(guessed(single, self.names, [*taken, *choices]))
        found |= {"choices": choices} if choices else {}
        return f" Guesses: {questions(found)}{_line(right | found, wanted)}" if found else ""


def _line(fields: Mapping[str, str | list[str]], wanted: Collection[str]) -> str:
    if not set(wanted) <= fields.keys():
        return ""
    ordered = [f"{ours}: {written(fields[ours])}" for ours in OURS if ours in fields]
    return f" If they are right, write fields: {{{', '.join(ordered)}}}."
