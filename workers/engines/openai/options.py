"""The settings of the openai engine, and the key, which comes from the environment and goes nowhere else.

What the server can do is asked of the server itself: see ``server``.
"""

import os
import re
from importlib.util import find_spec
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.spec import ModelSpec, Section, check_section

_PACKAGES = ("httpx2", "tenacity")


class Options(Section):
    """``options`` of a model whose engine is openai."""

    base_url: str
    """Where the server is, with its version: http://127.0.0.1:8000/v1."""
    model: str | None = None
    """Name under which the server knows the model; null: the spec's source."""
    tokenizer: str | None = None
    """Folder or hub id of the model's tokenizer; null: the spec's source."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; null: no key is sent. Workers need the variable too."""
    concurrency: int = Field(default=32, ge=1)
    """Requests under way at once."""
    timeout_s: float = Field(default=600, gt=0)
    """How long one request may take."""
    max_retries: int = Field(default=5, ge=0)
    """Further tries of a request that the server put off (429), failed at (5xx) or did not answer."""
    max_context: int | None = Field(default=None, ge=2)
    """Context window in tokens; null: what the server states, if it does."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision in which the server computes, which no server states; null: taken to be bfloat16. It decides how close
    two scores are a near tie. Start vLLM with --hf-overrides '{"head_dtype": "float32"}', or bfloat16 makes exact
    ties."""
    price_prompt: float | None = Field(default=None, ge=0)
    """Price of a million prompt tokens. Give both prices, or none."""
    price_generated: float | None = Field(default=None, ge=0)
    """Price of a million generated tokens."""

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected a URL such as http://127.0.0.1:8000/v1")
        return value.rstrip("/")


EXECUTION_OPTIONS = frozenset(Options.model_fields) - {"model", "tokenizer", "dtype"}
"""A run may go on at another address, with another key or price. The model must stay, and its precision."""


def parse_options(spec: ModelSpec) -> Options:
    """Check ``spec.options``; raise ``SpecError``, which shows nothing that might be a secret."""
    where = f"models.{spec.id}.options"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(spec.options.get("api_key_env") or "NONE")):
        raise SpecError(f"{where}.api_key_env: expected the name of an environment variable, never the key itself.")
    if "@" in str(spec.options.get("base_url", "")):
        raise SpecError(f"{where}.base_url: a user or password stands in it. Put the key in a variable: api_key_env.")
    options = check_section(Options, spec.options, where)
    if (options.price_prompt is None) != (options.price_generated is None):
        raise SpecError(f"{where}: got one price, expected price_prompt and price_generated, or neither.")
    return options


def read_key(spec: ModelSpec, options: Options) -> str | None:
    """Return the key, or None where the options name none; raise ``InputError`` if the variable is not set."""
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
    """Return where the tokenizer is."""
    return parse_options(spec).tokenizer or spec.source


def served_model(spec: ModelSpec) -> str:
    """Return the name under which the server knows the model."""
    return parse_options(spec).model or spec.source


def check_packages(spec: ModelSpec) -> None:
    """Raise ``InputError`` unless what talks to servers is installed."""
    if any(find_spec(package) is None for package in _PACKAGES):
        raise InputError(
            f"models.{spec.id}.engine: the engine openai needs the packages {' and '.join(_PACKAGES)}, of which "
            "not all are installed: pip install 'cotfaith[openai]'"
        )
