"""The command line's two consoles, and what every command prints in one way.

With ``--json`` a command prints one JSON object on stdout and its messages on stderr; docs/json.md has the keys.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import Any

from rich.console import Console

from cotfaith.cluster.terminal import first_lines, plain_text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
MOST_NOTES = 10


def messages(as_json: bool) -> Console:
    """Return the console for a command's messages."""
    return err if as_json else out


def kept_for_json(as_json: bool) -> AbstractContextManager[Any]:
    """While Ray works, keep stdout for JSON: Ray prints warnings of its own there."""
    return redirect_stdout(sys.stderr) if as_json else nullcontext()


def say(text: str, console: Console = out) -> None:
    """Print a line that can hold anything: nothing in it is interpreted, and only the terminal wraps it."""
    console.print(plain_text(text), markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a note on stderr."""
    say(f"Note: {text}", err)


def notes(texts: Sequence[str], in_full: bool) -> None:
    """Print notes, at most ``MOST_NOTES`` of them unless ``in_full``."""
    for text in texts if in_full else first_lines(texts, "more notes: --details", MOST_NOTES):
        note(text)


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object in ASCII; numbers that JSON lacks are the texts "inf", "-inf" and "nan"."""
    print(json.dumps(finite(content), indent=2, allow_nan=False))


def finite(value: Any) -> Any:
    """Return the value with texts in place of numbers that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, (list, tuple)) else value
