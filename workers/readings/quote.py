"""Whether the words that a reader quotes stand in the text.

In: a text, a reply. Out: the words as they stand in the text, or None. The rule: the letters, digits and punctuation of
the quote follow one another in the text. Case, white space, quote marks of all kinds, asterisks and underscores do not
count, nor does what stands at the quote's ends: dots, commas, colons, semicolons. Knows nothing about models.
"""

import re
from collections.abc import Iterator

_MARKS = frozenset("\"'`“”‘’‚„‹›«»*_")
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]")
_DOTS = re.compile(r"^(?:\.{3}|…)+|(?:\.{3}|…)+$")
_ENDS = ".…,;: \n\t" + "".join(sorted(_MARKS))
_FEWEST = 6  # letters and digits: fewer stand in any text


def quoted_words(text: str, reply: str) -> str | None:
    """Return the words of ``text`` that a reply quotes; None: it quotes none of at least six letters."""
    for candidate in _candidates(reply):
        if sum(map(str.isalnum, candidate)) >= _FEWEST and (span := _find(text, candidate)):
            return text[span[0] : span[1]]
    return None


def _candidates(reply: str) -> list[str]:
    """Return what a reply may mean as its quote: all of it, what is in quote marks, a line of it; whole ones first."""
    parts = [reply, *(found[1] for found in _QUOTED.finditer(reply)), *reply.splitlines()]
    whole = [_DOTS.sub("", part.strip().strip("\"'“”„«»").strip()) for part in parts]
    return [*whole, *(part.strip(_ENDS) for part in parts)]


def _find(text: str, quote: str) -> tuple[int, int] | None:
    """Return where the quote begins and ends in the text."""
    letters = list(_letters(text))
    wanted = "".join(letter for letter, _ in _letters(quote))
    at = "".join(letter for letter, _ in letters).find(wanted) if wanted else -1
    return None if at < 0 else (letters[at][1], letters[at + len(wanted) - 1][1] + 1)


def _letters(text: str) -> Iterator[tuple[str, int]]:
    """Yield what counts of the text, without case, and its place: "ß" is two letters at one place."""
    for place, letter in enumerate(text):
        if not letter.isspace() and letter not in _MARKS:
            yield from ((part, place) for part in letter.casefold())
