"""Prompts as text: question, chain, and the request for an answer.

The layout is that of Lanham et al. 2023 (arXiv 2307.13702): the chain is in the assistant's turn; a new user turn asks
for the answer, and the beginning of the assistant's answer is prefilled. A chain's text is inserted verbatim, so a
prefix of the chain gives a prefix of the prompt, whatever a chat template does to past turns.

Reasoning models (think_tags): the chain is between <think> and </think>, and the answer follows in the same turn.
<think> is written here unless the chat template does it. The chain ends before the first </think>, or where the model
ends its turn without one; nothing after it is sampled. A tag that the model itself writes within its chain (a second
<think>) stays there. If no chain is wanted, the tags are empty.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.records import Channel, Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec
from cotfaith.workers.text.chat_template import Turn
from cotfaith.workers.text.codec import Codec, uses_chat
from cotfaith.workers.text.conversation import END_THINK, THINK, Conversation, conversation, user
from cotfaith.workers.text.questions import earlier_turns, framed_text

_SPEAKERS = {"user": "Human", "assistant": "Assistant"}
"""Who speaks in prompts that go through no chat template."""
_TAG = re.compile(r"[<\[\u25c1]\|?(/|end_)?[\w:]*(?:think|thought|reason)\w*\|?[>\]\u25b7]$", re.IGNORECASE)
"""A thought tag at a text's end: <think>, [THINK], <seed:think>, <|START_THINKING|>; group 1: it is a closing tag."""


