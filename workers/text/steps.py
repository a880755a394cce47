"""A chain's text -> steps: sentences, lines or paragraphs.

No character is lost: ``"".join(split_steps(text)) == text``, and no step is blank. Code blocks and displayed formulas
(``blocks``) are never split. Sentences are those of NLTK's Punkt, as in Lanham et al. 2023; a line break also ends a
sentence. Punkt runs without its downloaded model; the abbreviations below replace it. It knows only the full stops of
Latin script; those of Chinese, Japanese, Arabic, Urdu and Hindi are added here.
"""

import functools
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from cotfaith.schemas.spec import StepUnit
from cotfaith.workers.text.blocks import find_blocks

TOKENS_PER_STEP = 20
"""Assumed by plans, where no chain has been sampled yet."""
_ABBREVIATIONS = (
    "e.g",
    "i.e",
    "vs",
    "cf",
    "approx",
    "eq",
    "dr",
    "mr",
    "mrs",
    "ms",
    "prof",
    "st",
    "jr",
    "sr",
    "u.s",
    "u.k",
)


@functools.cache
def _punkt() -> Any:
    from nltk.tokenize.punkt import PunktLanguageVars, PunktParameters, PunktSentenceTokenizer  # a slow import

    class Language(PunktLanguageVars):  # type: ignore[misc]  # NLTK has no types
        """Punkt's patterns without NLTK's time limit: a long chain can exceed it, and the pattern is linear."""

        def period_context_re(self) -> Any:
            """Return the pattern of a possible sentence end, without a limit."""
            return re.compile(super().period_context_re().pattern, re.VERBOSE)

    parameters = PunktParameters()
    parameters.abbrev_types.update(_ABBREVIATIONS)
    return PunktSentenceTokenizer(parameters, lang_vars=Language())


_LIST_MARK = re.compile(r"^\s*(?:(?:step\s*)?\d+[.):]|[-*•]+|\(?[a-z]\))\s*$", re.IGNORECASE)
_LINE = re.compile(r"[^\n]+")
_OTHER_FULL_STOP = re.compile(r"(?:[。！？]+[”’」』）]*\s*|[؟۔।]+\s+)(?=\S)")
_BLANK_LINES = re.compile(r"\n[ \t\r]*\n\s*")


def split_steps(text: str, unit: StepUnit = "sentence") -> tuple[str, ...]:
    """Split ``text`` into steps; each keeps the white space after it, the first step also the white space before it."""
    bounds = [0, *_outside_blocks(text, sorted(set(_STARTS[unit](text)))), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(bounds) if b > a]
    return tuple(_join_fragments(pieces))


def merge_steps(steps: Sequence[str], at_most: int | None) -> tuple[str, ...]:
    """Join neighbouring steps into ``at_most`` groups of nearly equal size; None: leave all steps."""
    n = len(steps)
    if at_most is None or n <= at_most:
        return tuple(steps)
    return tuple("".join(steps[i * n // at_most : (i + 1) * n // at_most]) for i in range(at_most))


def _sentences(text: str) -> Iterable[int]:
    for line in _LINE.finditer(text):
        for begin, _ in _punkt().span_tokenize(line.group()):
            yield line.start() + begin
    for stop in _OTHER_FULL_STOP.finditer(text):
        yield stop.end()


def _lines(text: str) -> Iterable[int]:
    return (line.start() for line in _LINE.finditer(text))


def _paragraphs(text: str) -> Iterable[int]:
    return (blank.end() for blank in _BLANK_LINES.finditer(text))


_STARTS = {"sentence": _sentences, "line": _lines, "paragraph": _paragraphs}


def _outside_blocks(text: str, starts: Sequence[int]) -> list[int]:
    blocks = find_blocks(text)
    opened = [start for start, _ in blocks]

    def inside(place: int) -> bool:
        index = bisect_right(opened, place) - 1
        return index >= 0 and blocks[index][0] < place < blocks[index][1]

    return [start for start in starts if not inside(start)]


def _join_fragments(pieces: list[str]) -> list[str]:
    """Join blank pieces and bare list marks ("1.", "-") to the sentence that follows them."""
    steps: list[str] = []
    held: list[str] = []
    for piece in pieces:
        held.append(piece)
        if piece.strip() and not _LIST_MARK.match(piece):
            steps.append("".join(held))
            held = []
    rest = "".join(held)
    if rest and steps:
        steps[-1] += rest
    elif rest.strip():
        steps.append(rest)
    return steps
