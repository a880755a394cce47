"""Labels in a file: CSV or JSON lines, for people who label elsewhere.

    text_hash     SHA-256 (hex) of the chain's text; or ``text``, the text itself
    question      present, relied, checked
    label         yes, no, cannot tell (also y, n, ?, true, false, 1, 0)
    hint_asked    the intervention; without it, the label counts under each that has this text
    probability   the inclusion probability, if it is known
    labeller, at, order   written, and not needed; ``labeller`` must not contradict

In: a file, and the texts of a run. Out: what the file says of which text, or an error that names the record: a file
with a label that cannot be used is refused whole.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from cotfaith.cluster.labelling.label import Question
from cotfaith.cluster.labelling.population import UnitKey, hash_of
from cotfaith.cluster.labelling.session import WORDS
from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.values import Record, file_kind, is_missing, where

_COLUMNS = ("question", "label")
_SAID = {
    **dict.fromkeys(("yes", "y", "true", "1"), True),
    **dict.fromkeys(("no", "n", "false", "0"), False),
    **dict.fromkeys(("cannot tell", "?"), None),
}
_EXPORTED = ("labeller", "text_hash", "question", "hint_asked", "label", "probability", "at", "order")


@dataclass(frozen=True)
class Given:
    """A record of a file, read."""

    where: str
    text_hash: str
    question: Question
    label: bool | None
    hint: str | None
    probability: float | None


def read_labels_file(path: Path, labeller: str) -> list[Given]:
    """Return the file's labels.

    Raises:
        TaskError: the file cannot be read, or a record names another labeller, no text, or an unknown word.

    """
    return [_given(record, where(path, at), labeller) for at, record in enumerate(read_records(path, _COLUMNS))]


def _given(record: Record, place: str, labeller: str) -> Given:
    by = _text(record, "labeller")
    if by is not None and by != labeller:
        raise TaskError(f"{place}: the label is by {by!r}, and --labeller is {labeller!r}. Import each person's alone.")
    return Given(
        where=place,
        text_hash=_hash(record, place),
        question=_question(record, place),
        label=_label(record, place),
        hint=_text(record, "hint_asked"),
        probability=_probability(record, place),
    )


def _text(record: Record, name: str) -> str | None:
    value = record.get(name)
    return None if is_missing(value, only_texts=True) else str(value).strip()


def _hash(record: Record, place: str) -> str:
    """Return the hash of the record's text; the text is taken as it is, with the white space around it."""
    named, text = _text(record, "text_hash"), record.get("text")
    if not isinstance(text, str) or is_missing(text):
        if named is None:
            raise TaskError(f"{place}: it has neither text_hash nor text. Add the column, or remove the record.")
        return named.lower()
    if named is not None and named.lower() != hash_of(text):
        raise TaskError(f"{place}: text_hash is not the SHA-256 of text. Remove one of the two columns.")
    return hash_of(text)


def _question(record: Record, place: str) -> Question:
    found = _text(record, "question")
    for known in get_args(Question):
        if found == known:
            return known  # type: ignore[no-any-return]
    raise TaskError(f"{place}: question is {found!r}, expected {', '.join(get_args(Question))}.")


def _label(record: Record, place: str) -> bool | None:
    value = record.get("label")
    word = str(value).strip().lower()
    if word not in _SAID:
        raise TaskError(f"{place}: label is {value!r}, expected yes, no, or: cannot tell (also ?).")
    return _SAID[word]


def _probability(record: Record, place: str) -> float | None:
    value = record.get("probability")
    if is_missing(value, only_texts=True):
        return None
    try:
        found = float(str(value))
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise TaskError(f"{place}: probability is {value!r}, expected more than 0 and at most 1, or nothing.")
    return found


def by_text(given: Sequence[Given], texts: Iterable[UnitKey], path: Path) -> dict[Question, dict[UnitKey, Given]]:
    """Return, for each question, the label of each text under each hint.

    Raises:
        TaskError: some labels are of other texts, or two are of one text and differ.

    """
    known: dict[str, list[UnitKey]] = {}
    for key in texts:
        known.setdefault(key.text_hash, []).append(key)
    meant = [(one, [key for key in known.get(one.text_hash, ()) if one.hint in (None, key.hint)]) for one in given]
    _check_known(meant, path)
    found: dict[Question, dict[UnitKey, Given]] = {}
    for one, units in meant:
        for key in units:
            _check_same(found.setdefault(one.question, {}).setdefault(key, one), one)
    return found


def _check_known(meant: Sequence[tuple[Given, list[UnitKey]]], path: Path) -> None:
    others = [one for one, units in meant if not units]
    if others:
        n = len(meant) - len(others)
        raise TaskError(
            f"{path}: got {len(meant):,} labels, and {f'only {n:,} of them are' if n else 'none of them is'} of texts "
            f"of this run that can be labelled. The first of the others: {others[0].where}. Name the run that they "
            "are of, or remove them. Nothing was imported."
        )


def _check_same(one: Given, other: Given) -> None:
    if (one.label, one.probability) != (other.label, other.probability):
        raise TaskError(
            f"{one.where}, and {other.where}: two labels of one text ({one.question}) that differ. Remove one of them."
        )


def file_text(rows: Sequence[dict[str, Any]], path: Path) -> str:
    """Return the rows of ``read_labels`` as the text of a CSV or JSON lines file.

    Raises:
        TaskError: the path's ending names neither.

    """
    said = [{name: row[name] for name in _EXPORTED} | {"label": WORDS[row["label"]]} for row in rows]
    if file_kind(path) == ".jsonl":
        return "".join(json.dumps(row) + "\n" for row in said)
    if file_kind(path) != ".csv":
        raise TaskError(f"{path}: expected a name that ends in .csv or .jsonl.")
    text = io.StringIO()
    writer = csv.DictWriter(text, _EXPORTED, lineterminator="\n")
    writer.writeheader()
    writer.writerows(said)
    return text.getvalue()
