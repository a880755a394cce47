"""What a chat server takes, found with a few tiny requests before anything else runs.

In: the engine's options. Out: a ``ChatServer``, or an ``InputError`` with the way out: a server that answers nothing,
or a model that thinks where it must reply at once, or hides its thoughts. A field that the server refuses is not sent.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.errors import (
    CapabilityError,
    EngineError,
    ModelSourceError,
    RefusedError,
    UnauthorizedError,
    UnreachableError,
)
from cotfaith.schemas.records import Channel
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.openai.chat_reply import Reply, chosen, hidden, read_reply
from cotfaith.workers.engines.openai.client import Client
from cotfaith.workers.engines.openai.options import Options, served_model
from cotfaith.workers.engines.openai.server import TIMEOUT_S, check_model, told_as_input
from cotfaith.workers.engines.protocol import Capabilities

CHAT = Capabilities(generate=True, score=False, prefill=False)
"""What any chat server can do. Its window is counted in tokens that only the server knows."""
AROUND = 48
"""Tokens for the JSON around a structured answer, in which weak models put many line breaks."""
_LIMITS = ("max_tokens", "max_completion_tokens")  # OpenAI's reasoning models take only the second
_SAMPLING = {"temperature": 0.0, "top_p": 1.0, "seed": 1}
_WORDS = ("A", "B")
_AT_ONCE = "Which letter comes first in the alphabet, A or B? Reply with only the letter."
_TO_THINK = "What is 17 * 23 + 11? Think step by step."
_SHORT, _LONG = 32, 256  # tokens
_TURN_OFF = (
    "vLLM, SGLang: {chat_template_kwargs: {enable_thinking: false}}; OpenRouter: {reasoning: {enabled: false}}; "
    "OpenAI: {reasoning_effort: none}; DeepSeek: {thinking: {type: disabled}}"
)


@dataclass(frozen=True)
class ChatServer:
    """How to ask one server for one model."""

    limit: str
    """The field that limits a reply's tokens."""
    takes: frozenset[str]
    """Those of temperature, top_p and seed that it takes."""
    structured: bool
    """Whether answers are limited to an item's choices by a JSON schema."""


def structured_answer(words: Sequence[str]) -> dict[str, Any]:
    """Return the field that limits a reply to {"answer": one of ``words``}."""
    answer = {"type": "string", "enum": list(words)}
    schema = {"type": "object", "properties": {"answer": answer}, "required": ["answer"], "additionalProperties": False}
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    }


def find_chat(spec: ModelSpec, options: Options, key: str | None) -> ChatServer:
    """Return what the server takes; raise ``InputError`` if it cannot be used."""
    fields = json.dumps([options.fields, options.without_thinking], sort_keys=True)
    channel = None if spec.thinking == "none" else options.channel or "reasoning"
    asked = (spec.id, options.base_url, served_model(spec), key, fields, channel)
    with told_as_input(spec, options):
        limit, takes = _taken(*asked)
        stated = options.structured
        return ChatServer(limit, takes, _structured(*asked, limit) if stated is None else stated)


@functools.lru_cache(maxsize=16)
def _taken(
    name: str, base_url: str, model: str, key: str | None, fields: str, channel: Channel | None
) -> tuple[str, frozenset[str]]:
    with _discovery(name, base_url, model, key, fields, channel) as found:
        return found.taken()


@functools.lru_cache(maxsize=16)
def _structured(
    name: str, base_url: str, model: str, key: str | None, fields: str, channel: Channel | None, limit: str
) -> bool:
    with _discovery(name, base_url, model, key, fields, channel) as found:
        return found.structured(limit)


@contextmanager
def _discovery(
    name: str, base_url: str, model: str, key: str | None, fields: str, channel: Channel | None
) -> Iterator["_Discovery"]:
    client = Client(base_url, key, TIMEOUT_S, max_retries=2, connections=1)
    always, at_once = json.loads(fields)
    try:
        yield _Discovery(client, name, model, always, at_once, channel)
    finally:
        client.close()


