"""Text -> the same text without secrets, for messages, logs and rows that say what failed.

``***`` stands for

- the user and password of an address (``https://user:password@host``), and the value of a part of its query that signs
  or opens something (``?X-Amz-Signature=...``, ``&token=...``);
- the value of each variable of the environment whose name says that it is secret (``HF_TOKEN``, ``..._API_KEY``), also
  as a URL or base64 holds it;
- what looks like a key of AWS, OpenAI or Hugging Face, or follows ``Bearer``.

Knows nothing about which addresses are allowed, and is not for texts of models: those are kept as they are.
"""

import base64
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

_USER = re.compile(r"(://)(?:[^\s'\"@/]+|[^\s'\"/:]*:[^\s'\"]*)@")
_QUERY = re.compile(
    r"([?&][^\s'\"=&?]*(?:signature|credential|token|secret|passw|key|sig|auth)[^\s'\"=&?]*=)[^\s'\"&]*", re.IGNORECASE
)
_LOOKS_SECRET = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|\bsk-[\w-]{12,}|\bhf_[A-Za-z0-9]{12,}|(?<=\bBearer )[\w.~+/=-]{8,}"
)
_SECRET_NAME = re.compile(r"(?:KEY|KEY_ID|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
_SHORTEST = 8
"""Characters of a secret: a shorter value could be a word of the message."""


def without_credentials(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the text with ``***`` for each secret."""
    for secret in _forms(environ):
        text = text.replace(secret, "***")
    return _LOOKS_SECRET.sub("***", _QUERY.sub(r"\1***", _USER.sub(r"\1***@", text)))


def _forms(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield each secret of the environment in each way to write it, longer values first: one can be within another."""
    values = {value for name, value in environ.items() if len(value) >= _SHORTEST and _SECRET_NAME.search(name)}
    for value in sorted(values, key=len, reverse=True):
        yield value
        yield quote(value, safe="")
        yield base64.b64encode(value.encode("utf-8", "surrogateescape")).decode().rstrip("=")
