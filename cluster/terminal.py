"""Untrusted text made safe to show in a terminal: unseen characters as marks, no rich markup; and long lists cut."""

from collections.abc import Sequence

from rich.markup import escape

from cotfaith.cluster.marks import mark, pieces


def plain_text(text: str) -> str:
    """Return ``text`` with a mark such as ⟨U+202E⟩ for each character that cannot be seen; lines and tabs stay."""
    return "".join(mark(piece) if unseen else piece for piece, unseen in pieces(text))


def safe_text(text: object) -> str:
    """Return ``text`` so that rich prints it literally: markup escaped, unseen characters as marks; "-" for None."""
    return "-" if text is None else escape(plain_text(str(text)))


def first_lines(lines: Sequence[str], more: str, most: int) -> list[str]:
    """Return ``lines``, or the first ``most`` of them and how many there are besides; ``more``: what they are."""
    left = len(lines) - most
    return list(lines) if left <= 0 else [*lines[:most], f"... and {left:,} {more}"]
