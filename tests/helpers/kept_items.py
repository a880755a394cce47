"""Rows of the conditioned theme, made by hand: what is kept of each item and model."""

import polars as pl

from cotfaith.cluster.stats.metrics.conditioned import CONDITIONED
from cotfaith.cluster.stats.metrics.lib.by_item import columns


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
            row = head | {"item_id": f"i{item:04d}", "p0": None if own is None else float(own[item])}
            for metric in CONDITIONED:
                value = metrics.get(metric.title, {})
                found = value[item] if len(value) else None
                num, den = columns(metric)
                row |= {num: 0.0 if found is None else float(found), den: float(found is not None)}
            rows.append(row)
    return pl.DataFrame(rows, schema_overrides={"p0": pl.Float64})
