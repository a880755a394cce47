"""Untrusted text made safe to show in a terminal: unseen characters as marks, no rich markup."""

from rich.markup import escape

from cotfaith.cluster.marks import mark, pieces


def plain_text(text: str) -> str:
    """Return ``text`` with a mark such as ⟨U+202E⟩ for each character that cannot be seen; lines and tabs stay."""
    return "".join(mark(piece) if unseen else piece for piece, unseen in pieces(text))


def safe_text(text: object) -> str:
    """Return ``text`` so that rich prints it literally: markup escaped, unseen characters as marks; "-" for None."""
    return "-" if text is None else escape(plain_text(str(text)))
