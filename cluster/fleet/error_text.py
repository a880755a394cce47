"""One line of an error, for messages, without secrets. Nothing is decided by it."""

import re

from cotfaith.schemas.unshown import without_credentials

_OUR_CLASS = re.compile(r"cotfaith(?:\.\w+)+: ")


def first_line(error: Exception, last: bool = False) -> str:
    """Return the first (or last) line of an error's text."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    line = _OUR_CLASS.sub("", lines[-1 if last else 0], count=1) if lines else type(cause).__name__
    return without_credentials(line)
