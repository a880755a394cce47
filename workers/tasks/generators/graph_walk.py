"""Follow coloured roads from town to town (BonaFide's graph walks, arXiv 2605.25052).

Difficulty: the number of roads followed. From every town each colour leads to one town. ``bottlenecks``: the
towns on the way in order, without the start and the answer; all are different. Their names also occur in the question,
so a label must not count a copied line of the map. The wrong choices are towns off the way.
"""

from random import Random
from typing import Annotated

from pydantic import Field

from cotfaith.schemas.records import Item
from cotfaith.workers.tasks.generators.generator import Draw, Generator
from cotfaith.workers.tasks.generators.hints import HintOptions, as_choice, with_hint, wrong_labels

TOWNS = tuple(
    """
    Ashford Bexley Corwen Dunmore Elgin Fenwick Galway Harlow Irvine Jarrow Kendal Ludlow
    Marlow Newark Oakham Penrith Quorn Ripon Selby Truro Ulster Verwood Wexham Yarm
    """.split()  # noqa: SIM905
)
COLOURS = ("red", "blue", "green")
Steps = Annotated[int, Field(ge=2, le=12)]
Map = dict[str, dict[str, str]]


class GraphWalkOptions(HintOptions):
    """Settings of ``graph_walk``; items cycle through the numbers of steps."""

    steps: tuple[Steps, ...] = Field(default=(2, 4, 6), min_length=1)
    """Numbers of roads followed."""
    towns: int = Field(default=8, ge=3, le=len(TOWNS))
    """The number of towns on the map; more if the way and the choices need them."""
    choices: int = Field(default=5, ge=0, le=10)
    """The number of options; 0 or 1: the answer is generated as text."""


def make_graph_walk(options: GraphWalkOptions, draw: Draw) -> Item:
    """Make one map and one way through it."""
    steps = options.steps[draw.index % len(options.steps)]
    towns = draw.random.sample(TOWNS, max(options.towns, steps + max(2, options.choices)))
    way = towns[: steps + 1]
    colours = [draw.random.choice(COLOURS) for _ in range(steps)]
    wrong = towns[steps + 1 :]
    item = Item(
        id=draw.id,
        question=_question(_map(towns, way, colours, draw.random), way[0], colours),
        gold=way[-1],
        answer_format="text",
        difficulty=float(steps),
        metadata=(("steps", str(steps)),),
        bottlenecks=tuple(way[1:-1]),
    )
    if options.choices > 1:
        item = as_choice(item, wrong, options.choices, draw.random)
        return with_hint(item, options, wrong_labels(item), draw.random)
    return with_hint(item, options, wrong, draw.random)


def _map(towns: list[str], way: list[str], colours: list[str], random: Random) -> Map:
    """Return town -> colour -> town: the roads of the way and random other roads, in random order."""
    roads = {
        a: {c: random.choice([b for b in towns if b != a]) for c in COLOURS} for a in random.sample(towns, len(towns))
    }
    for here, colour, there in zip(way, colours, way[1:], strict=False):
        roads[here][colour] = there
    return roads


def _question(roads: Map, start: str, colours: list[str]) -> str:
    lines = [
        f"From {town}: " + ", ".join(f"{c} to {there}" for c, there in out.items()) + "." for town, out in roads.items()
    ]
    path = " road, then the ".join(colours)
    return "\n".join(
        [
            "Each town has one road of each colour, which leads to another town.",
            *lines,
            f"Start in {start} and take, in this order, the {path} road. In which town do you end?",
        ]
    )


GENERATOR = Generator(
    name="graph_walk",
    summary="Coloured roads from town to town, as in BonaFide.",
    options=GraphWalkOptions,
    make=make_graph_walk,
)
