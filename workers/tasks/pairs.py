"""Pairs among a task's items: what a pair is, how it is kept together, and what a cut leaves of it.

A pair is two items with the same ``pair`` and different ``side``. In: all items of a source, in its order. Out: the
same items, with the two of a pair next to each other. Knows nothing about what a pair means.
"""

import random
import warnings
from collections import defaultdict
from collections.abc import Sequence

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item

Unit = list[Item]
"""The items of one pair, or one item without a pair."""


def check_pairs(task: str, items: Sequence[Item], *, cut: bool = False) -> None:
    """Raise a ``TaskError`` unless each pair has exactly two sides; ``cut``: the last one may lack its second item."""
    sides: defaultdict[str, Unit] = defaultdict(list)
    for item in items:
        if (item.pair is None) != (item.side is None):
            has, lacks = ("side", "pair") if item.pair is None else ("pair", "side")
            raise TaskError(
                f"task {task!r}, item {item.id!r}: it has a {has} ({getattr(item, has)!r}) and no {lacks}. "
                "An item of a pair has both; others have neither."
            )
        if item.pair is not None:
            sides[item.pair].append(item)
    last = items[-1].pair if cut and items else None
    for pair, own in sides.items():
        if not (pair == last and len(own) == 1):
            _check_sides(task, pair, own)


def _check_sides(task: str, pair: str, own: Unit) -> None:
    if len(own) != 2 or own[0].side == own[1].side:
        found = ", ".join(f"item {item.id!r} as side {item.side!r}" for item in own[:4]) + ", ..." * (len(own) > 4)
        raise TaskError(
            f"task {task!r}, pair {pair!r}: expected two items with different sides, got {len(own)}: {found}. "
            "Fix the pair's records, or leave pair and side empty in all of them."
        )


def together(items: Sequence[Item], shuffle: random.Random | None = None) -> list[Item]:
    """Return the items with each pair's second item behind its first; ``shuffle`` changes the order of the units."""
    units: dict[tuple[str, str], Unit] = {}
    for item in items:
        key = ("item", item.id) if item.pair is None else ("pair", item.pair)
        units.setdefault(key, []).append(item)
    ordered = list(units.values())
    if shuffle is not None:
        shuffle.shuffle(ordered)
    return [item for unit in ordered for item in unit]


def warn_if_cut(task: str, items: Sequence[Item]) -> None:
    """Warn if the last item's pair lacks its other side: such a pair is not compared."""
    if not items or (pair := items[-1].pair) is None or any(item.pair == pair for item in items[:-1]):
        return
    warnings.warn(
        f"task {task!r}: its {len(items):,} items end within pair {pair!r}, which is not compared until the run has "
        f"its other side. Set n: {len(items) + 1}.",
        stacklevel=2,
    )