@dataclass(frozen=True)
class _Discovery:
    client: Client
    name: str
    """The model's id in the spec."""
    model: str
    always: dict[str, Any]
    at_once: dict[str, Any]
    """Fields that turn its thinking off."""
    channel: Channel | None
    """What a chain is, of a model that thinks; None: it does not."""

    def taken(self) -> tuple[str, frozenset[str]]:
        """Return the field of the limit and the sampling fields that the server takes; check when the model thinks."""
        limit, takes, reply = self._taken()
        if reply.thinks:
            raise self._thinks_at_once()
        if self.channel is not None:
            self._check_thought(limit, self.channel)
        return limit, takes

    def _taken(self) -> tuple[str, frozenset[str], Reply]:
        """Return the field of the limit, the sampling fields that the server takes, and a reply."""
        try:
            reply = self._ask(_AT_ONCE, self.at_once | {_LIMITS[0]: _SHORT} | _SAMPLING)
            return _LIMITS[0], frozenset(_SAMPLING), reply
        except UnauthorizedError:
            raise
        except (RefusedError, UnreachableError) as error:  # some servers answer 500 to unknown fields
            limit, reply = self._limit(error)
        least = self.at_once | {limit: _SHORT}
        takes = {name: value for name, value in _SAMPLING.items() if self._works(least | {name: value})}
        if "top_p" in takes and not self._works(least | takes):  # some take either temperature or top_p
            del takes["top_p"]
        return limit, frozenset(takes), reply

    def _limit(self, error: EngineError) -> tuple[str, Reply]:
        """Find the field; the server's list of models only explains a refusal, since hosts know other names too."""
        for limit in _LIMITS:
            try:
                return limit, self._ask(_AT_ONCE, self.at_once | {limit: _SHORT})
            except UnauthorizedError:
                raise
            except RefusedError as refusal:
                error = refusal
        if isinstance(error, UnreachableError):
            raise error
        check_model(self.client, self.model)
        raise CapabilityError(
            f"{self.client.base_url}/chat/completions gives no reply of model {self.model!r} ({error}). "
            "Check model, options.fields and options.without_thinking."
        )

    def _works(self, body: dict[str, Any]) -> bool:
        try:
            self._ask(_AT_ONCE, body)
        except UnauthorizedError:
            raise
        except (RefusedError, UnreachableError):
            return False
        return True

    def structured(self, limit: str) -> bool:
        """Ask for a structured answer; a server that ignores the schema replies in another form."""
        try:
            reply = self._ask(_AT_ONCE, self.at_once | {limit: _SHORT + AROUND} | structured_answer(_WORDS))
        except UnauthorizedError:
            raise
        except RefusedError:
            return False
        except UnreachableError as error:
            raise ModelSourceError(
                f"The server fails on response_format ({error}). Set options.structured to false, or try again."
            ) from None
        return chosen(reply.content, _WORDS) in _WORDS and reply.content.strip() not in _WORDS

    def _check_thought(self, limit: str, channel: Channel) -> None:
        """Raise ``CapabilityError`` if a reply after a thought does not show what a chain is."""
        reply = self._ask(_TO_THINK, {limit: _LONG})
        if channel == "reasoning" and reply.hides:
            raise CapabilityError(
                f"models.{self.name}: it thinks, and the server {hidden(reply)}, so its chain of thought cannot be "
                "measured. Measure its replies (options.channel: body), or use another server or model."
            )
        if not reply.thinks:
            raise CapabilityError(
                f"models.{self.name}.thinking is think_tags, but no thought came in reasoning_content, in reasoning or "
                "between <think> and </think>. Set thinking: none, or turn it on by options.fields."
            )
        if channel == "summary" and not reply.thought.summary.strip():
            done = "shows its thought itself" if reply.thought.text.strip() else hidden(reply)
            raise CapabilityError(
                f"models.{self.name}.options.channel is summary, and the server makes none: it {done}. Set it to "
                "reasoning or body, or ask for summaries by options.fields."
            )

    def _thinks_at_once(self) -> CapabilityError:
        if self.channel is not None:
            return CapabilityError(
                f"models.{self.name}: it thinks anew before each answer, which would then not rest on what is left of "
                f"its chain. Set options.without_thinking to the fields that turn thinking off ({_TURN_OFF})."
            )
        return CapabilityError(
            f"models.{self.name}.thinking is none, but it thinks before it replies. Set thinking: think_tags and "
            f"options.without_thinking, or turn thinking off by options.fields ({_TURN_OFF})."
        )

    def _ask(self, question: str, body: dict[str, Any]) -> Reply:
        asked = {"model": self.model, "messages": [{"role": "user", "content": question}]}
        return read_reply(self.client.post("/chat/completions", asked | self.always | body))
