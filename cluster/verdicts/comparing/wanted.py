"""Which figures are compared: those that a score of each item adds up to.

In: what the user names. Out: ``Wanted``. A figure that is a function of several sums, or a ratio of two means, has no
value of an item, so that it has no difference item by item.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.cluster.stats.metrics import all_metrics
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.suggest import unknown
from cotfaith.schemas.variants import PLAIN

Name = tuple[str, str | None]
"""Metric and method; ``ANY``: all methods."""
_PLAIN: tuple[Name, ...] = (
    *(("accuracy_cot", None), ("accuracy_no_cot", None), ("cot_gain", None)),
    *(("need_share", None), ("raw_reliance", None)),
    *(("aoc", "trapezoid"), ("mistakes_aoc", "trapezoid"), ("mistakes_aoc", "needed")),
    *(("paraphrase_drop", "accuracy"), ("transfer_gap", ANY)),
)
_VARIANTS: tuple[Name, ...] = (("switch_over_neutral", "cot"), ("silent_influence", ANY))


@dataclass(frozen=True)
class Wanted:
    """The metrics that are compared: what is named, or else some on plain items and some on variants."""

    named: tuple[Name, ...] = ()

    def __call__(self, variant: str, metric: str, method: str | None) -> bool:
        """Return whether a figure is compared."""
        names = self.named or (_PLAIN if variant == PLAIN else _VARIANTS)
        return (metric, method) in names or (metric, ANY) in names


def wanted(texts: Sequence[str]) -> Wanted:
    """Return what is wanted, from texts such as "aoc" or "aoc/soft"; none: the ones of this module.

    Raises:
        InputError: there is no such metric, or it cannot be compared item by item.

    """
    return Wanted(tuple(_name(text) for text in texts))


def _name(text: str) -> Name:
    name, slash, method = text.partition("/")
    known = [metric for metric in all_metrics() if metric.name == name]
    if not known:
        raise InputError(f"--metric: {unknown('metric', name, {metric.name for metric in all_metrics()})}")
    methods = {metric.method for metric in known}
    if slash and not methods & {method, ANY}:
        raise InputError(f"--metric: {name}: {unknown('method', method, [one for one in methods if one])}")
    if not any(by_item(metric) for metric in known):
        raise InputError(
            f"--metric: {name} is a function of sums over all items, so it has no difference item by item. Compare the "
            "estimates of the two runs, or name a metric that is a mean over items."
        )
    return name, method if slash else ANY


def by_item(metric: Metric) -> bool:
    """Return whether each item has a value of its own."""
    return metric.function is None and not metric.ratio
