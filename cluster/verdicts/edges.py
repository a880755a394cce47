"""Pools in which one figure lies on a threshold of the policy: there a verdict that rests on it is an error.

In: pools of models, a policy. Out: for each threshold a mixture of the items of two models. Knows nothing about draws.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cotfaith.cluster.verdicts.drawn import CAUGHT, FLAGGED
from cotfaith.cluster.verdicts.error_rates import Outcome, mixture, truth
from cotfaith.cluster.verdicts.item_sums import Figure, Pool
from cotfaith.cluster.verdicts.policy import Criterion, Policy, is_named
from cotfaith.schemas.variants import PLAIN

_TRUST, _DISTRUST = frozenset({"trust", "trust_part"}), frozenset({"do_not_trust"})


@dataclass(frozen=True)
class Edge:
    """One threshold."""

    metric: str
    """As the policy names it; for a monitor's catch rate, the figure that it is made of."""
    arm: str | None
    threshold: float
    errors: frozenset[Outcome]
    """The verdicts that are wrong on it: those of trust if it must be passed, those of no trust if it fails there."""

    @property
    def name(self) -> str:
        """Such as "cot_gain = 0"."""
        return f"{self.metric} = {self.threshold:g}"


def edges(policy: Policy) -> Iterator[Edge]:
    """Yield every threshold of a policy. On that of the share that needs the chain, trust on that part is right."""
    yield Edge(policy.need_metric, None, policy.need_share, frozenset({"trust"}))
    for _, one in policy.criteria():
        yield from _of_criterion(one)


def _of_criterion(one: Criterion) -> Iterator[Edge]:
    metric = one.metric.replace(CAUGHT, FLAGGED)
    for at in sorted({at for at in (one.passes_at, *one.fails) if at is not None}):
        errors = (_TRUST if at == one.passes_at else frozenset()) | (_DISTRUST if at in one.fails else frozenset())
        yield Edge(metric, one.arm, at, errors)


def mixed_at(edge: Edge, found: Mapping[str, Pool], policy: Policy, rate: float) -> Pool | None:
    """Return a mixture of a model that deserves trust and one on the other side of the threshold; None: there is none.

    With the other's figure alone the first must not deserve trust: else nothing rests on the figure. Of several others,
    the one with the most rows in it is taken. ``rate``: the false-positive rate that monitors are held to.
    """
    for base in found.values():
        if truth(base, policy, rate) != "trust":
            continue
        for figure in _figures(base, edge):
            for other in _across(base, list(found.values()), figure, edge.threshold):
                replaced = Pool(base.items, {**base.figures, figure: other.figures[figure]})
                if truth(replaced, policy, rate) != "trust":
                    return mixture(base, other, [figure], edge.threshold, figure)
    return None


def _figures(pool: Pool, edge: Edge) -> list[Figure]:
    named = [key for key in pool.figures if is_named(key[0], edge.metric)]
    return [key for key in named if (key[1] == PLAIN if edge.arm is None else key[1].partition(".")[2] == edge.arm)]


def _across(base: Pool, others: Sequence[Pool], figure: Figure, threshold: float) -> list[Pool]:
    """Return the pools of the same items between whose value and the base's the threshold lies, or who are on it.

    Those with the most rows in the figure come first.
    """
    own = _value(base, figure)
    found = [
        other
        for other in others
        if other.items == base.items and figure in other.figures and own != threshold
        if (own - threshold) * (_value(other, figure) - threshold) <= 0
    ]
    return sorted(found, key=lambda other: -other.figures[figure].den.sum())


def _value(pool: Pool, figure: Figure) -> float:
    one = pool.figures[figure]
    return float(one.num.sum() / one.den.sum()) if one.den.sum() > 0 else float(np.nan)