@dataclass(frozen=True)
class Templates:
    """The prompts of one model."""

    model: ModelSpec
    prompts: PromptSpec
    codec: Codec

    def cot(self, item: Item) -> str:
        """Return the prompt that a chain continues."""
        return self.chain_opening(self.question(item), self.prompts.cot, self.earlier(item))

    def answer_after(self, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``chain_text``, up to where the answer begins."""
        return self.answer_to(self.cot(item), item, chain_text)

    def no_cot(self, item: Item) -> str:
        """Return the prompt that asks for the answer at once."""
        request = f"{self.question(item)}\n\n{self.prompts.no_cot_question}"
        return self.at_once(request, self.answer_prefill(item), self.earlier(item, brief=True))

    def question(self, item: Item) -> str:
        """Return the question with its choices and what its variant puts around it.

        Control tokens that these texts spell stay plain text.
        """
        return self.codec.plain(framed_text(item))

    def earlier(self, item: Item, brief: bool = False) -> list[Turn]:
        """Return the earlier turns of the conversation about the item; ``brief``: for a prompt that wants no chain."""
        return [{"role": one.role, "content": self.codec.plain(one.text)} for one in earlier_turns(item, brief)]

    def chain_opening(self, request: str, prefill: str, earlier: Sequence[Turn] = ()) -> str:
        """Return the ``earlier`` turns, the user's ``request`` and the assistant's turn, up to where a chain begins.

        ``prefill`` opens that turn; for reasoning models, the thought tag does.
        """
        if self._thinks:
            return _open_thinking(self._opening(request, earlier))
        if self._chat:
            return self._opening(request, earlier, prefill)
        return self._opening(request, earlier) + (f" {prefill}" if prefill else "\n")

    def answer_to(self, opening: str, item: Item, chain_text: str) -> str:
        """Return the prompt that asks for the answer after ``opening`` (from ``chain_opening``) and ``chain_text``."""
        return opening + self.codec.plain(chain_text.rstrip()) + self._turn_to_answer(self.answer_prefill(item))

    def at_once(self, request: str, prefill: str, earlier: Sequence[Turn] = ()) -> str:
        """Return the ``earlier`` turns, the user's ``request`` and the assistant's turn, without a thought.

        ``prefill`` opens that turn.
        """
        if self._thinks:
            return without_thinking(self._opening(request, earlier)) + prefill
        if self._chat:
            return self._opening(request, earlier, prefill)
        return f"{self._opening(request, earlier)} {prefill}"

    def answer_prefill(self, item: Item) -> str:
        """Return the text that opens an answer."""
        return self.prompts.choice_prefill if item.answer_format == "choice" else self.prompts.answer_prefill

    @property
    def chain_stops(self) -> tuple[str, ...]:
        """The texts that end a chain, besides the model's own end of sequence."""
        if self._thinks:
            return (END_THINK, *self.turn_stops)
        return self.turn_stops if self._chat else ("\nHuman:", "\nQuestion:")

    @property
    def answer_stops(self) -> tuple[str, ...]:
        """The texts that end an answer, besides the model's own end of sequence."""
        return ("\n", *self.turn_stops)

    @property
    def no_cot_mechanism(self) -> str:
        """How a model is kept from a chain where it is asked for none (``Answer.no_cot_mechanism``).

        An answer that is opened here may also be scored: ``Ask`` knows that.
        """
        return "empty_thinking" if self._thinks else "prefill"

    @property
    def channel(self) -> Channel | None:
        """What a chain's text is; None: the model writes one text, in which nothing is told apart."""
        return "reasoning" if self._thinks else None

    @property
    def turn_stops(self) -> tuple[str, ...]:
        """The texts that end the assistant's turn, besides the model's own end of sequence."""
        return () if self.codec.turn_end is None else (self.codec.turn_end,)

    @property
    def _thinks(self) -> bool:
        return self.model.thinking == "think_tags"

    @property
    def _chat(self) -> bool:
        return uses_chat(self.model, self.codec)

    @property
    def _conversation(self) -> Conversation:
        return conversation(self.codec, self.model.system, self._thinks)

    def _opening(self, request: str, earlier: Sequence[Turn], said: str = "") -> str:
        turns = [*earlier, user(request)]
        if self._chat:
            return self._conversation.opened(turns, said)
        return "\n\n".join([*(f"{_SPEAKERS[turn['role']]}: {turn['content']}" for turn in turns), "Assistant:"])

    def _turn_to_answer(self, prefill: str) -> str:
        if self._thinks:
            return f"\n{END_THINK}\n\n{prefill}"
        if not self._chat:
            return f"\n\nHuman: {self.prompts.answer_question}\n\nAssistant: {prefill}"
        return self._conversation.after_answer(self.prompts.answer_question, prefill)


def check_thinking(model: ModelSpec, codec: Codec) -> None:
    """Raise ``ModelSourceError`` if the chat template's tags contradict the spec's ``thinking``."""
    if not uses_chat(model, codec):
        return
    opening = conversation(codec, model.system, model.thinking == "think_tags").opened([user("?")]).rstrip()
    tag = _TAG.search(opening)
    if tag is None:
        return
    closes, is_ours = tag[1] is not None, tag[0] == THINK
    if model.thinking == "none" and not closes:
        raise ModelSourceError(
            f"models.{model.id}.thinking is none, but its chat template opens {tag[0]}: chains would be a thought that "
            f"is never closed. Set {'thinking: think_tags, or ' if is_ours else ''}chat: never."
        )
    if model.thinking == "think_tags" and closes:
        raise ModelSourceError(
            f"models.{model.id}.thinking is think_tags, but its chat template closes {tag[0]} at once: this model "
            "answers without thinking. Set thinking: none."
        )
    if model.thinking == "think_tags" and not is_ours:
        raise ModelSourceError(
            f"models.{model.id}.thinking is think_tags, but its chat template opens {tag[0]} and not {THINK}. "
            "Set chat: never."
        )


def without_thinking(opening: str) -> str:
    """Return a reasoning model's open turn with an empty thought, so that the model replies at once."""
    return f"{_open_thinking(opening)}\n{END_THINK}\n\n"


def _open_thinking(opening: str) -> str:
    return opening if opening.rstrip().endswith(THINK) else f"{opening}{THINK}\n"
