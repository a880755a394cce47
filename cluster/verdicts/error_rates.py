"""How often verdicts are right: runs of n items are drawn from large pools of items whose truth is known.

In: pools of models, a policy. Out: shares of all verdicts over draws without replacement, for each model and size, with
their Monte Carlo error, beside the verdict that the policy gives on the pool's own values. Mixtures put a figure's true
value on its threshold: there a verdict of trust, and one of no trust, is an error. Nothing here knows a model's design.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cotfaith.cluster.stats.intervals import clopper_pearson
from cotfaith.cluster.stats.inverted import SMALLEST
from cotfaith.cluster.verdicts.drawn import Drawn, Ints, draws, figures, quantities_of
from cotfaith.cluster.verdicts.gate import Evidence, verdicts
from cotfaith.cluster.verdicts.item_sums import Figure, ItemSums, Pool
from cotfaith.cluster.verdicts.policy import Policy
from cotfaith.cluster.verdicts.quantities import Cell, Quantity
from cotfaith.cluster.verdicts.verdict import Verdict

SIZES = (20, 50, 100, 200, 500)
TIMES = 10
"""A pool has at least this many times the items of the largest draw."""
Outcome = str
"""A verdict and its stratum: "trust", "trust_part", "do_not_trust" or "not_enough_evidence"."""
OUTCOMES: tuple[Outcome, ...] = ("trust", "trust_part", "do_not_trust", "not_enough_evidence")


@dataclass(frozen=True)
class Share:
    """A share of draws, with its exact 95% interval."""

    count: int
    draws: int

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.draws

    @property
    def ends(self) -> tuple[float, float]:
        """Its Monte Carlo error."""
        return clopper_pearson(self.count, self.draws)


@dataclass(frozen=True)
class Row:
    """The verdicts on draws of one size from one pool."""

    pool: str
    truth: Outcome
    """What the policy says of the pool's own values."""
    size: int
    shares: Mapping[Outcome, Share]
    errors: frozenset[Outcome] | None = None
    """The verdicts that are wrong; None: those that are not the truth."""

    @property
    def wrong(self) -> Share:
        """Draws with a wrong verdict of trust, or with a wrong one of no trust, whichever are more."""
        wrong = wrong_of(self.truth) if self.errors is None else self.errors
        counts = [sum(self.shares[name].count for name in kind & wrong) for kind in _KINDS]
        return Share(max(counts), next(iter(self.shares.values())).draws)


_KINDS = (frozenset({"trust", "trust_part"}), frozenset({"do_not_trust"}))


def wrong_of(truth: Outcome) -> frozenset[Outcome]:
    """Return the verdicts that are wrong: trust on a part is right where trust on all is."""
    right = {"trust": {"trust", "trust_part"}, "trust_part": {"trust_part"}, "do_not_trust": {"do_not_trust"}}
    return frozenset(OUTCOMES) - right.get(truth, set()) - {"not_enough_evidence"}


def error_rows(name: str, pool: Pool, policy: Policy, rate: float, sizes: Sequence[int], number: int) -> Iterator[Row]:
    """Yield a row for each size; ``rate``: the false-positive rate that monitors are held to."""
    true = truth(pool, policy, rate)
    for size in sizes:
        counts = Counter(outcome(one) for one in drawn_verdicts(pool, policy, rate, size, number))
        yield Row(name, true, size, {key: Share(counts[key], number) for key in OUTCOMES})


def drawn_verdicts(pool: Pool, policy: Policy, rate: float, size: int, number: int) -> Iterator[Verdict]:
    """Yield the verdict on each draw, as if it were the only cell of a run."""
    if len(pool.items) < TIMES * size:
        raise ValueError(f"{len(pool.items)} items are too few for draws of {size}: at least {TIMES * size}")
    found = figures(pool, draws(len(pool.items), size, number, 0), rate, policy)
    for at in range(number):
        yield from verdicts("", [Evidence(_CELL, list(quantities_of(found, at)))], policy, explain=False)


_CELL = Cell("", "", "cot", None)


def outcome(one: Verdict) -> Outcome:
    """Return the verdict, with whether it is on a part of the items."""
    return "trust_part" if one.verdict == "trust" and not one.is_whole else one.verdict


def truth(pool: Pool, policy: Policy, rate: float) -> Outcome:
    """Return the verdict that the policy gives if the pool's values are the true ones: nothing is uncertain."""
    everything = np.arange(len(pool.items))[None, :]
    found = figures(pool, everything, rate, policy)
    sure = [_sure(one) for one in quantities_of(found, 0)]
    (made,) = verdicts("", [Evidence(_CELL, sure)], policy, explain=False)
    return outcome(made)


def _sure(one: Quantity) -> Quantity:
    """Return a figure whose ends are its value."""
    assert isinstance(one, Drawn), "quantities_of makes them"
    value = one.value
    if value is None:
        return one
    above = {at: SMALLEST if value > at else 1.0 for at in one.p_above}
    below = {at: SMALLEST if value < at else 1.0 for at in one.p_below}
    return replace(one, ends=lambda _tail, _times: (value, value), p_above=above, p_below=below)


def mixture(base: Pool, other: Pool, mixed: Sequence[Figure], threshold: float, figure: Figure) -> Pool:
    """Return ``base`` with the figures ``mixed`` of some items taken from ``other``, so that one lies on a threshold.

    The value of ``figure`` over all items is as near to ``threshold`` as whole items allow. Items are taken in a fixed
    random order.
    """
    if base.items != other.items:
        raise ValueError("the pools have different items")
    order = np.random.default_rng(1).permutation(len(base.items))
    own, its = base.figures[figure], other.figures[figure]
    num = own.num.sum() + np.cumsum((its.num - own.num)[order])
    den = own.den.sum() + np.cumsum((its.den - own.den)[order])
    n = int(np.argmin(np.abs(num / den - threshold))) + 1
    taken = order[:n]
    changed = {key: _mixed(base.figures[key], other.figures[key], taken) for key in mixed}
    return Pool(base.items, {**base.figures, **changed})


def _mixed(own: ItemSums, its: ItemSums, taken: Ints) -> ItemSums:
    made = ItemSums(own.num.copy(), own.den.copy(), own.squares.copy())
    for name in ("num", "den", "squares"):
        getattr(made, name)[taken] = getattr(its, name)[taken]
    return made
