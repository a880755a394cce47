"""Log lines as JSON: one object a line, in ASCII, so that no text in it can steer a terminal or break a line.

In: an event's name and its fields. Out: a line; or, in Ray's worker processes, a record of the logger ``cotfaith``,
which goes to the process's own log file. Fields without a value are left out, and
secrets are masked. Knows nothing about what is logged.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cotfaith.schemas.unshown import without_credentials

LOGGER = logging.getLogger("cotfaith")
MOST_TEXT = 2000
"""The most characters of one text: errors can quote a whole page."""


def log_line(level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return the line, with the present time in UTC."""
    about = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event}
    known = {name: _short(value) for name, value in fields.items() if value is not None}
    return json.dumps(about | known, default=str)


def _short(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shown = without_credentials(value)
    return shown[:MOST_TEXT] + "..." if len(shown) > MOST_TEXT else shown


def log_to_stderr() -> None:
    """Let the logger write its lines to this process's standard error, which Ray keeps in a file of its own."""
    if not LOGGER.handlers:
        LOGGER.addHandler(logging.StreamHandler(sys.stderr))
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False


def log_event(event: str, fields: Mapping[str, Any], level: int = logging.INFO) -> None:
    """Log an event in a worker process."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s", log_line(logging.getLevelName(level).lower(), event, fields))
