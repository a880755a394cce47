"""The error rates of a policy on a run whose models' truth is known by their own values: a pool of many items.

In: the store of a run, a policy. Out: ``Study``: rows of verdicts on draws from each model's items, and on mixtures of
two models for which one figure lies on its threshold. A policy claims that a verdict of trust is wrong with a
probability of at most its ``claim``, and a verdict of no trust, too. A row whose share of either is surely above that
refutes it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cotfaith.cluster.stats.metrics.lib.catch import FALSE_POSITIVE_RATE
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.storage.batches import Each, Tables, batches, each_batch
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.verdicts.drawn import CAUGHT, FALSE, FLAGGED
from cotfaith.cluster.verdicts.error_rates import SIZES, TIMES, Outcome, Row, Share, error_rows, mixture, truth
from cotfaith.cluster.verdicts.item_sums import Figure, Pool, pools
from cotfaith.cluster.verdicts.policy import Criterion, Policy, is_named
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.variants import PLAIN

DRAWS = 2000


@dataclass(frozen=True)
class Study:
    """How often a policy's verdicts are right."""

    claim: float
    """The policy's."""
    rows: Sequence[Row] = ()
    """Draws from each model's items."""
    edges: Sequence[Row] = ()
    """Draws from mixtures in which a figure lies on its threshold."""
    lacking: Sequence[str] = field(default=())
    """What could not be measured, and why."""

    @property
    def refuted(self) -> list[Row]:
        """The rows in which a verdict is surely wrong more often than the policy claims."""
        wrong = [row for row in self.rows if row.wrong.ends[0] > self.claim]
        return [*wrong, *(row for row in self.edges if on_edge(row).ends[0] > self.claim)]


def on_edge(row: Row) -> Share:
    """Return the larger of the shares of both verdicts: on a threshold neither is right."""
    trusted, distrusted = row.shares["trust"], row.shares["do_not_trust"]
    return max(trusted, distrusted, key=lambda one: one.count)


def study(
    store: Store,
    run: RunRecord,
    policy: Policy,
    rate: float = FALSE_POSITIVE_RATE,
    number: int = DRAWS,
    each: Each = each_batch,
) -> Study:
    """Draw from the items of a run.

    Args:
        store: where the run is.
        run: its record.
        policy: what decides.
        rate: the false-positive rate that monitors are held to.
        number: draws for each model and size.
        each: where rows are worked on.

    """
    wanted = {name.replace(CAUGHT, FLAGGED) for name in policy.metrics}
    wanted |= {name.replace(FLAGGED, FALSE) for name in wanted if FLAGGED in name}
    ledger = read_ledger(store, run)
    found = pools(each(store, run, batches(ledger, run), _rows), wanted)
    own = {" / ".join(filter(None, cell)): pool for cell, pool in found.items() if cell[0] in run.spec.subjects}
    return judged(own, policy, rate, number)


def judged(own: Mapping[str, Pool], policy: Policy, rate: float, number: int) -> Study:
    """Draw from pools, by their names."""
    large = {name: pool for name, pool in own.items() if len(pool.items) >= TIMES * SIZES[0]}
    lacking = [
        f"{name}: {len(pool.items)} items, and draws of {SIZES[0]} need {TIMES * SIZES[0]}"
        for name, pool in own.items()
        if name not in large
    ]
    rows = [row for name, pool in large.items() for row in error_rows(name, pool, policy, rate, _sizes(pool), number)]
    edges = list(mixtures(large, policy, rate))
    lacking += [f"{name}: no model deserves trust, or none fails it, in this run" for name in _unmixed(edges, policy)]
    made = [row for name, pool in edges for row in error_rows(name, pool, policy, rate, _sizes(pool), number)]
    return Study(policy.claim, rows, made, lacking)


def _rows(tables: Tables) -> Rows:
    return Rows(**tables)


def _sizes(pool: Pool) -> list[int]:
    return [size for size in SIZES if TIMES * size <= len(pool.items)]


def mixtures(found: Mapping[str, Pool], policy: Policy, rate: float) -> Iterator[tuple[str, Pool]]:
    """Yield a pool for each criterion whose figure lies on its threshold, by its name."""
    good = [pool for pool in found.values() if truth(pool, policy, rate) == "trust"]
    for metric, variant_of, threshold in _thresholds(policy):
        made = _mixed(good, list(found.values()), (metric, variant_of, threshold), lambda one: truth(one, policy, rate))
        if made is not None:
            yield f"{metric} = {threshold:g}", made


def _thresholds(policy: Policy) -> Iterator[tuple[str, str | None, float]]:
    """Yield the metric, the arm and the threshold of everything that must pass."""
    yield policy.need_metric, None, policy.need_share
    for _, one in policy.criteria():
        if (threshold := _passes(one)) is not None:
            yield one.metric.replace(CAUGHT, FLAGGED), one.arm, threshold


def _passes(one: Criterion) -> float | None:
    return one.below if one.above is None else one.above


def _unmixed(edges: Sequence[tuple[str, Pool]], policy: Policy) -> list[str]:
    names = [f"{metric} = {threshold:g}" for metric, _, threshold in _thresholds(policy)]
    return [name for name in names if name not in {own for own, _ in edges}]


def _mixed(
    good: Sequence[Pool],
    others: Sequence[Pool],
    asked: tuple[str, str | None, float],
    decide: Callable[[Pool], Outcome],
) -> Pool | None:
    """Return the first mixture of a model that deserves trust and one on the other side of the threshold.

    With the other's figure alone it must not deserve trust: else nothing rests on the figure.
    """
    metric, arm, threshold = asked
    for base in good:
        for figure in _figures(base, metric, arm):
            for other in others:
                if other.items != base.items or figure not in other.figures:
                    continue
                if not _between(base, other, figure, threshold):
                    continue
                replaced = Pool(base.items, {**base.figures, figure: other.figures[figure]})
                if decide(replaced) != "trust":
                    return mixture(base, other, [figure], threshold, figure)
    return None


def _figures(pool: Pool, metric: str, arm: str | None) -> list[Figure]:
    named = [key for key in pool.figures if is_named(key[0], metric)]
    return [key for key in named if (key[1] == PLAIN if arm is None else key[1].partition(".")[2] == arm)]


def _between(base: Pool, other: Pool, figure: Figure, threshold: float) -> bool:
    """Return whether the threshold lies between the values of both, or is the other's."""
    own, its = (_value(pool, figure) for pool in (base, other))
    return bool(own != threshold and (own - threshold) * (its - threshold) <= 0)


def _value(pool: Pool, figure: Figure) -> float:
    one = pool.figures[figure]
    return float(one.num.sum() / one.den.sum()) if one.den.sum() > 0 else float(np.nan)
