"""The comparison of two models on one task.

In: two sides, the terms, a task. Out: ``OneTask``: lines with a difference, and what is said beside them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.stats.metrics import find_metric
from cotfaith.cluster.stats.metrics.lib.groups import NOT_TOLD
from cotfaith.cluster.stats.metrics.lib.metric import title
from cotfaith.cluster.stats.metrics.lib.recorded import AGREEMENT
from cotfaith.cluster.verdicts.comparing.differences import by_item, difference
from cotfaith.cluster.verdicts.comparing.flips import FLIPS, flips
from cotfaith.cluster.verdicts.comparing.item_sums import ItemSums, Key, item_sums
from cotfaith.cluster.verdicts.comparing.line import Line
from cotfaith.cluster.verdicts.comparing.matched import SKILL, Matched, Place, matched
from cotfaith.cluster.verdicts.comparing.outcomes import CHAIN
from cotfaith.cluster.verdicts.comparing.side import Pair
from cotfaith.cluster.verdicts.comparing.terms import Terms
from cotfaith.cluster.verdicts.comparing.wanted import Wanted
from cotfaith.cluster.verdicts.comparing.withholding import Cell, rests_on_answers, withheld
from cotfaith.schemas.errors import InputError

_ALWAYS = {(metric.name, metric.method) for metric in (*SKILL, AGREEMENT)}
"""What is read beside the wanted figures: skill, and whether imported chains lead to their recorded answers."""


@dataclass(frozen=True)
class Counts:
    """How much of a task there is to compare."""

    task: str
    a: int
    """Items of the first model; ``b`` of the second."""
    b: int
    both: int
    chains: int
    """Chains with an answer under both models."""


@dataclass(frozen=True)
class OneTask:
    """What changed on one task."""

    lines: tuple[Line, ...]
    counts: Counts
    matched: Mapping[tuple[str, str, str], Matched]
    flips: pl.DataFrame
    warnings: tuple[str, ...]


def compare_task(pair: Pair, found: Terms, task: str, wanted: Wanted) -> OneTask:
    """Return what changed; raise ``InputError`` if no item is the same on both sides, or one is another question."""

    def wants(key: Key) -> bool:
        strategy, variant, _, probe, metric, method = key
        admitted = strategy in found.strategies and found.admits(task, probe, variant)
        return admitted and ((metric, method) in _ALWAYS or wanted(variant, metric, method))

    a, b = (item_sums(side, task, wants) for side in pair)
    counts, skill = _counts(pair, task, a, b), matched(a, b)
    reasons = withheld(pair[0], a) | withheld(pair[1], b)
    keys = [key for key in a.sums if key in b.sums and wanted(key[1], *key[4:])]
    given = [key for key in keys if key[:3] not in reasons or not rests_on_answers(key)]
    lines = (_line(task, key, a, b, skill) for key in sorted(given, key=_order))
    changed = flips(a, b).filter(*_admitted(found, task, reasons))
    return OneTask(
        tuple(line for line in lines if line.all.n_items),
        counts,
        {(task, *place): one for place, one in skill.items()},
        changed.select(pl.lit(task).alias("task"), *FLIPS.names()),
        (*_fewer(counts), *(_told(task, cell, why) for cell, why in reasons.items())),
    )


def _order(key: Key) -> tuple[bool | str, ...]:
    """Order lines: plain items first; metrics in the order in which they are scored."""
    return key[0], key[1] != "plain", key[1], key[2]


def _line(task: str, key: Key, a: ItemSums, b: ItemSums, skill: Mapping[Place, Matched]) -> Line:
    strategy, variant, channel, _, metric, method = key
    bounds, values = find_metric(metric, method).bounds, by_item(a.sums[key], b.sums[key])
    own = skill.get((strategy, channel))
    alike = None if own is None or own.by == title(metric, method) else difference(values, bounds, own.items)
    told = None if channel == NOT_TOLD else channel
    return Line(task, strategy, variant, told, metric, method, difference(values, bounds), alike)


def _admitted(found: Terms, task: str, reasons: Mapping[Cell, str]) -> Iterator[pl.Expr]:
    """Yield which flips are shown: those of variants that are compared, and whose figures are not withheld."""
    left_out = [name for own, name in found.variants if own == task]
    yield pl.col("strategy").is_in(list(found.strategies))
    yield ~pl.col("variant").str.split(".").list.first().is_in(left_out)
    for strategy, variant, _ in reasons:
        yield ~((pl.col("strategy") == strategy) & (pl.col("variant") == variant))


def _counts(pair: Pair, task: str, a: ItemSums, b: ItemSums) -> Counts:
    both = a.items.join(b.items, on="item_id", how="inner", suffix="_b").sort("item_id")
    if both.is_empty():
        raise InputError(
            f"{task}: {pair[0].name} and {pair[1].name} have no item in common (such as {_first(a)} and {_first(b)}). "
            "Run both on the same items."
        )
    other = both.filter(pl.col("digest") != pl.col("digest_b"))
    if len(other):
        raise InputError(
            f"{task}: {len(other)} of {len(both)} items with the same id are not the same question in both runs, such "
            f"as {other['item_id'][0]!r}. Compare runs on the same items: one file, or one generator with the same "
            "options and the same seed."
        )
    return Counts(task, len(a.items), len(b.items), len(both), len(a.outcomes.join(b.outcomes, on=CHAIN, how="semi")))


def _first(own: ItemSums) -> str:
    return repr(own.items["item_id"].min()) if len(own.items) else "none"


def _fewer(counts: Counts) -> Iterator[str]:
    if counts.both < max(counts.a, counts.b):
        yield (
            f"{counts.task}: only the {counts.both} items that both have are compared ({counts.a} and {counts.b}): the "
            "others have nothing beside them."
        )


def _told(task: str, cell: Cell, reason: str) -> str:
    return f"{task}, {' · '.join(cell[:2])}: figures on what the chains do to the answer are withheld: {reason}"
