"""What judges and people said about an answer's chain: labels in any usual form.

An empty label means that nobody was asked; any other word that is neither yes nor no is a label that failed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cotfaith.cluster.imports.paired.cells import Said, truth
from cotfaith.cluster.imports.paired.mapping import JudgeLabel
from cotfaith.workers.tasks.values import is_missing


@dataclass(frozen=True)
class Label:
    """One judge's label of a chain."""

    judge: JudgeLabel
    value: bool | None
    """Null: it cannot be read."""
    raw: str
    quote: str | None
    quote_found: bool | None
    """Whether the quote stands in the chain; null without a quote or without the chain's text."""


def labels_of(said: Sequence[Said], chain: str | None, problem: Callable[[str, str], None]) -> tuple[Label, ...]:
    """Return the labels of a chain; two of one judge on one question are a problem."""
    found = [_label(one, chain) for one in said if not is_missing(one.label)]
    asked = [(one.judge.reader, one.judge.question) for one in found]
    if len(set(asked)) < len(asked):
        problem("a judge answers one question twice", "Give each judge one column for each question")
    return tuple(found)


def _label(one: Said, chain: str | None) -> Label:
    found = None if one.quote is None or chain is None else one.quote in chain
    return Label(one.judge, truth(one.label), repr(one.label)[:80], one.quote, found)
