"""Sums over items: all that estimates need of effects. Sums of parts of a run add up to those of the whole.

In: effects, the sums by item of ``metrics/lib/effects.py``, and vectors of sums. Out: a ``Tally``: a line of sums for
each estimate, for curves the cross-products of their positions, and the different vectors. Its size does not depend on
the number of items, but for what is kept of items that are compared with each other. Knows nothing about intervals.

Shapes: P = positions of a curve, I = items, E = effects.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cotfaith.cluster.stats.metrics.lib.effects import Effects
from cotfaith.cluster.stats.metrics.lib.frame import GROUP, NAME
from cotfaith.cluster.stats.metrics.lib.function import COUNTED
from cotfaith.cluster.stats.metrics.lib.vectors import SCHEMA as VECTORS
from cotfaith.cluster.stats.metrics.lib.vectors import together
from cotfaith.cluster.storage.codes import Ints

Floats = npt.NDArray[np.float64]
Key = tuple[Any, ...]
"""GROUP and NAME."""
CURVE = [*GROUP, *NAME]
LINE = [*CURVE, "position"]
FLOATS = ("num", "den", "num2", "cross", "den2", "squares", "least", "most")
COUNTS = ("n", "n_effects", "n_total", "n_ok", "n_items", "n_arms", "n_arms_ok", "no_cases", "no_arms", "n_counts")
SUMS = [*LINE, "optional", *FLOATS, *COUNTS]
"""The columns of sums. ``n``: items with a numerator or a denominator. ``n_effects``: items with a row. ``n_items``:
items with a value. ``no_cases`` and ``no_arms``: items without ``least`` and ``most``, and without ``n_arms``.
``n_counts``: items that counts stand for (``weights.py``)."""
_COUNTED = ("n_total", "n_ok", "n_arms", "n_arms_ok")
_HEAD = dict.fromkeys(CURVE, pl.String) | {"position": pl.Float64, "optional": pl.Boolean}
_EMPTY = pl.DataFrame(schema=_HEAD | dict.fromkeys(FLOATS, pl.Float64) | dict.fromkeys(COUNTS, pl.Int64))


@dataclass(frozen=True)
class Crosses:
    """Sums over items of products between the positions of one curve, each of shape (P, P)."""

    positions: tuple[float, ...]
    n_items: int
    """Items with an effect at any position."""
    both: Floats
    """The number of items with effects at both positions."""
    num2: Floats
    cross: Floats
    """Numerator at the row's position times denominator at the column's."""
    den2: Floats

    @classmethod
    def of(
        cls, positions: tuple[float, ...], num_IP: Floats, den_IP: Floats, there_IP: Floats | None = None
    ) -> "Crosses":
        """Return the sums over items; ``there_IP``: 1 where an item has an effect, by default everywhere."""
        there = np.ones_like(num_IP) if there_IP is None else there_IP
        return cls(positions, len(num_IP), there.T @ there, num_IP.T @ num_IP, num_IP.T @ den_IP, den_IP.T @ den_IP)

    def at(self, positions: tuple[float, ...]) -> "Crosses":
        """Return those of some positions, in their order; 0 at positions that it lacks."""
        place = {at: i for i, at in enumerate(self.positions)}
        rows = [(to, place[at]) for to, at in enumerate(positions) if at in place]
        to, of = np.array([one[0] for one in rows], dtype=int), np.array([one[1] for one in rows], dtype=int)

        def moved(matrix_PP: Floats) -> Floats:
            made = np.zeros((len(positions), len(positions)))
            made[np.ix_(to, to)] = matrix_PP[np.ix_(of, of)]
            return made

        return Crosses(positions, self.n_items, *(moved(one) for one in (self.both, self.num2, self.cross, self.den2)))

    def __add__(self, other: "Crosses") -> "Crosses":
        positions = tuple(sorted({*self.positions, *other.positions}))
        a, b = (one if one.positions == positions else one.at(positions) for one in (self, other))
        products = (x + y for x, y in ((a.both, b.both), (a.num2, b.num2), (a.cross, b.cross), (a.den2, b.den2)))
        return Crosses(positions, self.n_items + other.n_items, *products)

    def times(self, n: int) -> "Crosses":
        """Return the sums if each item stands for ``n`` alike ones."""
        products = (n * one for one in (self.both, self.num2, self.cross, self.den2))
        return Crosses(self.positions, n * self.n_items, *products)

    @property
    def is_shared(self) -> bool:
        """Whether any item has effects at two positions; else the positions are strata."""
        return bool((self.both - np.diag(np.diag(self.both))).any())


@dataclass(frozen=True)
class Tally:
    """The sums of some items."""

    sums: pl.DataFrame = field(default_factory=lambda: _EMPTY)
    """A line for each estimate, with the columns of ``SUMS``."""
    crosses: Mapping[Key, Crosses] = field(default_factory=dict)
    """For each curve (the columns of ``CURVE``)."""
    vectors: pl.DataFrame = field(default_factory=VECTORS.to_frame)
    """For metrics that are functions of several sums: the items' different vectors, as ``metrics/lib/vectors.py``."""
    kept: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Name of metrics -> what ``Together.keep`` returned, of all parts."""

    def lines(self) -> pl.DataFrame:
        """Return the sums with ``of_items``: the items of the line's curve, at any position; null without positions."""
        known = [(*key, one.n_items) for key, one in self.crosses.items()]
        schema = dict.fromkeys(CURVE, pl.String) | {"of_items": pl.Int64}
        counts = pl.DataFrame(known, schema=schema, orient="row")
        return self.sums.join(counts, on=CURVE, how="left", nulls_equal=True, maintain_order="left")

    def times(self, n: int, are_counts: bool) -> "Tally":
        """Return the sums if each item stands for ``n`` alike ones; ``are_counts``: whether to note that."""
        counted = pl.col("n_effects") if are_counts else pl.lit(0, dtype=pl.Int64)
        sums = self.sums.with_columns(counted.alias("n_counts")).with_columns(pl.col(*FLOATS, *COUNTS) * n)
        vectors = self.vectors.with_columns(pl.col("n_items", *COUNTED) * n)
        return Tally(sums.select(SUMS), {key: one.times(n) for key, one in self.crosses.items()}, vectors)

    def __add__(self, other: "Tally") -> "Tally":
        crosses = dict(self.crosses)
        for key, one in other.crosses.items():
            crosses[key] = crosses[key] + one if key in crosses else one
        kept = dict(self.kept)
        for name, rows in other.kept.items():
            kept[name] = pl.concat([kept[name], rows]) if name in kept else rows
        return Tally(_added([self.sums, other.sums]), crosses, together([self.vectors, other.vectors]), kept)


