"""What an editor is: it rewrites steps of a chain, with a mistake or in other words.

It sees the step alone, never the question. Failure is data: an edit that could not be made says so.
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


class Editor(Protocol):
    """Rewrites steps of chains, in as many rounds as it likes; the same step and seed give the same edit."""

    @property
    def name(self) -> str:
        """A model's id, or the name of the rules."""
        ...

    def edit(self, kind: EditKind, steps: Sequence[str], seeds: Sequence[int]) -> Editing:
        """Return one edit a step, in order. mistake: made wrong. paraphrase: in other words."""
        ...


class RuleEditor(ABC):
    """An editor that asks nobody: one step, one seed, one edit."""

    name: str

    def edit(self, kind: EditKind, steps: Sequence[str], seeds: Sequence[int]) -> Editing:
        """Edit each step."""
        yield from ()
        edit = self.mistake if kind == "mistake" else self.paraphrase
        return [replace(edit(step, seed), seeds=(seed,)) for step, seed in zip(steps, seeds, strict=True)]

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
    """A step in three parts; only the words in the middle are for editors."""

    head: str
    """White space and list marks: " 2. "."""
    words: str
    tail: str
    """White space."""

    def around(self, words: str) -> str:
        """Return the step with other words."""
        return self.head + words + self.tail

    @property
    def says_something(self) -> bool:
        """Whether there is a letter or a digit to change."""
        return re.search(r"\w", self.words) is not None


def framed(step: str) -> Framed:
    """Take a step apart; the parts joined are the step."""
    text = step.rstrip()
    head = _HEAD.match(text)
    assert head is not None, "the pattern matches nothing, too"
    return Framed(head.group(), text[head.end() :], step[len(text) :])
