"""Text <-> token ids, and chat turns -> text. The only module that tokenises prompts.

Text and tokens agree at every join (``joins``). A prompt begins with the tokens that the model expects and ends where
its text ends. Control tokens that a text only spells stay text (``control_tokens``). Knows the model's tokenizer and
nothing about its weights.
"""

import codecs
import functools
from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any, Protocol

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.sources import description_source
from cotfaith.workers.text.chat_template import ChatTemplate
from cotfaith.workers.text.chat_template import Turn as Turn
from cotfaith.workers.text.control_tokens import ControlTokens
from cotfaith.workers.text.joins import Joins
from cotfaith.workers.text.turns import BYTES_PER_TOKEN

_SAID = "Indeed."


class Codec(Hashable, Protocol):
    """What the templates need from a tokenizer."""

    has_chat_template: bool
    whole_turns: bool
    """Whether prompts are whole turns that a server tokenises (``turns``): then tokens are bytes, and no turn can be
    opened for the model.
    """

    @property
    def turn_end(self) -> str | None:
        """The control token that ends an assistant's turn; None if it is the tokenizer's own end of sequence."""
        ...

    @property
    def control_ids(self) -> frozenset[int]:
        """The ids of control tokens, such as those that begin and end a turn."""
        ...

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of a whole prompt, with the tokens that the model expects at its start."""
        ...

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each text, as ``encode`` does; faster than one call per text."""
        ...

    def continuation(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text that ``tokens`` add to ``prompt``, up to the last whole character.

        Control tokens that the model wrote are kept as text, so nothing that it wrote is lost.
        """
        ...

    def plain(self, text: str) -> str:
        """Return ``text``, from an item or a model, marked so that nothing in it becomes a control token."""
        ...

    def shown(self, prompt: str) -> str:
        """Return a prompt as a person reads it, without the marks of ``plain``."""
        ...

    def unreadable(self, text: str) -> str | None:
        """Return the first piece of ``text`` that the tokenizer would change; None if there is none."""
        ...

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Return the turns as the chat template writes them; ``opened``: with the beginning of the assistant's turn."""
        ...


class ByteCodec:
    """A codec for the stub engine: tokens are UTF-8 bytes, and there is no chat template."""

    has_chat_template = False
    whole_turns = False
    turn_end: str | None = None
    control_ids: frozenset[int] = frozenset()

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the bytes of ``text``."""
        return tuple(text.encode())

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the bytes of each text."""
        return [self.encode(text) for text in texts]

    def continuation(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text; bytes that are not UTF-8 become U+FFFD, and an incomplete last character is left out."""
        return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(tokens))

    def plain(self, text: str) -> str:
        """Return ``text``: there are no control tokens."""
        return text

    def shown(self, prompt: str) -> str:
        """Return ``prompt``."""
        return prompt

    def unreadable(self, text: str) -> str | None:
        """Return None: bytes can spell any text."""
        return None

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Raise ``ModelSourceError``: there is no template."""
        raise ModelSourceError("The byte tokenizer has no chat template; set chat: never.")


class HuggingFaceCodec:
    """A tokenizer of the transformers library."""

    whole_turns = False

    def __init__(self, tokenizer: Any, chat: bool, template: ChatTemplate | None = None, closes: bool = False) -> None:
        """``closes``: texts end with the tokenizer's own end token, which embedding models expect."""
        self.tokenizer = tokenizer
        self.template = template or ChatTemplate(tokenizer)
        self.has_chat_template = self.template.exists
        self.chat = chat
        self._closes = closes
        self._joins = Joins(tokenizer)

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids; a chat template writes its own special tokens, so none are added to its output."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each text."""
        opening, closing = ((), ()) if self.chat else self._around
        found = [tuple(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
        for place, text in enumerate(texts):
            if self._control.has_shields(text):
                found[place] = tuple(self._control.encode(text))
        return [(*opening, *ids, *(closing if self._closes else ())) for ids in found]

    def continuation(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text byte for byte, without cleaning up spaces."""
        return self._joins.whole_text_after(prompt, tokens)

    def plain(self, text: str) -> str:
        """Mark every place that spells one of the tokenizer's control tokens."""
        return self._control.shield(text)

    def shown(self, prompt: str) -> str:
        """Return the prompt without the marks."""
        return self._control.unshield(prompt)

    def unreadable(self, text: str) -> str | None:
        """Compare the text with what its tokens spell, ignoring white space at its beginning."""
        marked = self.plain(text).lstrip()
        tokens = self._control.encode(marked) if self._control.has_shields(marked) else self._ids(marked, False)
        read, wanted = self._joins.text_after((), tokens).lstrip(), text.lstrip()
        if read == wanted:
            return None
        place = next(
            (i for i, (a, b) in enumerate(zip(wanted, read, strict=False)) if a != b), min(len(read), len(wanted))
        )
        return wanted[max(0, place - 10) : place + 10]

    @functools.cached_property
    def _control(self) -> ControlTokens:
        return ControlTokens(self.tokenizer, self.template.written)

    @property
    def control_ids(self) -> frozenset[int]:
        """The ids of the tokenizer's control tokens, and of those that its chat template writes."""
        return self._control.ids

    @functools.cached_property
    def turn_end(self) -> str | None:
        """Find the control token that the template writes after an assistant's text."""
        if not self.chat:
            return None
        asked = {"role": "user", "content": "?"}
        try:
            rest = self.render([asked, {"role": "assistant", "content": _SAID}, asked]).partition(_SAID)[2]
        except ModelSourceError:
            return None  # the plan reports what is wrong with such a template
        found = self._control.first(rest)
        return None if found == self.tokenizer.eos_token else found

    @functools.cached_property
    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the special tokens that the tokenizer puts before a text, and those that it puts after."""
        probes = [(self._ids(text, False), self._ids(text, True)) for text in ("a", "1", ".")]
        own, whole = next((pair for pair in probes if pair[0]), probes[0])
        start = next((i for i in range(len(whole)) if own and whole[i : i + len(own)] == own), None)
        if start is None:
            raise ModelSourceError(
                f"The tokenizer gives {list(whole)} for a text with special tokens and {list(own)} without: "
                "it is not clear which of them open a prompt. Fix its post-processor."
            )
        return whole[:start], whole[start + len(own) :]

    def _ids(self, text: str, special: bool) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=special)["input_ids"])

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Apply the tokenizer's own chat template."""
        return self.template.render(turns, opened)


def count_tokens(codec: Codec, texts: Sequence[str]) -> int:
    """Return how many tokens the texts have together; for whole turns a guess, by the texts' length in bytes."""
    total = sum(map(len, codec.encode_all(texts)))
    return -(-total // BYTES_PER_TOKEN) if codec.whole_turns else total


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


def load_tokenizer(source: str, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """Return the tokenizer at ``source``: a folder, also in object storage, a hub id or organism:NAME.

    Raises:
        ModelSourceError: there is none that can be loaded.

    """
    folder = description_source(source, revision, "A tokenizer's source")
    return _load_tokenizer(folder, revision, trust_remote_code)


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


def open_codec(model: ModelSpec, source: str, closes: bool = False, date: datetime | None = None) -> Codec:
    """Return the codec of ``model`` by the tokenizer at ``source``; never loads weights.

    ``closes``: texts end with the tokenizer's own end token. ``date`` is what a chat template with a clock is told, now
    by default.
    """
    tokenizer = load_tokenizer(source, model.revision, model.trust_remote_code)
    codec = HuggingFaceCodec(tokenizer, False, ChatTemplate(tokenizer, model.chat_template, date), closes)
    codec.chat = uses_chat(model, codec)
    return codec
