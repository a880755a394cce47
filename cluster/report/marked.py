"""Untrusted text made safe to show on a page: escaped, with unseen characters as marks that have a style of their own.

In: text. Out: HTML for an element's content, never for an attribute's value: a mark is an element.
"""

import unicodedata

from markupsafe import Markup, escape

from cotfaith.cluster.marks import mark, pieces

_MARK = Markup('<span class="mark" title="{}">{}</span>')


def marked(text: str) -> Markup:
    """Return the escaped text; a mark's style tells it from the same signs in the text, its title is the name."""
    return Markup("").join(
        _MARK.format(unicodedata.name(piece, "no name"), mark(piece)) if unseen else escape(piece)
        for piece, unseen in pieces(text)
    )
