"""A model's conversation in its chat template: how the assistant's turn opens, and what follows an earlier answer.

In: a codec with a chat template, and the spec's system message. Out: parts of prompts. A chain is inserted between two
parts verbatim, so the template never sees it.

A prompt opens the assistant's turn as the template writes it before an earlier answer, provided that this continues the
template's own generation prompt. This covers templates without a generation prompt, templates with channels (harmony:
the chain is in the channel of answers), and templates that put an empty thought before answers. So a chain follows
exactly what the template would have written before it. If the two differ in any other way, the generation prompt is
used. Models that think in tags also open their thought there, in front of any <think> that the template itself writes.

Knows nothing about questions, chains and answers. Templates are not trusted; ``template_check`` checks all of this.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.workers.text.chat_template import Turn
from cotfaith.workers.text.codec import Codec

THINK, END_THINK = "<think>", "</think>"


@dataclass(frozen=True)
class Seams:
    """What a template writes between texts. None: it fails on that conversation, or does not keep each text once."""

    opening: str | None
    """After the last question: the end of the user's turn and the generation prompt."""
    before_answer: str | None
    """Between a question and an earlier answer to it."""
    after_answer: str | None
    """Between an earlier answer and the next question."""


@dataclass(frozen=True)
class Conversation:
    """A conversation that begins with the system message, if there is one."""

    codec: Codec
    system: str | None
    thinks: bool

    def opened(self, turns: Sequence[Turn], said: str = "") -> str:
        """Return the turns and the assistant's open turn, which holds ``said`` or the opening of a thought."""
        return self.rendered(turns) + self._opened(said)

    def after_answer(self, question: str, said: str = "") -> str:
        """Return what follows an earlier answer: the end of its turn, ``question``, and the next turn with ``said``.

        Raises:
            ModelSourceError: the template does not write an earlier answer exactly once.

        """
        return _after_answer(self, question) + self._opened(said)

    def rendered(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Return the system message and the turns as the template writes them."""
        first: list[Turn] = [] if self.system is None else [{"role": "system", "content": self.system}]
        told = [*first, *turns]
        return self.codec.render(told) if opened else self.codec.render(told, opened=False)

    def _opened(self, said: str) -> str:
        # Tokenizers attach a space to the word that follows it, and the model has yet to write that word.
        return self.added + said if said or self.thinks else self.added.rstrip(" ")

    @cached_property
    def added(self) -> str:
        """What prompts add to the generation prompt: the rest of what the template writes before an earlier answer."""
        opening, before = self.seams.opening, self.seams.before_answer
        if opening is None or before is None or not before.startswith(opening):
            return ""
        if self.thinks and opening.rstrip().endswith(THINK):
            return ""
        rest = before[len(opening) :]
        return rest.partition(THINK)[0] if self.thinks else rest

    @cached_property
    def seams(self) -> Seams:
        """What the template writes between texts, found with marks."""
        asked, said, then = (fresh_mark(name, self.system or "") for name in ("question", "answer", "next"))
        alone = self._seam([user(asked)], (asked,))
        whole = self._seam([user(asked), assistant(said), user(then)], (asked, said, then))
        return Seams(alone[-1], *(whole[:2] if len(whole) > 1 else (None, None)))

    def _seam(self, turns: Sequence[Turn], marks: Sequence[str]) -> list[str | None]:
        """Return what follows each mark, up to the next one or the end."""
        try:
            text = self.rendered(turns)
        except ModelSourceError:
            return [None]
        places = [text.find(mark) for mark in marks]
        if places != sorted(places) or any(text.count(mark) != 1 for mark in marks):
            return [None]
        ends = [place + len(mark) for place, mark in zip(places, marks, strict=True)]
        return [text[end:place] for end, place in zip(ends, [*places[1:], len(text)], strict=True)]


@functools.lru_cache(maxsize=64)
def conversation(codec: Codec, system: str | None, thinks: bool) -> Conversation:
    """Return the conversation, cached: building it renders marks, and there are many prompts."""
    return Conversation(codec, system, thinks)


@functools.lru_cache(maxsize=64)
def _after_answer(told: Conversation, question: str) -> str:
    mark = fresh_mark("answer", question, told.system or "")
    text = told.rendered([user("?"), assistant(mark), user(question)])
    if text.count(mark) != 1:
        raise ModelSourceError(
            f"the chat template writes an earlier answer {text.count(mark)} times, expected once: use chat: never"
        )
    return text.partition(mark)[2]


def fresh_mark(name: str, *texts: str) -> str:
    """Return a placeholder for a text in a rendered prompt; none of ``texts`` contains it."""
    mark = f"cotfaith{name}mark"
    while any(mark in text for text in texts):
        mark += "x"
    return mark


def user(content: str) -> Turn:
    """Return a user turn."""
    return {"role": "user", "content": content}


def assistant(content: str) -> Turn:
    """Return an assistant turn, which is an earlier answer."""
    return {"role": "assistant", "content": content}
