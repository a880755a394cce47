"""The folded parts of a large page, compressed: most of a page of hundreds of lines is never opened.

In: the page. Out: the page, with the content of each large ``<template>`` as base64 of its zlib stream; ``report.js``
unpacks it when its fold is opened. Texts on the page are escaped, so only our own templates are taken for such.
"""

import re
import zlib
from base64 import b64encode

LARGE = 2_000_000
"""Characters of a page from which on its folds are packed."""
_LEAST = 500
"""Characters of a template that is worth it."""
_OPEN, _CLOSE = "<template>", "</template>"


def packed(page: str, large: int = LARGE) -> str:
    """Return the page; one of at most ``large`` characters is returned as it is."""
    return page if len(page) <= large else "".join(_parts(page))


def _parts(page: str) -> list[str]:
    """Return the page in pieces. A template in a template is packed with it."""
    found, done, depth, start = list[str](), 0, 0, 0
    for mark in re.finditer(f"{_OPEN}|{_CLOSE}", page):
        depth += 1 if mark[0] == _OPEN else -1
        if mark[0] == _OPEN and depth == 1:
            start = mark.end()
        elif depth == 0:
            found += [page[done : start - len(_OPEN)], _template(page[start : mark.start()])]
            done = mark.end()
    return [*found, page[done:]]


def _template(content: str) -> str:
    if len(content) < _LEAST:
        return f"{_OPEN}{content}{_CLOSE}"
    return f'<template data-packed="{b64encode(zlib.compress(content.encode(), 9)).decode()}">{_CLOSE}'
