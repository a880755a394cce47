"""One key at a time, without Enter; and lines in place of keys where stdin is no terminal.

In: stdin. Out: the names of keys: a character, ``NEXT`` or ``BACK`` (a page), ``STOP``; "" for any other key. Keys that
were pressed before a text was shown are not about it: ``forget`` drops them.
"""

import os
import select
import termios
import tty
from typing import Protocol, TextIO

NEXT, BACK, STOP = "next", "back", "q"
_NAMED = {
    " ": NEXT,
    "\r": NEXT,
    "\n": NEXT,
    "\x1b[6~": NEXT,
    "\x1b[B": NEXT,
    "\x1bOB": NEXT,
    "b": BACK,
    "\x1b[5~": BACK,
    "\x1b[A": BACK,
    "\x1bOA": BACK,
    "": STOP,
    "\x04": STOP,
}
_LONGEST = 64
"""Bytes that are read at once: what one key sends is shorter."""


class Keys(Protocol):
    """Where keys come from."""

    def forget(self) -> None:
        """Drop what was pressed and not read."""
        ...

    def key(self) -> str:
        """Wait for a key and return its name; the end of the input is ``STOP``."""
        ...


class TerminalKeys:
    """The keys of a terminal; Ctrl-C interrupts as ever, and the terminal is as before between two keys."""

    def __init__(self, stream: TextIO) -> None:
        self._fd = stream.fileno()

    def forget(self) -> None:
        """Drop what was pressed and not read."""
        termios.tcflush(self._fd, termios.TCIFLUSH)

    def key(self) -> str:
        """Wait for a key; of several at once (pasted text) only the first counts."""
        before = termios.tcgetattr(self._fd)
        try:
            tty.setcbreak(self._fd, termios.TCSANOW)
            select.select([self._fd], [], [])  # polars makes reads go on after Ctrl-C; a select ends, and interrupts
            pressed = os.read(self._fd, _LONGEST).decode(errors="replace")
        finally:
            termios.tcsetattr(self._fd, termios.TCSANOW, before)
        return name_of(pressed)


class LineKeys:
    """The first character of each line of a stream, for scripts."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def forget(self) -> None:
        """Drop nothing: a script writes ahead."""

    def key(self) -> str:
        """Read a line."""
        line = self._stream.readline()
        return name_of(line.strip() or line)


def name_of(pressed: str) -> str:
    """Return the name of the key that sent this text."""
    if pressed in _NAMED:
        return _NAMED[pressed]
    first = pressed[0].lower()
    return _NAMED.get(first, first) if first.isprintable() else ""
