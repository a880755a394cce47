"""Text that is not valid Unicode: half of a surrogate pair, which JSON can write and no tokenizer can encode.

Each half becomes U+FFFD, in keys and values, at any depth.
"""

import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")


def has_half(value: Any) -> bool:
    """Return whether a text in ``value`` (including nested lists and dicts) contains half of a surrogate pair."""
    if isinstance(value, str):
        return _HALF.search(value) is not None
    if isinstance(value, dict):
        return any(has_half(key) or has_half(part) for key, part in value.items())
    return isinstance(value, list | tuple) and any(has_half(part) for part in value)


def without_halves(value: Any) -> Any:
    """Return ``value`` with U+FFFD for each half."""
    if isinstance(value, str):
        return _HALF.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {without_halves(key): without_halves(part) for key, part in value.items()}
    return [without_halves(part) for part in value] if isinstance(value, list | tuple) else value
