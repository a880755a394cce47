"""Verdicts as a table in the VERDICTS schema, and back. Knows nothing about how they are made."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from cotfaith.cluster.verdicts.verdict import QUESTIONS, Answered, Question, Verdict
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of

_OWN = ("run_id", "model", "task", "strategy", "channel", "stratum", "verdict", "p_value", "n_items")
_MORE = ("share", "share_low", "share_high", "policy_hash", "level")
_ANSWER = ("outcome", "p_value", "value", "low", "high", "n_items", "figure", "why")


def verdicts_table(found: Iterable[Verdict]) -> pa.Table:
    """Return a row for each verdict."""
    return table_of("verdicts", [_row(one) for one in found])


def _row(one: Verdict) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in (*_OWN, *_MORE)}
    for answer in one.answers:
        row |= {f"{answer.question}_{name}": getattr(answer, name) for name in _ANSWER}
    return row | {"schema_version": SCHEMA_VERSION, "change": list(one.change)}


def read_verdicts(table: pa.Table) -> list[Verdict]:
    """Return the verdicts of a table."""
    return [_verdict(row) for row in table.to_pylist()]


def _verdict(row: dict[str, Any]) -> Verdict:
    answers = tuple(_answer(row, question) for question in QUESTIONS)
    return Verdict(**{name: row[name] for name in (*_OWN, *_MORE)}, answers=answers, change=tuple(row["change"]))


def _answer(row: dict[str, Any], question: Question) -> Answered:
    return Answered(question, **{name: row[f"{question}_{name}"] for name in _ANSWER})