def tally(found: Iterable[Effects], vectors: Iterable[pl.DataFrame] = ()) -> Tally:
    """Return the sums of effects; those of one metric and method are not kept.

    ``vectors``: those of metrics that are functions of several sums.
    """
    heads, sums, crosses = list[Key](), list[dict[str, Floats]](), dict[Key, Crosses]()
    for effects in found:
        if len(effects.group):
            start = effects.starts()
            heads += _heads(effects, start)
            sums.append(_sums(effects, start))
            for key, own in _crosses(effects):
                crosses[key] = crosses[key] + own if key in crosses else own
    return Tally(_added([_EMPTY, _lines(heads, sums)]), crosses, together(list(vectors)))


def _lines(heads: list[Key], sums: list[dict[str, Floats]]) -> pl.DataFrame:
    """Return the sums of all metrics."""
    if not heads:
        return _EMPTY
    found = {name: np.concatenate([one[name] for one in sums]) for name in (*FLOATS, *COUNTS)}
    numbers = pl.DataFrame(found).cast(dict.fromkeys(COUNTS, pl.Int64))
    return pl.DataFrame(heads, schema=_HEAD, orient="row").hstack(numbers)


def _heads(effects: Effects, start: Ints) -> Iterator[Key]:
    """Yield what each line is of: CURVE, position, and whether it is optional."""
    positions, groups = effects.positions.to_list(), effects.groups.rows()
    for group, position in zip(effects.group[start].tolist(), effects.position[start].tolist(), strict=True):
        *names, optional = groups[group]
        yield (*names, *effects.name, positions[position], optional)


def _sums(effects: Effects, start: Ints) -> dict[str, Floats]:
    """Return the sums of each line of one metric: a group and position; ``start``: the first effect of each."""

    def total(values_E: npt.NDArray[np.generic]) -> Floats:
        return np.add.reduceat(values_E, start, dtype=np.float64)

    e = effects.sums
    num_E, den_E = e["numerator"], e["denominator"]
    return {
        "num": total(num_E),
        "den": total(den_E),
        "num2": total(num_E * num_E),
        "cross": total(num_E * den_E),
        "den2": total(den_E * den_E),
        **{name: total(_known(e[name])) for name in ("squares", "least", "most", *_COUNTED)},
        "n": total((num_E != 0) | (den_E != 0)),
        "n_effects": np.diff(start, append=len(num_E)),
        "n_items": total(e["n_ok"] > 0),
        "no_cases": total(np.isnan(e["least"])),
        "no_arms": total(np.isnan(e["n_arms"])),
        "n_counts": np.zeros(len(start)),
    }


def _known(values_E: Floats) -> Floats:
    unknown = np.isnan(values_E)
    return np.where(unknown, 0.0, values_E) if unknown.any() else values_E


def _added(found: list[pl.DataFrame]) -> pl.DataFrame:
    """Add the lines of the same estimate, in their order."""
    joined = pl.concat(found).lazy().group_by(LINE, maintain_order=True)
    return joined.agg(pl.col("optional").any(), pl.col(*FLOATS, *COUNTS).sum()).select(SUMS).collect()


def _crosses(effects: Effects) -> Iterator[tuple[Key, Crosses]]:
    """Yield the cross-products of one metric's curves."""
    first = effects.positions.null_count()
    if first == len(effects.positions):
        return
    bounds = np.searchsorted(effects.group, np.arange(len(effects.groups) + 1))  # effects are in the order of groups
    for names, start, stop in zip(effects.groups.select(GROUP).iter_rows(), bounds[:-1], bounds[1:], strict=True):
        own = start + np.flatnonzero(effects.position[start:stop] >= first)
        if len(own):
            yield (*names, *effects.name), _curve(effects, own)


def _curve(effects: Effects, own: Ints) -> Crosses:
    """Return the cross-products of some effects."""
    (items, item), (there, position) = (
        np.unique(one[own], return_inverse=True) for one in (effects.item, effects.position)
    )
    num_IP, den_IP, there_IP = np.zeros((3, len(items), len(there)))
    place = item, position
    num_IP[place], den_IP[place] = (effects.sums[name][own] for name in ("numerator", "denominator"))
    there_IP[place] = 1.0
    return Crosses.of(tuple(effects.positions[there].to_list()), num_IP, den_IP, there_IP)
