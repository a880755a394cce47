"""Text -> the same text without what is secret in the addresses that it holds, for messages.

A user and password (``https://user:password@host``) become ``***``, and so does the value of a part of a query that
signs or opens something (``?X-Amz-Signature=...``, ``&token=...``). Knows nothing about which addresses are allowed.
"""

import re

_USER = re.compile(r"(://)(?:[^\s'\"@/]+|[^\s'\"/:]*:[^\s'\"]*)@")
_QUERY = re.compile(
    r"([?&][^\s'\"=&?]*(?:signature|credential|token|secret|passw|key|sig|auth)[^\s'\"=&?]*=)[^\s'\"&]*", re.IGNORECASE
)


def without_credentials(text: str) -> str:
    """Return the text with ``***`` for each user, password and signature of an address."""
    return _QUERY.sub(r"\1***", _USER.sub(r"\1***@", text))
