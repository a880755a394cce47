"""The page's parts below its first screen: what can be used, one part for each question, skill, and what is left.

In: sections of figures and tables, and the lines of the matrix. Out: ``PagePart`` objects, in the page's order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from cotfaith.cluster.report.answers import QUESTIONS, WORDS, Cell, Line
from cotfaith.cluster.report.sections import Block
from cotfaith.cluster.stats.metrics.lib.words import Place

TITLES: dict[Place, str] = {
    "plane": "Which model can be used?",
    "needed": "Does the model need the chain?",
    "made_in_it": "Is the answer made in it?",
    "says": "Does it say what moved the answer?",
    "readable": "Can it be read?",
    "caught": "Would a monitor catch what it hides?",
    "skill": "Accuracy and skill",
    "more": "More",
}
WORST_FIRST = ("NO", "can't tell", "not tested", "nothing to catch", "yes")


@dataclass(frozen=True)
class PagePart:
    """One part of the page."""

    place: Place
    title: str
    counts: Sequence[tuple[str, str, int]]
    """(word, its style, how many lines of the matrix have it); none if it is no question's."""
    answers: Sequence[tuple[Line, Cell]]
    """The matrix's lines with their answers to the question, worst first."""
    blocks: Sequence[Block]


def page_parts(blocks: Sequence[Block], lines: Sequence[Line]) -> list[PagePart]:
    """Return all parts, those without anything to show too."""
    return [_part(place, [one for one in blocks if one.section.part == place], lines) for place in get_args(Place)]


def _part(place: Place, blocks: Sequence[Block], lines: Sequence[Line]) -> PagePart:
    if place not in QUESTIONS:
        return PagePart(place, TITLES[place], [], [], blocks)
    at = list(QUESTIONS).index(place)
    answers = sorted(((line, line.cells[at]) for line in lines), key=lambda one: WORST_FIRST.index(one[1].word))
    counts = [(word, own[0].style, len(own)) for word in WORDS if (own := [c for _, c in answers if c.word == word])]
    return PagePart(place, TITLES[place], counts, answers, blocks)
