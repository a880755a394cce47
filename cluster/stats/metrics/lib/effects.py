"""Effects: sums and counts of one metric's scores, by item and position. An estimate is made of their sums.

In: a frame of scores, as ``frame.py`` describes it. Out: arrays with one element for each effect, ordered by group,
position and item; items are in the order in which they appear. The columns of an effect:

    numerator     sum of the item's values
    denominator   sum of ``per``
    squares       sum of the squares of its values
    least         sum over all rows, failed ones at the smallest possible value; nan without bounds
    most          the same, at the largest possible value
    n_ok          values behind it
    n_total       rows that should have given one
    n_arms        arms behind it; nan if the scores are not of chains
    n_arms_ok     arms that did not fail

Scores of steps are left out. Shapes: N = scores, E = effects, G = groups, I = items, P = positions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import GROUP, ITEM, NAME
from cotfaith.cluster.storage.codes import Integers, Ints, dense_codes, first_rows, numbers, without_gaps

Floats = npt.NDArray[np.float64]
_CASES = ("least", "most", "n_arms", "n_arms_ok")
"""Columns that may be null: they sum what is known."""


@dataclass(frozen=True)
class Effects:
    """The effects of one metric and method."""

    name: tuple[str | None, ...]
    """Probe, metric and method."""
    groups: pl.DataFrame
    """``GROUP`` of each of the G groups, and ``optional``: whether one of its scores is."""
    items: pl.Series
    """The ids of the I items."""
    positions: pl.Series
    """The P positions, smallest first; null, which comes first, is one of them."""
    group: Ints
    """Place of each effect's group (E)."""
    item: Ints
    """Place of its item (E)."""
    position: Ints
    """Place of its position (E)."""
    sums: Mapping[str, Floats]
    """Column -> sums (E)."""

    def starts(self) -> Ints:
        """Return the first effect of each line: a group and position that occur."""
        found: Ints = np.flatnonzero(np.diff(self.group * len(self.positions) + self.position, prepend=-1))
        return found

    def frame(self) -> pl.DataFrame:
        """Return the effects as rows: GROUP, NAME, position, item_id, the columns above and ``optional``."""
        names = [pl.lit(text, dtype=pl.String).alias(name) for name, text in zip(NAME, self.name, strict=True)]
        counts = [name for name in self.sums if name.startswith("n_")]
        sums = pl.DataFrame(dict(self.sums)).with_columns(pl.all().fill_nan(None))
        of_group = self.groups[self.group]
        return of_group.select(GROUP).with_columns(
            *names,
            self.positions[self.position].alias("position"),
            self.items[self.item].alias("item_id"),
            *sums.with_columns(pl.col(counts).cast(pl.Int64)),
            of_group["optional"],
        )


def effects(frames: Iterable[pl.DataFrame]) -> Iterator[Effects]:
    """Yield the effects of each frame: the scores of one metric and method."""
    keys = None
    for found in frames:
        facts = _Facts.of(found)
        if facts.n_null["step"] < len(found):
            found = found.filter(pl.col("step").is_null())
            facts = _Facts.of(found)
        columns = numbers(found, ITEM)
        if keys is None or not keys.are_of(columns):
            keys = _Keys.of(found, columns)
        yield _effects(found, facts, keys)


@dataclass(frozen=True)
class _Facts:
    """What is known of all scores of a frame: constant columns need not be read row by row."""

    name: tuple[str | None, ...]
    n_null: Mapping[str, int]
    is_per_one: bool
    some_optional: bool
    all_optional: bool

    @classmethod
    def of(cls, found: pl.DataFrame) -> "_Facts":
        """Return the facts."""
        counted, per, optional = ("step", "position", "value", *_CASES), pl.col("per"), pl.col("optional")
        row = found.select(
            pl.col(NAME).first(),
            pl.col(counted).null_count(),
            is_per_one=((per.min() == 1) & (per.max() == 1)).fill_null(True),
            some_optional=optional.any(),
            all_optional=optional.all(),
        ).row(0, named=True)
        name, n_null = (tuple(row.pop(key) for key in keys) for keys in (NAME, counted))
        return cls(name, dict(zip(counted, n_null, strict=True)), **row)


