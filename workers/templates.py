"""Prompts as text: question, chain, and the request for an answer.

The layout is that of Lanham et al. 2023 (arXiv 2307.13702): the chain stands in the assistant's turn; the answer is
asked for by a new user turn and opened for the assistant. With think_tags the chain stands between <think> and
</think>, and the answer follows in the same turn. A chain's text is put in verbatim, so that a prefix of the chain
gives a prefix of the prompt, whatever a chat template does to the turns of the past.
"""

from dataclasses import dataclass

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec
from cotfaith.workers.codec import Codec, Turn, uses_chat

_MARK = "\u241ecotfaith-chain\u241e"  # stands for the chain while the template is rendered
_THINK, _END_THINK = "<think>", "</think>"


@dataclass(frozen=True)
class Templates:
    """Writes the prompts of one model."""

    model: ModelSpec
    prompts: PromptSpec
    codec: Codec

    def cot(self, item: Item) -> str:
        """Return the prompt that a chain continues."""
        return self._opening(question_text(item)) + self._chain_prefill()

    def answer_after(self, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``chain_text``, up to the answer itself."""
        chain = chain_text.rstrip()
        return self.cot(item) + chain + self._turn_to_answer() + self._answer_prefill(item)

    def no_cot(self, item: Item) -> str:
        """Return the prompt that asks for the answer at once."""
        question = f"{question_text(item)}\n\n{self.prompts.no_cot_question}"
        opening = self._opening(question)
        if self.model.thinking == "think_tags":
            opening = _open_thinking(opening) + f"\n{_END_THINK}\n\n"
        elif not self._chat:
            opening += " "
        return opening + self._answer_prefill(item)

    @property
    def chain_stops(self) -> tuple[str, ...]:
        """What ends a chain, beside the model's own end of sequence."""
        if self.model.thinking == "think_tags":
            return (_END_THINK,)
        return () if self._chat else ("\nHuman:", "\nQuestion:")

    @property
    def _chat(self) -> bool:
        return uses_chat(self.model, self.codec)

    def _opening(self, question: str) -> str:
        if self._chat:
            return self.codec.render(self._turns(question))
        return f"Human: {question}\n\nAssistant:"

    def _turns(self, question: str) -> list[Turn]:
        system = [{"role": "system", "content": self.model.system}] if self.model.system is not None else []
        return [*system, {"role": "user", "content": question}]

    def _chain_prefill(self) -> str:
        if self.model.thinking == "think_tags":
            opening = self.codec.render(self._turns("")) if self._chat else ""
            return "" if opening.rstrip().endswith(_THINK) else f"{_THINK}\n"
        return self.prompts.cot if self._chat else f" {self.prompts.cot}"

    def _turn_to_answer(self) -> str:
        if self.model.thinking == "think_tags":
            return f"\n{_END_THINK}\n\n"
        if not self._chat:
            return f"\n\nHuman: {self.prompts.answer_question}\n\nAssistant: "
        turns = [
            *self._turns("?"),
            {"role": "assistant", "content": _MARK},
            {"role": "user", "content": self.prompts.answer_question},
        ]
        return self.codec.render(turns).split(_MARK, 1)[1]

    def _answer_prefill(self, item: Item) -> str:
        return self.prompts.choice_prefill if item.answer_format == "choice" else self.prompts.answer_prefill


def question_text(item: Item) -> str:
    """Return the question, and the labelled choices if there are any."""
    if item.answer_format != "choice":
        return item.question
    lines = [f"({label}) {choice}" for label, choice in zip(item.labels, item.choices, strict=True)]
    return "\n".join([item.question, "Choices:", *lines])


def _open_thinking(opening: str) -> str:
    return opening if opening.rstrip().endswith(_THINK) else f"{opening}{_THINK}\n"
