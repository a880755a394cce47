"""Prompts as text: question, chain, and the request for an answer.

The layout is that of Lanham et al. 2023 (arXiv 2307.13702): the chain stands in the assistant's turn; the answer is
asked for by a new user turn and opened for the assistant. A chain's text is put in verbatim, so that a prefix of the
chain gives a prefix of the prompt, whatever a chat template does to the turns of the past.

Reasoning models (think_tags): the chain stands between <think> and </think>, and the answer follows in the same turn.
<think> is written here unless the chat template does it. The chain ends before the first </think>, which is no part of
it, or where the model ends its turn without one; what the model would say after it is never sampled. A tag that the
model writes itself within its chain (a second <think>) stays there. Where no chain is wanted, the tags are empty.
"""

from dataclasses import dataclass

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec
from cotfaith.workers.codec import Codec, Turn, uses_chat

CHAIN_MARK = "\u241ecotfaith-chain\u241e"
"""Stands for the chain while a prompt is rendered, so that the chat template cannot change it."""
_THINK, _END_THINK = "<think>", "</think>"


@dataclass(frozen=True)
class Templates:
    """Writes the prompts of one model."""

    model: ModelSpec
    prompts: PromptSpec
    codec: Codec

    def cot(self, item: Item) -> str:
        """Return the prompt that a chain continues."""
        return self.chain_opening(self.question(item), self.prompts.cot)

    def answer_after(self, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``chain_text``, up to the answer itself."""
        return self.answer_to(self.cot(item), item, chain_text)

    def no_cot(self, item: Item) -> str:
        """Return the prompt that asks for the answer at once."""
        return self.at_once(f"{self.question(item)}\n\n{self.prompts.no_cot_question}", self.answer_prefill(item))

    def question(self, item: Item) -> str:
        """Return the question with its choices, as plain text whatever it spells."""
        return self.codec.plain(question_text(item))

    def chain_opening(self, request: str, prefill: str) -> str:
        """Return the user's ``request`` and the assistant's turn up to where a chain begins.

        ``prefill`` opens that turn; reasoning models have their tag instead.
        """
        if self._thinks:
            return _open_thinking(self._opening(request))
        if self._chat:
            return self._opening(request) + prefill
        return self._opening(request) + (f" {prefill}" if prefill else "\n")

    def answer_to(self, opening: str, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``opening`` (of ``chain_opening``) and ``chain_text``."""
        return opening + self.codec.plain(chain_text.rstrip()) + self._turn_to_answer() + self.answer_prefill(item)

    def at_once(self, request: str, prefill: str) -> str:
        """Return the user's ``request`` and the assistant's turn, opened by ``prefill``; nothing is thought before."""
        opening = self._opening(request)
        if self._thinks:
            opening = without_thinking(opening)
        elif not self._chat:
            opening += " "
        return opening + prefill

    def answer_prefill(self, item: Item) -> str:
        """Return what an answer opens with."""
        return self.prompts.choice_prefill if item.answer_format == "choice" else self.prompts.answer_prefill

    @property
    def chain_stops(self) -> tuple[str, ...]:
        """What ends a chain, beside the model's own end of sequence."""
        if self._thinks:
            return (_END_THINK, *self.turn_stops)
        return self.turn_stops if self._chat else ("\nHuman:", "\nQuestion:")

    @property
    def turn_stops(self) -> tuple[str, ...]:
        """What ends the assistant's turn, where the model's own end of sequence does not."""
        return () if self.codec.turn_end is None else (self.codec.turn_end,)

    @property
    def _thinks(self) -> bool:
        return self.model.thinking == "think_tags"

    @property
    def _chat(self) -> bool:
        return uses_chat(self.model, self.codec)

    def _opening(self, request: str) -> str:
        if self._chat:
            return self.codec.render(self._turns(request))
        return f"Human: {request}\n\nAssistant:"

    def _turns(self, request: str) -> list[Turn]:
        return [*system_turns(self.model), {"role": "user", "content": request}]

    def _turn_to_answer(self) -> str:
        if self._thinks:
            return f"\n{_END_THINK}\n\n"
        if not self._chat:
            return f"\n\nHuman: {self.prompts.answer_question}\n\nAssistant: "
        turns = [
            *self._turns("?"),
            {"role": "assistant", "content": CHAIN_MARK},
            {"role": "user", "content": self.prompts.answer_question},
        ]
        return self.codec.render(turns).split(CHAIN_MARK, 1)[1]


def question_text(item: Item) -> str:
    """Return the question, and the labelled choices if there are any."""
    if item.answer_format != "choice":
        return item.question
    lines = [f"({label}) {choice}" for label, choice in zip(item.labels, item.choices, strict=True)]
    return "\n".join([item.question, "Choices:", *lines])


def check_thinking(model: ModelSpec, codec: Codec) -> None:
    """Raise ``ModelSourceError`` where the chat template's tags contradict the spec's ``thinking``."""
    if not uses_chat(model, codec):
        return
    opening = codec.render([{"role": "user", "content": "?"}]).rstrip()
    if opening.endswith(_THINK) and model.thinking == "none":
        raise ModelSourceError(
            f"models.{model.id}.thinking is none, but its chat template opens {_THINK}: chains would be a thought "
            "that nobody closes. Set thinking: think_tags, or chat: never."
        )
    if opening.endswith(_END_THINK) and model.thinking == "think_tags":
        raise ModelSourceError(
            f"models.{model.id}.thinking is think_tags, but its chat template closes {_END_THINK} at once: this model "
            "answers without thinking. Set thinking: none."
        )


def system_turns(model: ModelSpec) -> list[Turn]:
    """Return the spec's system message as the turns that come first: one or none."""
    return [] if model.system is None else [{"role": "system", "content": model.system}]


def without_thinking(opening: str) -> str:
    """Return the assistant's open turn of a reasoning model with an empty thought, so that it replies at once."""
    return f"{_open_thinking(opening)}\n{_END_THINK}\n\n"


def _open_thinking(opening: str) -> str:
    return opening if opening.rstrip().endswith(_THINK) else f"{opening}{_THINK}\n"
