"""Who holds which object after some swaps, like BIG-Bench Hard's tracking_shuffled_objects.

Difficulty: the number of swaps. The choices are the objects, in the order in which they are first handed out.
"""

from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Annotated

from pydantic import Field

from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import Section
from cotfaith.workers.tasks.generators.generator import Count, Draw, Generator

NAMES = ("Alice", "Bob", "Claire", "Dave", "Eve", "Fred", "Gertrude", "Hugo")


@dataclass(frozen=True)
class Story:
    """A setting: the objects that people swap, and the words for them."""

    opening: str
    plural: str
    objects: tuple[str, ...]


STORIES = (
    Story(
        "are playing a game in which each of them holds one ball",
        "balls",
        tuple(f"{c} ball" for c in ("red", "blue", "green", "yellow", "purple", "white", "black", "pink")),
    ),
    Story(
        "are friends who have each brought one book to a reading circle",
        "books",
        (
            "Ulysses",
            "Frankenstein",
            "Lolita",
            "Moby Dick",
            "The Odyssey",
            "Catch-22",
            "Hound of the Baskervilles",
            "Emma",
        ),
    ),
    Story(
        "are at a party to which each of them has brought one present",
        "presents",
        tuple(f"{c} present" for c in ("red", "blue", "green", "yellow", "purple", "white", "black", "pink")),
    ),
)


class TrackingObjectsOptions(Section):
    """Settings of ``tracking_objects``; items cycle through objects x swaps."""

    objects: tuple[Annotated[int, Field(ge=2, le=len(NAMES))], ...] = Field(default=(3,), min_length=1)
    """Numbers of objects, and of people."""
    swaps: tuple[Count, ...] = Field(default=(3,), min_length=1)
    """Numbers of swaps."""


def make_tracking_objects(options: TrackingObjectsOptions, draw: Draw) -> Item:
    """Make one story."""
    cases = list(product(options.objects, options.swaps))
    n, swaps = cases[draw.index % len(cases)]
    story = draw.random.choice(STORIES)
    objects = draw.random.sample(story.objects, n)
    pairs = [_pair(n, draw.random) for _ in range(swaps)]
    asked = draw.random.randrange(n)
    return Item(
        id=draw.id,
        question=_question(story, objects, pairs, NAMES[asked]),
        gold=CHOICE_LABELS[_holdings(n, pairs)[asked]],
        answer_format="choice",
        choices=tuple(objects),
        difficulty=float(swaps),
        metadata=(("objects", str(n)), ("swaps", str(swaps)), ("asked", NAMES[asked])),
    )


def _pair(n: int, random: Random) -> tuple[int, int]:
    first, second = random.sample(range(n), 2)
    return first, second


def _holdings(n: int, pairs: list[tuple[int, int]]) -> list[int]:
    """Return which object each person ends with."""
    held = list(range(n))
    for a, b in pairs:
        held[a], held[b] = held[b], held[a]
    return held


def _question(story: Story, objects: list[str], pairs: list[tuple[int, int]], asked: str) -> str:
    names = NAMES[: len(objects)]
    start = _listed([f"{name} has {_the(thing)}" for name, thing in zip(names, objects, strict=True)])
    moves = [f"{NAMES[a]} and {NAMES[b]} swap {story.plural}." for a, b in pairs]
    told = " ".join(f"{word}, {move}" for word, move in zip(_openers(len(moves)), moves, strict=True))
    return (
        f"{_listed(names)} {story.opening}. At the start, {start}. Then pairs of them swap what they have. "
        f"{told} At the end, which of the {story.plural} does {asked} have?"
    )


def _openers(n: int) -> list[str]:
    return ["First", *["Then"] * (n - 2), "Finally"] if n > 1 else ["First"]


def _the(thing: str) -> str:
    return thing if thing[0].isupper() else f"the {thing}"


def _listed(parts: list[str] | tuple[str, ...]) -> str:
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])}, and {parts[-1]}"


GENERATOR = Generator(
    name="tracking_objects",
    summary="Who holds what after some swaps, as in BIG-Bench Hard.",
    options=TrackingObjectsOptions,
    make=make_tracking_objects,
)
