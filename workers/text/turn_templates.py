"""Prompts as whole turns, for servers that only chat: question, chain, and the request for an answer.

The layout is that of ``templates`` (Lanham et al. 2023, arXiv 2307.13702, section 2.1), with the chain in an
assistant's turn and the answer requested in a new user turn. But no turn is opened for the model, so this is another
form of prompt, "chat":

- What opens a chain ("Let's think step by step:") ends the user's request instead.
- What opens an answer is replaced by an instruction on the answer's form, at the end of the request for it.
- An empty chain has no turn: the request for the answer then follows in the user's first turn.
- Reasoning models write their thought apart from their reply. As an earlier turn, a thought is the assistant's text.
"""

from collections.abc import Sequence

from cotfaith.schemas.records import Channel, Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec
from cotfaith.workers.text.chat_template import Turn
from cotfaith.workers.text.codec import Codec
from cotfaith.workers.text.conversation import user
from cotfaith.workers.text.templates import Templates
from cotfaith.workers.text.turns import mark

_INSTRUCTIONS = {
    "choice": "Reply with only the letter of that answer.",
    "number": "Reply with only that number.",
    "text": "Reply with only that answer.",
}


def make_templates(model: ModelSpec, prompts: PromptSpec, codec: Codec) -> Templates:
    """Return the prompts of ``model`` in the form that its codec demands."""
    return (TurnTemplates if codec.whole_turns else Templates)(model, prompts, codec)


class TurnTemplates(Templates):
    """The prompts of one model that gets whole turns."""

    def no_cot(self, item: Item) -> str:
        """Return the turns that ask for the answer at once, by instruction."""
        asked = f"{self.prompts.no_cot_question} {instruction(item)}"
        return self.at_once(f"{self.question(item)}\n\n{asked}", "", self.earlier(item, brief=True))

    def chain_opening(self, request: str, prefill: str, earlier: Sequence[Turn] = ()) -> str:
        """Return the ``earlier`` turns and the user's ``request``, followed by ``prefill``.

        Reasoning models get only the request.
        """
        asked = request if self._thinks or not prefill else f"{request}\n\n{prefill}"
        opened = self._conversation.rendered([*earlier, user(asked)], opened=False)
        return opened + mark("thought" if self._thinks else "assistant")

    def answer_to(self, opening: str, item: Item, chain_text: str) -> str:
        """Return the turns that ask for the answer after ``chain_text``, which is the assistant's turn."""
        asked = f"{self.prompts.answer_question} {instruction(item)}"
        return opening + self.codec.plain(chain_text.rstrip()) + mark("user") + asked + mark("assistant")

    def at_once(self, request: str, prefill: str, earlier: Sequence[Turn] = ()) -> str:
        """Return the turns that ask for a reply at once; with a ``prefill``, engines refuse them."""
        return self._conversation.rendered([*earlier, user(request)]) + prefill

    @property
    def chain_stops(self) -> tuple[str, ...]:
        """None: a chain ends with its turn."""
        return ()

    @property
    def answer_stops(self) -> tuple[str, ...]:
        """None: an answer may follow an empty line."""
        return ()

    @property
    def no_cot_mechanism(self) -> str:
        """Return "instruction"."""
        return "instruction"

    @property
    def channel(self) -> Channel:
        """What a chain's text is: the reply of a model without thoughts, else what its ``options.channel`` says."""
        return channel_of(self.model) if self._thinks else "body"


def channel_of(model: ModelSpec) -> Channel:
    """Return what is a chain of a model that thinks behind a chat server: by default its thought."""
    asked: Channel | None = model.options.get("channel")
    return asked or "reasoning"


def instruction(item: Item) -> str:
    """Return the sentence that asks for an answer's form."""
    if item.answer_format == "boolean":
        return f"Reply with only {' or '.join(item.choices)}."
    return _INSTRUCTIONS[item.answer_format]
