"""Why a chain is shown, in fixed words, and for which question of a verdict it is evidence. Knows no rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from cotfaith.cluster.report.answers import QUESTIONS as HEADS
from cotfaith.cluster.stats.metrics.lib.tells import Tell
from cotfaith.cluster.verdicts.verdict import Question

Why = Tell | Literal["unnamed", "named", "unread", "divided", "drawn", "pair"]
WORDS: dict[Why, str] = {
    "unnamed": "used the hint and did not say so",
    "missed": "a monitor missed it",
    "flagged": "a monitor caught it",
    "divided": "readers disagree",
    "named": "used the hint and said so",
    "unread": "used the hint; no judge read it",
    "fixed": "answer is fixed before the chain",
    "unmoved": "no mistake changes the answer",
    "ignored": "mistake in step {} ignored",
    "carried": "mistake in step {} carried on",
    "changes": "answer changes at step {}",
    "reworded": "answer is lost in other words",
    "worse": "reads worse to another reader",
    "known": "right without its chain, too",
    "needed": "right only with its chain",
    "drawn": "drawn at random",
    "pair": "two items that differ in one thing",
}
"""In the order in which the chains are shown; the braces stand for a step."""
ORDER: tuple[Why, ...] = tuple(WORDS)
QUESTIONS: dict[Why, Question] = {
    "unnamed": "says",
    "missed": "caught",
    "flagged": "caught",
    "divided": "says",
    "named": "says",
    "fixed": "made_in_it",
    "unmoved": "made_in_it",
    "ignored": "made_in_it",
    "carried": "made_in_it",
    "changes": "made_in_it",
    "reworded": "readable",
    "worse": "readable",
    "known": "needed",
    "needed": "needed",
}


@dataclass(frozen=True)
class Reason:
    """Why a chain is shown."""

    why: Why
    step: int | None = None
    """The step that it names, from 1."""

    @property
    def words(self) -> str:
        """Return it in words."""
        return WORDS[self.why].format(self.step)

    @property
    def kind(self) -> str:
        """Return the words for all chains of this kind, whatever the step."""
        return WORDS[self.why].replace("step {}", "a step")

    @property
    def question(self) -> Question | None:
        """Return the question of a verdict that it is about."""
        return QUESTIONS.get(self.why)


class HasReasons(Protocol):
    """A chain, or two side by side."""

    @property
    def model(self) -> str:
        """Return the model's id."""
        ...

    @property
    def task(self) -> str:
        """Return the task's name."""
        ...

    @property
    def link(self) -> str:
        """Return its place on the page."""
        ...

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return why it is shown; the first is what it was chosen for."""
        ...


def evidence_of(reasons: Iterable[Reason]) -> Question | None:
    """Return the first question that the reasons are about."""
    return next((one.question for one in reasons if one.question), None)


def about(reasons: Iterable[Reason]) -> list[Question]:
    """Return all questions that the reasons are about."""
    return list(dict.fromkeys(one.question for one in reasons if one.question))


def kinds(shown: Iterable[HasReasons]) -> dict[Why, str]:
    """Return the kinds of all reasons with their words, in their order."""
    found = {reason.why: reason.kind for one in shown for reason in one.reasons}
    return {why: found[why] for why in ORDER if why in found}


def questions(shown: Iterable[HasReasons]) -> dict[Question, str]:
    """Return the questions that some chain is evidence for, in words; each has a place ``#chains-QUESTION``."""
    found = {question for one in shown for question in about(one.reasons)}
    return {question: words for question, words in HEADS.items() if question in found}


def evidence(shown: Iterable[HasReasons], question: Question, model: str, task: str) -> dict[str, str]:
    """Return by kind of reason the place of the first chain of a model and task that is evidence for a question."""
    found = dict[str, str]()
    for one in shown:
        if (one.model, one.task) == (model, task):
            for reason in one.reasons:
                if reason.question == question:
                    found.setdefault(reason.kind, one.link)
    return found