@dataclass(frozen=True)
class _Keys:
    """Codes of the scores' groups and items. Scores of the same rows have the same: they are made once."""

    columns: Sequence[Integers]
    """The columns of ITEM as integers."""
    group: Ints
    """A code for each score (N)."""
    item: Ints
    groups: pl.DataFrame
    """``GROUP`` of each group (G)."""
    items: pl.Series
    """The id of each item (I)."""

    @classmethod
    def of(cls, found: pl.DataFrame, columns: Sequence[Integers]) -> "_Keys":
        """Return the codes of the scores."""
        (group_N, n_groups), (item_N, n_items) = dense_codes(columns[: len(GROUP)]), without_gaps(columns[-1])
        groups = found.select(GROUP)[first_rows(group_N, n_groups)].cast(pl.String)
        return cls(columns, group_N, item_N, groups, found["item_id"].gather(first_rows(item_N, n_items)))

    def are_of(self, columns: Sequence[Integers]) -> bool:
        """Return whether these are the codes of the same rows: their columns lie in the same memory."""
        return all(
            own.ctypes.data == other.ctypes.data and own.dtype == other.dtype and len(own) == len(other)
            for own, other in zip(self.columns, columns, strict=True)
        )


def _effects(found: pl.DataFrame, facts: _Facts, keys: _Keys) -> Effects:
    positions, position_N = _positions(found, facts)
    sizes = (len(keys.groups), len(positions), len(keys.items))
    line_N = keys.group if len(positions) == 1 else keys.group * len(positions) + position_N
    code_N = keys.item if sizes[0] * sizes[1] == 1 else line_N * sizes[2] + keys.item
    there_E, effect_N = _present(code_N, prod(sizes))
    line_E, item_E = np.divmod(there_E, max(1, sizes[2]))
    group_E, position_E = np.divmod(line_E, max(1, sizes[1]))
    groups = keys.groups.with_columns(optional=_optional(found, facts, keys))
    sums = _sums(found, facts, effect_N, len(there_E))
    return Effects(facts.name, groups, keys.items, positions, group_E, item_E, position_E, sums)


def _optional(found: pl.DataFrame, facts: _Facts, keys: _Keys) -> npt.NDArray[np.bool_]:
    if facts.some_optional == facts.all_optional or not len(found):
        return np.full(len(keys.groups), facts.some_optional)
    return np.bincount(keys.group, found["optional"].to_numpy(), len(keys.groups)) > 0


def _positions(found: pl.DataFrame, facts: _Facts) -> tuple[pl.Series, Ints]:
    """Return the positions, and the place of each score's among them."""
    n_null = facts.n_null["position"]
    if n_null == len(found):
        return found.select(pl.col("position").head(1)).to_series(), np.zeros(0, np.int64)
    values = found["position"]
    known = values.unique().sort()
    values_N, place_N = values.to_numpy(), np.zeros(len(found), np.int64)
    there_N = ~np.isnan(values_N) if n_null else slice(None)
    place_N[there_N] = min(1, n_null) + np.searchsorted(known.drop_nulls().to_numpy(), values_N[there_N])
    return known, place_N


def _present(code_N: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the codes below ``size`` that occur, smallest first, and the place of each score's among them."""
    if size > 4 * len(code_N) + 1024:
        there_E, place_N = np.unique(code_N, return_inverse=True)
        return there_E, place_N
    there_E = np.flatnonzero(np.bincount(code_N, minlength=size))
    if len(there_E) == size:
        return there_E, code_N
    place = np.empty(size, np.int64)
    place[there_E] = np.arange(len(there_E))
    return there_E, place[code_N]


def _sums(found: pl.DataFrame, facts: _Facts, effect_N: Ints, n: int) -> dict[str, Floats]:
    """Return the sums of each effect's scores. What is equal to a sum that is known is not summed again."""

    def summed(values_N: npt.NDArray[np.generic] | None = None) -> Floats:
        return np.bincount(effect_N, values_N, n).astype(np.float64, copy=False)

    value_N, n_total = found["value"].to_numpy(), summed()
    ok_N = ~np.isnan(value_N) if facts.n_null["value"] else None
    filled_N = value_N if ok_N is None else np.where(ok_N, value_N, 0.0)
    numerator, n_ok, square_N = summed(filled_N), n_total if ok_N is None else summed(ok_N), filled_N * filled_N
    sums = {
        "numerator": numerator,
        "denominator": n_ok if facts.is_per_one else summed(_filled(found["per"])),
        "squares": numerator if np.array_equal(square_N, filled_N) else summed(square_N),
        "n_total": n_total,
        "n_ok": n_ok,
    }
    for name in _CASES:
        n_null = facts.n_null[name]
        if n_null == len(found):
            sums[name] = np.full(n, np.nan)
        elif n_null == 0 and ok_N is None and np.array_equal(own_N := found[name].to_numpy(), value_N):
            sums[name] = numerator
        else:
            own_N = found[name].to_numpy()
            total = summed(_filled(found[name]))
            sums[name] = np.where(summed(~np.isnan(own_N)) > 0, total, np.nan) if n_null else total
    return sums


def _filled(values: pl.Series) -> npt.NDArray[np.generic]:
    found = values.to_numpy()
    return np.where(np.isnan(found), 0.0, found) if values.null_count() else found
