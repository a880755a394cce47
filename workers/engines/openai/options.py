"""The options of the openai engine, and the key, which is only read from the environment and stored nowhere.

``server`` asks the server itself what it can do.
"""

import os
import re
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.records import Channel
from cotfaith.schemas.spec import ModelSpec, Section, check_section

_PACKAGES = ("httpx2", "tenacity")
_ONLY_CHAT = frozenset({"structured", "fields", "without_thinking", "channel"})
_ONLY_COMPLETIONS = frozenset({"tokenizer", "max_context", "dtype"})
_OURS = frozenset(
    {"model", "messages", "prompt", "stream", "n", "max_tokens", "max_completion_tokens"}
    | {"temperature", "top_p", "seed", "stop", "response_format"}
)


class Options(Section):
    """``options`` of a model whose engine is openai."""

    base_url: str
    """The server's URL with the API version: http://127.0.0.1:8000/v1."""
    api: Literal["completions", "chat"] = "completions"
    """completions: prompts as token ids, to /completions. chat: whole turns, to /chat/completions, which hosted models
    have. Then no tokenizer is needed, there are no log-probabilities, and no probe can continue a chain.
    """
    model: str | None = None
    """The model's name on the server; null: the spec's source."""
    tokenizer: str | None = None
    """The folder or hub id of the model's tokenizer; null: the spec's source."""
    api_key_env: str | None = None
    """The environment variable that holds the key; null: no key is sent. Workers also need the variable."""
    concurrency: int = Field(default=32, ge=1)
    """The number of concurrent requests."""
    timeout_s: float = Field(default=600, gt=0)
    """The most seconds that one request may take."""
    max_retries: int = Field(default=5, ge=0)
    """Retries of a request that the server deferred (429), failed on (5xx) or did not answer."""
    max_context: int | None = Field(default=None, ge=2)
    """The context window in tokens; null: the server's, if it states one."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """The precision in which the server computes, which no server states; null: bfloat16 is assumed. It decides how
    close two scores must be to count as a near tie. Start vLLM with --hf-overrides '{"head_dtype": "float32"}', or
    bfloat16 makes exact ties.
    """
    price_prompt: float | None = Field(default=None, ge=0)
    """The price of a million prompt tokens. Give both prices, or neither."""
    price_generated: float | None = Field(default=None, ge=0)
    """The price of a million generated tokens."""
    structured: bool | None = None
    """chat: whether answers are limited to an item's choices by a JSON schema; null: if the server can do that."""
    fields: dict[str, Any] = Field(default={})
    """chat: further fields of every request, such as reasoning_effort. They are written into run.json: put no key here.
    """
    without_thinking: dict[str, Any] = Field(default={})
    """chat, thinking: think_tags: the fields that turn thinking off, for answers that must come at once."""
    channel: Channel | None = None
    """chat, thinking: think_tags: which text is the chain. reasoning: the thought (null: the same). summary: the
    summary that the server makes of it. body: the reply after it. Name a model twice to measure two of them.
    """

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        if not _has_host(value):
            raise ValueError("expected a URL such as http://127.0.0.1:8000/v1")
        return value.rstrip("/")

    @field_validator("fields", "without_thinking")
    @classmethod
    def _leaves_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(_OURS & value.keys()):
            raise ValueError(f"{', '.join(taken)}: set by cotfaith for each request; remove it")
        return value


def _has_host(url: str) -> bool:
    """Return whether it is an HTTP address whose host and port could be looked up: "https://..." is none."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        return parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:  # brackets without an end, a port that is no number, an empty label
        return False


EXECUTION_OPTIONS = frozenset(Options.model_fields) - {"model", "tokenizer", "dtype", *_ONLY_CHAT, "api"}
"""A resumed run may change the address, key or price. The model, its precision and how it is asked stay the same."""


def parse_options(spec: ModelSpec) -> Options:
    """Check ``spec.options``; raise a ``SpecError`` that shows nothing that might be a secret."""
    where = f"models.{spec.id}.options"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(spec.options.get("api_key_env") or "NONE")):
        raise SpecError(f"{where}.api_key_env: expected the name of an environment variable, never the key itself.")
    if "@" in str(spec.options.get("base_url", "")):
        raise SpecError(f"{where}.base_url: it contains a user or password. Put the key in a variable: api_key_env.")
    options = check_section(Options, spec.options, where)
    _check_api(spec, options, where)
    if (options.price_prompt is None) != (options.price_generated is None):
        raise SpecError(f"{where}: got one price, expected price_prompt and price_generated, or neither.")
    return options


def _check_api(spec: ModelSpec, options: Options, where: str) -> None:
    """Raise ``SpecError`` if a setting would not be used with the API."""
    unused = _ONLY_COMPLETIONS if options.api == "chat" else _ONLY_CHAT
    if named := sorted(unused & options.model_fields_set):
        raise SpecError(f"{where}.{named[0]}: not used with api: {options.api}. Remove it, or set another api.")
    if options.api == "chat" and (spec.chat == "never" or spec.chat_template is not None):
        raise SpecError(f"{where}.api: chat, so chat: never and chat_template have no meaning. Remove them.")
    if options.channel is not None and spec.thinking == "none":
        raise SpecError(
            f"{where}.channel: thinking is none, so a chain is the reply (body). Set thinking: think_tags if the model "
            "thinks before it replies, or remove the channel."
        )
    if options.without_thinking and spec.thinking == "none":
        raise SpecError(
            f"{where}.without_thinking: thinking is none. Set thinking: think_tags if its thoughts are the chains, or "
            "put these fields into options.fields."
        )


def chats(spec: ModelSpec) -> bool:
    """Return whether the server is asked by whole turns."""
    return parse_options(spec).api == "chat"


def read_key(spec: ModelSpec, options: Options) -> str | None:
    """Return the key, or None if the options name none; raise ``InputError`` if the variable is not set."""
    if options.api_key_env is None:
        return None
    key = os.environ.get(options.api_key_env, "").strip()
    if not key:
        raise InputError(
            f"models.{spec.id}.options.api_key_env: the environment variable {options.api_key_env} is not set. "
            "Set it to the server's key, on the driver and on the workers."
        )
    return key


def tokenizer_source(spec: ModelSpec) -> str:
    """Return the tokenizer's source."""
    return parse_options(spec).tokenizer or spec.source


def served_model(spec: ModelSpec) -> str:
    """Return the model's name on the server."""
    return parse_options(spec).model or spec.source


def check_packages(spec: ModelSpec) -> None:
    """Raise ``InputError`` unless the packages that talk to servers are installed."""
    if any(find_spec(package) is None for package in _PACKAGES):
        raise InputError(
            f"models.{spec.id}.engine: the engine openai needs the packages {' and '.join(_PACKAGES)}, of which "
            "not all are installed: pip install 'cotfaith[openai]'"
        )
