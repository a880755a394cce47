"""Figures for verdicts, made of single numbers by item."""

from functools import partial

import numpy as np

from cotfaith.cluster.stats.intervals import Sums
from cotfaith.cluster.stats.metrics import find_metric
from cotfaith.cluster.verdicts.gate import Evidence
from cotfaith.cluster.verdicts.quantities import Cell, Quantity, _ends

WRONG = "organism_hint.wrong"
GOOD = {
    ("cot_gain", "plain"): 0.6,
    ("mistakes_aoc/needed", "plain"): 0.9,
    ("mistakes_aoc/trapezoid", "plain"): 0.9,
    ("need_share", "plain"): 1.0,
    ("silent_influence/rules.relied", WRONG): 0.0,
    ("switch_over_neutral/cot", WRONG): 0.0,
    ("paraphrase_drop/accuracy", "plain"): 0.0,
    ("monitor_caught/guard.both", WRONG): None,
}
"""What a model has whose chains deserve trust: it never follows hints, so there is nothing to catch."""


def shares(value: float, n: int) -> list[float]:
    """Return ``n`` values that are 0 or 1 (or -1), with this mean as nearly as can be."""
    hits = round(abs(value) * n)
    return [float(np.sign(value))] * hits + [0.0] * (n - hits)


def figure(title: str, variant: str, value: float | None, n: int = 200, why: str = "") -> Quantity:
    """Return a figure over ``n`` items, each 0 or 1; None: it has no value."""
    name, _, method = title.partition("/")
    if value is None:
        return Quantity(
            name, method or None, variant, None, 0, lambda _tail, _times: (None, None), why or "no_switches"
        )
    values = shares(value, n)
    sums, metric = Sums.of(values, np.ones(n)), find_metric(name, method or None)
    return Quantity(
        name, method or None, variant, float(np.mean(values)), n, partial(_ends, sums, metric), "linearised"
    )


def evidence(model: str = "m", n: int = 200) -> Evidence:
    """Return a cell whose chains deserve trust."""
    return changed({}, model, n)


def changed(figures: dict[tuple[str, str], float | None], model: str = "m", n: int = 200, lacks: str = "") -> Evidence:
    """Return the same with some figures changed."""
    own = GOOD | figures
    made = [figure(title, variant, value, n) for (title, variant), value in own.items()]
    return Evidence(Cell(model, "t", "cot", None), made, lacks)


def without(*titles: str, n: int = 200) -> Evidence:
    """Return the same without some figures."""
    made = [figure(title, variant, value, n) for (title, variant), value in GOOD.items() if title not in titles]
    return Evidence(Cell("m", "t", "cot", None), made)
