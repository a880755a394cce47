"""Rows of the conditioned theme, made by hand: what is kept of each item and model."""

import polars as pl

from cotfaith.cluster.stats.metrics.conditioned import CONDITIONED
from cotfaith.cluster.stats.metrics.lib.by_item import columns
from cotfaith.schemas.run_objects import ModelEntry

AOC, NO_COT = "aoc/trapezoid", "accuracy_no_cot"
SIZES = {"a": 10_000, "b": 100_000, "c": 1_000_000, "d": 10_000_000}
TRAINED = {
    "big1": {"checkpoint_of": "big", "loss": 3.0},
    "big2": {"checkpoint_of": "big", "loss": 2.0},
    "big": {"family": "g", "parameters": 200, "loss": 1.0},
    "small1": {"checkpoint_of": "small", "loss": 4.0},
    "small": {"family": "g", "parameters": 100, "loss": 2.0},
}
VALUES = {"big1": 0.2, "big2": 0.4, "big": 0.9, "small1": 0.1, "small": 0.5}


def kept_items(values, task="t", p0=None, strategy="cot", channel=""):
    """Return the rows of one task.

    Args:
        values: model -> metric's title -> a value for each item; None: the item has none. Other metrics have none.
        task: the task's name.
        p0: model -> a probability for each item, or one for all models; null where it is not given.
        strategy: the strategy's name.
        channel: the channel's name.

    """
    rows = []
    for model, metrics in values.items():
        own = p0.get(model) if isinstance(p0, dict) else p0
        for item in range(len(next(iter(metrics.values())))):
            head = {"model": model, "task": task, "strategy": strategy, "variant": "plain", "channel": channel}
            row = head | {"item_id": f"i{item:04d}", "p0": None if own is None else float(own[item]), "y0": None}
            for metric in CONDITIONED:
                value = metrics.get(metric.title, {})
                found = value[item] if len(value) else None
                num, den = columns(metric)
                row |= {num: 0.0 if found is None else float(found), den: float(found is not None)}
            rows.append(row)
    return pl.DataFrame(rows, schema_overrides={"p0": pl.Float64, "y0": pl.Float64})


def entries(sizes=SIZES, **more):
    """Return the models of a family, by their sizes, and others."""
    own = [ModelEntry(id=name, source="", roles=["subject"], family="f", parameters=n) for name, n in sizes.items()]
    return [*own, *(ModelEntry(id=name, source="", roles=["subject"], **told) for name, told in more.items())]


def alike(n=40, **values):
    """Models whose items all have the same value."""
    return {name: {AOC: [value] * n} for name, value in values.items()}


def tasks(points, n=100):
    """Return rows of one model: a task with n items for each (accuracy without a chain, value)."""
    return [
        kept_items({"m": {AOC: [y] * n, NO_COT: [1.0] * round(x * n) + [0.0] * (n - round(x * n))}}, task=f"t{i}")
        for i, (x, y) in enumerate(points)
    ]
