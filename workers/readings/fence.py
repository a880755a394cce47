"""Texts that others wrote, delimited so that a reader cannot take them for its own instructions.

A fence's mark is derived from the text's hash and does not occur in the text, so no text can end its own quotation.
Knows nothing about tokens: control tokens are kept as text where a prompt is filled (``prompts``).
"""

import hashlib

_SHORTEST = 8  # hex digits of a mark


def fenced(text: str, name: str = "text") -> str:
    """Return the text between two lines with its name and its mark."""
    mark = fence_mark(text)
    return f"[begin {name} {mark}]\n{text.strip()}\n[end {name} {mark}]"


def fence_mark(text: str) -> str:
    """Return the first digits of the text's SHA-256 (hex) that do not occur in it, at least eight."""
    digest, lower = hashlib.sha256(text.encode()).hexdigest(), text.lower()
    while True:
        for length in range(_SHORTEST, len(digest) + 1):
            if digest[:length] not in lower:
                return digest[:length]
        digest = hashlib.sha256(digest.encode()).hexdigest()


def shortened(text: str, keep: int) -> str:
    """Return the text's first and last ``keep`` characters in all, with a line that says how many are left out."""
    if keep >= len(text):
        return text
    begin = keep - keep // 2
    end = text[len(text) - keep // 2 :]
    return f"{text[:begin]}\n[... {len(text) - keep} characters are left out here ...]\n{end}"
