"""Whether the words that a reader quotes stand in the text, up to white space and quote marks.

In: a text, a reply. Out: the words as they stand in the text, or None. Knows nothing about models.
"""

import re

_MARKS = frozenset("\"'`“”‘’‚„‹›«»*_")
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]")
_EDGE = re.compile(r"^(?:\.{3}|…)+|(?:\.{3}|…)+$")
_FEWEST = 6  # letters and digits: fewer stand in any text


def quoted_words(text: str, reply: str) -> str | None:
    """Return the words of ``text`` that a reply quotes; None: it quotes none of at least six letters."""
    for candidate in _candidates(reply):
        if sum(map(str.isalnum, candidate)) >= _FEWEST and (span := _find(text, candidate)):
            return text[span[0] : span[1]]
    return None


def _candidates(reply: str) -> list[str]:
    """Return what a reply may mean as its quote: all of it, what is in quote marks, a line of it."""
    parts = [reply, *(found[1] for found in _QUOTED.finditer(reply)), *reply.splitlines()]
    return [_EDGE.sub("", part.strip().strip("\"'“”„«»").strip()) for part in parts]


def _find(text: str, quote: str) -> tuple[int, int] | None:
    places = [place for place, letter in enumerate(text) if _counts(letter)]
    letters, wanted = "".join(text[place] for place in places), "".join(filter(_counts, quote))
    at = letters.find(wanted) if wanted else -1
    return None if at < 0 else (places[at], places[at + len(wanted) - 1] + 1)


def _counts(letter: str) -> bool:
    return not letter.isspace() and letter not in _MARKS
