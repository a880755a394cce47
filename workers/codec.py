"""Text <-> token ids, and chat turns -> text. The only module that tokenises prompts.

Knows the model's tokenizer and nothing about its weights.
"""

import functools
from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any, Protocol

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.chat_template import ChatTemplate
from cotfaith.workers.chat_template import Turn as Turn
from cotfaith.workers.engines import find_engine
from cotfaith.workers.organisms.folder import resolve_source


class Codec(Hashable, Protocol):
    """What the templates need of a tokenizer."""

    has_chat_template: bool

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of a whole prompt, with the tokens that the model expects at its start."""
        ...

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each, as ``encode`` does: many at once cost less."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``, without special tokens."""
        ...

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Return the turns as the chat template writes them; ``opened``: up to where the assistant begins to speak."""
        ...


class ByteCodec:
    """UTF-8 bytes as tokens, and no chat template: for the stub engine."""

    has_chat_template = False

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the bytes of ``text``."""
        return tuple(text.encode())

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the bytes of each."""
        return [self.encode(text) for text in texts]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text; bytes that are no UTF-8 become U+FFFD."""
        return bytes(tokens).decode(errors="replace")

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Refuse: there is no template."""
        raise ModelSourceError("The byte tokenizer has no chat template; set chat: never.")


class HuggingFaceCodec:
    """A tokenizer of the transformers library."""

    def __init__(self, tokenizer: Any, chat: bool, template: ChatTemplate | None = None) -> None:
        self.tokenizer = tokenizer
        self.template = template or ChatTemplate(tokenizer)
        self.has_chat_template = self.template.exists
        self.chat = chat

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids; a chat template writes its own special tokens, so none are added to it."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each."""
        return [tuple(ids) for ids in self.tokenizer(list(texts), add_special_tokens=not self.chat)["input_ids"]]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text, byte for byte: no clean-up of spaces."""
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Apply the tokenizer's own chat template."""
        return self.template.render(turns, opened)


def uses_chat(model: ModelSpec, codec: Codec) -> bool:
    """Return whether ``model``'s prompts go through a chat template.

    Raises:
        ModelSourceError: the spec demands a template and the tokenizer has none.

    """
    if model.chat == "always" and not codec.has_chat_template:
        raise ModelSourceError(
            f"models.{model.id}: chat: always, but its tokenizer has no chat template. Use auto or never."
        )
    return model.chat != "never" and codec.has_chat_template


@functools.lru_cache(maxsize=8)
def _load_tokenizer(source: str, revision: str | None, trust_remote_code: bool) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=trust_remote_code)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelSourceError(
            f"No tokenizer could be loaded from {source!r}: {reason} "
            "Expected the tokenizer's files beside the weights; write them with tokenizer.save_pretrained(folder)."
        ) from error


def load_codec(model: ModelSpec, date: datetime | None = None) -> Codec:
    """Return the codec of ``model``; loads its tokenizer, never its weights.

    ``date`` is what a chat template with a clock is told, now by default.
    """
    if model.engine == "stub":
        return ByteCodec()
    source = find_engine(model).tokenizer(model)
    tokenizer = _load_tokenizer(resolve_source(source), model.revision, model.trust_remote_code)
    codec = HuggingFaceCodec(tokenizer, False, ChatTemplate(tokenizer, model.chat_template, date))
    codec.chat = uses_chat(model, codec)
    return codec
