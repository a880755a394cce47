"""The answer in a row of CHAINS or OBSERVATIONS, as it was when the row was written.

In: a row as a mapping of column names. Out: an ``Answer``; how an answer without a chain was obtained stays in the row.
"""

from collections.abc import Mapping
from typing import Any

from cotfaith.schemas.records import Answer
from cotfaith.schemas.status import Status


def answer_from_row(row: Mapping[str, Any], status: str) -> Answer:
    """Return the row's answer with this status: a chain's row has its answer's status in a column of its own."""
    return Answer(
        status=Status(status),
        value=row["answer"],
        strict=row["answer_strict"],
        loose=row["answer_loose"],
        text=row["answer_text"],
        candidates=tuple(row["candidates"] or ()),
        logprobs=tuple(row["candidate_logprobs"] or ()),
        tied=row["tied"],
        gap=row["gap"],
        near_tie=row["near_tie"],
        prompt_tokens=row["prompt_tokens"],
        error=row["error"],
    )
