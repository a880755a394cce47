"""A model as people name it on a command line -> the keys of a spec's model.

``folder``, ``owner/name`` (a hub id), ``s3://bucket/prefix``, ``organism:NAME``; with a prefix that names the engine:
``hf/owner/name``, ``vllm/owner/name``, ``openai/NAME`` (on a server), ``stub/NAME``. A prefix counts before a folder of
that name: write ``./vllm/...`` for the folder. Loads nothing.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.workers.organisms.folder import PREFIX

ENGINES = {"hf": "transformers", "transformers": "transformers", "vllm": "vllm", "openai": "openai", "stub": "stub"}
"""Prefix -> engine."""
BASE_URL, API_KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"


def named_model(text: str, base_url: str | None = None, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the model's keys in the spec; ``base_url`` is the server's, by default the environment's.

    Raises:
        SpecError: the name is empty or incomplete, or a server's address is missing or has no use.

    """
    prefix, _, rest = text.strip().partition("/")
    engine = ENGINES.get(prefix, "")
    source = rest if engine else text.strip()
    if not source and engine != "stub":
        raise SpecError(f"MODEL {text!r}: expected a folder, a hub id such as owner/name, or PREFIX/NAME.")
    if base_url is not None and engine != "openai":
        raise SpecError(f"--base-url: the model {text!r} is not on a server. Write openai/NAME, or leave it out.")
    found: dict[str, Any] = {"id": slug(source or "stub")}
    if engine == "stub":
        return found | {"engine": "stub"}
    found |= {"source": source} | ({"engine": engine} if engine else {})
    return found | {"options": _server(text, base_url, environ)} if engine == "openai" else found | {"dtype": "auto"}


def _server(text: str, base_url: str | None, environ: Mapping[str, str]) -> dict[str, Any]:
    address = base_url or environ.get(BASE_URL)
    if not address:
        raise SpecError(f"MODEL {text!r}: on which server? Set --base-url http://127.0.0.1:8000/v1, or {BASE_URL}.")
    return {"base_url": address} | ({"api_key_env": API_KEY} if environ.get(API_KEY) else {})


def slug(text: str) -> str:
    """Return the last part of a path or address as a name that a spec takes."""
    last = text.removeprefix(PREFIX).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("._-")[:60] or "model"
