"""The capabilities of an OpenAI-compatible server, found with a few one-token requests before anything else runs.

In: the engine's options. Out: a ``Server``: its capabilities and how to ask it. Servers differ in what they accept
beyond the original completions protocol; anything that a server refuses or ignores is not used.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from cotfaith.schemas.errors import (
    CapabilityError,
    EngineError,
    InputError,
    ModelSourceError,
    RefusedError,
    UnauthorizedError,
    UnreachableError,
)
from cotfaith.schemas.spec import ModelSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.engines.openai.client import Client
from cotfaith.workers.engines.openai.options import Options, served_model, tokenizer_source
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.text.codec import load_tokenizer

NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Fields that turn off the model's own sampling defaults. They are not in the original protocol."""
BARE = {"add_special_tokens": False, "skip_special_tokens": False, "return_token_ids": True}
"""Fields that keep prompts and texts unchanged. They are not in the original protocol."""
_HELLO = "The capital of France is"
TIMEOUT_S = 60.0
_REFUSALS = (RefusedError, UnreachableError)  # some servers answer 500 to unknown fields
MALFORMED = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""The errors raised by reading an answer of another shape."""

ScoreBy = Literal["token_ids", "echo"]


@dataclass(frozen=True)
class Server:
    """How to ask one server for one model."""

    extras: bool
    """Whether the server takes ``NEUTRAL`` and ``BARE``."""
    ids: bool
    """Whether it takes prompts as token ids; if not, it takes text, which it tokenises itself."""
    score_by: ScoreBy | None
    """token_ids: it returns the log-probabilities of named next tokens. echo: those of the prompt's own tokens."""
    max_context: int | None

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do with this server."""
        return Capabilities(True, self.score_by is not None, True, self.max_context)


def find_server(spec: ModelSpec, options: Options, key: str | None) -> Server:
    """Return what the server offers; raise ``InputError`` if it cannot be used."""
    tokens = tuple(_tokenizer_here(spec).encode(_HELLO, add_special_tokens=False))
    with told_as_input(spec, options):
        return _find(options.base_url, served_model(spec), key, options.max_context, tokens)


@contextmanager
def told_as_input(spec: ModelSpec, options: Options) -> Iterator[None]:
    """Raise a server's errors as ``InputError`` that name the model's setting."""
    where = f"models.{spec.id}.options.base_url"
    try:
        yield
    except UnauthorizedError as error:
        named = f"the key in {options.api_key_env}" if options.api_key_env else "a request without a key (api_key_env)"
        raise InputError(f"{where}: the server refused {named}. {error}") from None
    except UnreachableError as error:
        raise ModelSourceError(f"{where}: {error}. Start the server, or correct the address.") from None
    except EngineError as error:
        raise InputError(f"{where}: {error}") from None


def tokenizer_of(spec: ModelSpec) -> Any:
    """Return the model's tokenizer."""
    return load_tokenizer(tokenizer_source(spec), spec.revision, spec.trust_remote_code)


def _tokenizer_here(spec: ModelSpec) -> Any:
    try:
        return tokenizer_of(spec)
    except ModelSourceError as error:
        raise ModelSourceError(
            f"{error} For a server that only chats set options.api: chat, which needs none."
        ) from None


@functools.lru_cache(maxsize=16)
def _find(base_url: str, model: str, key: str | None, max_context: int | None, tokens: tuple[int, ...]) -> Server:
    client = Client(base_url, key, TIMEOUT_S, max_retries=1, connections=1)
    try:
        stated = check_model(client, model)
        return _Discovery(client, model, tokens).server(max_context or stated)
    finally:
        client.close()


def check_model(client: Client, model: str) -> int | None:
    """Check that the server has the model, if it lists its models; return the context window that it states."""
    try:
        listed = client.get("/models").get("data")
    except UnauthorizedError:
        raise
    except RefusedError:
        return None  # it does not list its models
    cards = {str(card["id"]): card for card in listed or () if isinstance(card, dict) and "id" in card}
    if not cards:
        return None
    if model not in cards:
        raise ModelSourceError(f"{client.base_url} serves no such model: {unknown('model', model, cards)}")
    window = cards[model].get("max_model_len") or (cards[model].get("meta") or {}).get("n_ctx")
    return window if isinstance(window, int) else None


@dataclass(frozen=True)
class _Discovery:
    client: Client
    model: str
    tokens: tuple[int, ...]
    """A short text."""

    def server(self, max_context: int | None) -> Server:
        if self._works(list(self.tokens), BARE | NEUTRAL):
            return Server(True, True, self._score_by(), max_context)
        if self._works(list(self.tokens), {}):
            return Server(False, True, self._score_by(), max_context)
        if self._works(_HELLO, BARE | NEUTRAL):
            return Server(True, False, None, max_context)
        self._plain_text()
        return Server(False, False, None, max_context)

    def _plain_text(self) -> None:
        try:
            self._ask(_HELLO, {})
        except UnauthorizedError:
            raise
        except _REFUSALS as error:
            raise CapabilityError(
                f"{self.client.base_url} completes no prompts of model {self.model!r} ({error}). Probes continue an "
                "assistant's turn that has begun, which chat endpoints cannot do: use a server with /completions, or "
                "set options.api: chat, and only probes that continue no chain."
            ) from None

    def _score_by(self) -> ScoreBy | None:
        if self._names_tokens():
            return "token_ids"
        return "echo" if self._echoes() else None

    def _names_tokens(self) -> bool:
        """Ask for several tokens: servers always return the likeliest, and only one of these can be it."""
        asked = sorted(set(self.tokens))
        try:
            found = next_token_logprobs(self._ask(list(self.tokens), named_tokens(asked)))
        except (*_REFUSALS, *MALFORMED):
            return False
        return set(asked) <= set(found)

    def _echoes(self) -> bool:
        try:
            return len(echoed_logprobs(self._ask(list(self.tokens), ECHO))) >= len(self.tokens)
        except (*_REFUSALS, *MALFORMED):
            return False

    def _works(self, prompt: str | list[int], extra: dict[str, Any]) -> bool:
        try:
            answer = self._ask(prompt, extra)
        except UnauthorizedError:
            raise
        except _REFUSALS:
            return False
        count = (answer.get("usage") or {}).get("prompt_tokens")
        # A server that misreads ids, or adds tokens to them, reports another count.
        return isinstance(prompt, str) or count in (None, len(prompt))

    def _ask(self, prompt: str | list[int], extra: dict[str, Any]) -> dict[str, Any]:
        body = {"model": self.model, "prompt": prompt, "max_tokens": 1, "temperature": 0.0}
        return self.client.post("/completions", body | extra)


ECHO = {"echo": True, "logprobs": 1}


def named_tokens(tokens: Sequence[int]) -> dict[str, Any]:
    """Return the fields that request the log-probabilities of ``tokens`` as the next token."""
    return {"logprobs": 1, "logprob_token_ids": list(tokens), "return_tokens_as_token_ids": True}


def next_token_logprobs(answer: dict[str, Any]) -> dict[int, float]:
    """Return token -> log-probability for the tokens that the server names by id."""
    found = answer["choices"][0]["logprobs"]["top_logprobs"][0]
    return {int(name.removeprefix("token_id:")): value for name, value in found.items() if name.startswith("token_id:")}


def echoed_logprobs(answer: dict[str, Any]) -> list[float | None]:
    """Return the log-probability of every token of the prompt; the first has none."""
    found: list[float | None] = answer["choices"][0]["logprobs"]["token_logprobs"]
    return found
