"""What a transcript shows of a probe's rows on one chain, as plain data.

In: a CHAINS row, and the OBSERVATIONS rows of one probe on that chain and on its item, sorted by step, position,
rollout and arm. Out: remarks. Texts are passed on as they are: the code that prints them must escape them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.status import Status

Row = dict[str, Any]


@dataclass(frozen=True)
class Cut:
    """What the model answered when the chain was cut after ``k`` steps."""

    k: int
    answer: str | None
    same: bool | None
    """Whether that is the chain's own final answer; None unless the row is ok."""
    p_gold: float | None
    status: str


@dataclass(frozen=True)
class Without:
    """What the model answered without any chain."""

    outcome: str
    """The answer, or the status of an arm that failed."""


@dataclass(frozen=True)
class Remark:
    """The answer after one step, or the whole chain, was changed or read by another model."""

    what: str
    """The change in words, such as "left out"."""
    outcome: str
    """The answer, or the status of an arm that failed."""
    step: int | None = None
    """The step next to which it is shown, from 1; None: it concerns more than one."""
    old: str | None = None
    """The words before an edit; ``new`` replaces them."""
    new: str | None = None
    moved: float | None = None
    """Share of the answers after it that differ from the chain's own; None: not known, or it is not about a step."""


Remarks = Callable[[Row, Sequence[Row]], Iterable[Cut | Without | Remark]]


def outcome(row: Row) -> str:
    """Return the answer, else a reading's yes or no, else the status of an arm that failed."""
    if row["answer"] is None and row.get("label") is not None:
        return "yes" if row["label"] else "no"
    return str(row["status"] if row["answer"] is None else row["answer"])


def moved(row: Row) -> float | None:
    """Return 1 if the row's answer differs from the chain's own, 0 if not; None if that is not known."""
    same = row.get("same_answer") if row["status"] == Status.OK else None
    return None if same is None else float(not same)


def edited(what: str, row: Row, old: str, step: int | None = None) -> Remark:
    """Return a remark with an editor's new words for ``old``; without them if the editor failed or wrote nothing."""
    if row["status"] == Status.EDIT_FAILED or row["edit"] is None:
        return Remark(what, outcome(row), step)
    return Remark(what, outcome(row), step, old.strip(), row["edit"].strip(), moved(row))


def every_arm(chain: Row, rows: Sequence[Row]) -> list[Remark]:
    """Return each arm with its answer or its status: the default for a probe without remarks of its own."""
    return [Remark(f"{row['probe']}, {row['arm']}", outcome(row), row["step"], moved=moved(row)) for row in rows]


def nothing(chain: Row, rows: Sequence[Row]) -> list[Remark]:
    """Return nothing: the probe's rows are not about the chain's steps."""
    return []
