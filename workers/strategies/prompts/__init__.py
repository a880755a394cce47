"""The strategies' prompts, one file each. Knows nothing about the texts that are inserted."""

import functools
import hashlib
from pathlib import Path


@functools.cache
def read_prompt(name: str) -> str:
    """Return the prompt's text. Insert texts with ``str.replace``: what models write may contain braces."""
    return (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").strip("\n")


def hash_prompts(*names: str) -> str:
    """Return a hash that changes with any of these prompts."""
    return hashlib.sha256("\0".join(map(read_prompt, names)).encode()).hexdigest()[:12]
