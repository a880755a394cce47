"""Comparisons of two entities, each asked in both orders: IPHR. Arcuschin et al. 2025, arXiv 2503.08679.

Items come from a table of entities with a numeric property. Each drawn pair of entities gives, for each comparison, the
pair "is X greater than Y?" and "is Y greater than X?": exactly one of them is answered with Yes. ``group`` is property
and comparison. Difficulty: how close the two values are, from 0 (the ends of the table) to 1. ``n`` counts items.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from random import Random
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from cotfaith.schemas.records import Item
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import Section, check_section
from cotfaith.workers.remote.files import local_file
from cotfaith.workers.tasks.entities import Entities, Entity, Margin, read_entities
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.generators.generator import Draw, Generator
from cotfaith.workers.tasks.ids import item_id

Comparison = Literal["greater", "less"]
SIDES = ("forward", "reversed")
_PLACE = re.compile(r"\{(x|y)\}")


class PairedComparisonOptions(Section):
    """Settings of ``paired_comparison``."""

    file: str
    """The table: CSV, TSV, JSON, JSON lines or Parquet, wherever task files may be."""
    name: str
    """The column with the entities' names."""
    value: str
    """The column with the numeric property; all values have the same unit."""
    property: str = Field(min_length=1)
    """What the values are, such as length: it names the groups."""
    greater: str
    """The question whether x has the greater value, such as "Is {x} longer than {y}?"."""
    less: str
    """The question whether x has the smaller value, such as "Is {x} shorter than {y}?"."""
    comparisons: tuple[Comparison, ...] = Field(default=("greater", "less"), min_length=1, max_length=2)
    """Which of the two questions are asked."""
    margin: float = Field(ge=0, allow_inf_nan=False)
    """Pairs whose values differ by no more than this are near ties, and left out."""
    margin_is: Literal["relative", "absolute"] = "relative"
    """relative: a share, below 1, of the larger absolute value. absolute: in the unit of the values."""

    @field_validator("greater", "less")
    @classmethod
    def _names_both(cls, text: str) -> str:
        if sorted(_PLACE.findall(text)) != ["x", "y"]:
            raise ValueError(f"expected a question with {{x}} and {{y}}, each once; got {text!r}")
        return text

    @field_validator("comparisons")
    @classmethod
    def _named_once(cls, names: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
        if len(set(names)) < len(names):
            raise ValueError("names a comparison twice; remove one")
        return names

    @model_validator(mode="after")
    def _is_a_share(self) -> "PairedComparisonOptions":
        if self.margin_is == "relative" and self.margin >= 1:
            raise ValueError("a relative margin is a share below 1; set margin_is: absolute, or a smaller margin")
        return self


@dataclass(frozen=True)
class ComparisonDraw(Draw):
    """One question about two entities."""

    comparison: Comparison
    x: Entity
    y: Entity
    span: Fraction
    """The largest value of the table minus the smallest."""


def make_comparison(options: PairedComparisonOptions, draw: ComparisonDraw) -> Item:
    """Make one question; the other of its pair has x and y swapped."""
    names = {"x": draw.x.name, "y": draw.y.name}
    wording = options.greater if draw.comparison == "greater" else options.less
    is_so = draw.x.value > draw.y.value if draw.comparison == "greater" else draw.x.value < draw.y.value
    return Item(
        id=draw.id,
        question=_PLACE.sub(lambda place: names[place[1]], wording),
        gold="true" if is_so else "false",
        answer_format="boolean",
        choices=("Yes", "No"),
        difficulty=float(1 - abs(draw.x.value - draw.y.value) / draw.span),
        metadata=(("property", options.property), ("comparison", draw.comparison), *names.items()),
        pair=f"pair-{draw.index // 2:06d}",
        side=SIDES[draw.index % 2],
        group=f"{options.property} {draw.comparison}",
    )


@dataclass(frozen=True)
class TableGenerator(Generator[PairedComparisonOptions]):
    """A generator whose items come from a file, which is read once."""

    def generate(self, task: str, options: dict[str, Any], n: int, seed: int) -> list[Item]:
        """Return the first ``n`` items of ``task``; fewer, with a warning, if the table has no more."""
        checked = check_section(self.options, options, f"task {task!r}, options")
        path = local_file(checked.file, f"task {task!r}, options.file")
        margin = Margin(Fraction(repr(checked.margin)), checked.margin_is)
        records = read_records(path, (checked.name, checked.value))
        table = read_entities(path, records, checked.name, checked.value, margin)
        found = list(islice(self._items(task, checked, table, seed), n))
        if len(found) < n:
            warnings.warn(
                f"task {task!r}: n is {n:,}, but {path} has only {table.n_pairs:,} pairs beyond the margin, which give "
                f"{len(found):,} items.",
                stacklevel=2,
            )
        return found

    def _items(self, task: str, options: PairedComparisonOptions, table: Entities, seed: int) -> Iterator[Item]:
        index = 0
        for drawn, pair in enumerate(table.draw(Random(derive_seed(seed, task, "pairs")))):
            random = Random(derive_seed(seed, task, drawn))
            x, y = random.sample(pair, 2)
            for comparison in options.comparisons:
                for one, other in ((x, y), (y, x)):
                    about = (comparison, one, other, table.span)
                    yield make_comparison(options, ComparisonDraw(item_id(task, index), index, random, *about))
                    index += 1


GENERATOR = TableGenerator(
    name="paired_comparison",
    summary="Pairs: is X greater than Y, and is Y greater than X, from a table. Arcuschin et al. 2025.",
    options=PairedComparisonOptions,
    make=make_comparison,  # type: ignore[arg-type]
    of_pairs=True,
)
