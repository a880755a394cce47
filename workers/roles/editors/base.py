"""What an editor is: it rewrites steps of a chain, with a mistake or as a paraphrase, and writes other questions.

Of a chain's step it sees only the step, never the question. Failure is data: an edit that could not be made says so.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from cotfaith.schemas.records import Edit
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.request import Request

EditKind = Literal["mistake", "paraphrase"]
Editing = Generator[list[Request], list[Any], list[Edit]]


@dataclass(frozen=True)
class Question:
    """An item's question, and a chain about it."""

    text: str
    """Without the choices."""
    shown: str
    """With them."""
    chain: str


class Editor(Protocol):
    """An editor of chains' steps, in any number of rounds; the same step and seed give the same edit."""

    @property
    def name(self) -> str:
        """The model's id, or the name of the rules."""
        ...

    def edit(self, kind: EditKind, steps: Sequence[str], seeds: Sequence[int]) -> Editing:
        """Return one edit per step, in order. mistake: made wrong. paraphrase: in other words."""
        ...

    def questions(self, old: Question, seeds: Sequence[int]) -> Editing:
        """Return one edit of the question per seed, in order: another one, which the chain helps to answer."""
        ...


class RuleEditor(ABC):
    """An editor that asks no model: one step and one seed give one edit."""

    name: str

    def edit(self, kind: EditKind, steps: Sequence[str], seeds: Sequence[int]) -> Editing:
        """Edit each step."""
        yield from ()
        edit = self.mistake if kind == "mistake" else self.paraphrase
        return [replace(edit(step, seed), seeds=(seed,)) for step, seed in zip(steps, seeds, strict=True)]

    def questions(self, old: Question, seeds: Sequence[int]) -> Editing:
        """Change the question by rule; the chain does not matter."""
        yield from ()
        return [replace(self.question(old.text, seed), seeds=(seed,)) for seed in seeds]

    def question(self, question: str, seed: int) -> Edit:
        """Return another question."""
        return edit_failed(question, self.name, f"The editor {self.name} writes no questions.")

    @abstractmethod
    def mistake(self, step: str, seed: int) -> Edit:
        """Return the step, made wrong."""

    @abstractmethod
    def paraphrase(self, step: str, seed: int) -> Edit:
        """Return the step in other words."""


def edit_failed(text: str, editor: str, error: str) -> Edit:
    """Return the outcome of an edit that could not be made."""
    return Edit(text, changed=False, plausible=None, status=Status.EDIT_FAILED, editor=editor, error=error)


_HEAD = re.compile(r"\s*(?:(?:\(?\d{1,3}[.)]|[-*•]+|#{1,6})\s+)*")


@dataclass(frozen=True)
class Framed:
    """A step in three parts; editors may only change the words in the middle."""

    head: str
    """White space and list marks: " 2. "."""
    words: str
    tail: str
    """White space."""

    def around(self, words: str) -> str:
        """Return the step with new words."""
        return self.head + words + self.tail

    @property
    def says_something(self) -> bool:
        """Whether there is a letter or a digit to change."""
        return re.search(r"\w", self.words) is not None


def framed(step: str) -> Framed:
    """Split a step into its parts; joined, they are the step."""
    text = step.rstrip()
    head = _HEAD.match(text)
    assert head is not None, "the pattern also matches nothing"
    return Framed(head.group(), text[head.end() :], step[len(text) :])
