"""The error rates of a policy on a run whose models' truth is known by their own values: a pool of many items.

In: the store of a run, a policy. Out: ``Study``: rows of verdicts on draws from each model's items, and on mixtures of
two models for which one figure lies on its threshold. A policy claims that a verdict of trust is wrong with a
probability of at most its ``claim``, and a verdict of no trust, too. A row whose share of either is surely above that
refutes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cotfaith.cluster.stats.metrics.lib.catch import FALSE_POSITIVE_RATE
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.storage.batches import Each, Tables, batches, each_batch
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.verdicts.drawn import CAUGHT, FALSE, FLAGGED
from cotfaith.cluster.verdicts.edges import edges, mixed_at
from cotfaith.cluster.verdicts.error_rates import SIZES, TIMES, Row, error_rows
from cotfaith.cluster.verdicts.item_sums import Pool, pools
from cotfaith.cluster.verdicts.policy import Policy
from cotfaith.schemas.run_objects import RunRecord

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
        return [row for row in (*self.rows, *self.edges) if row.wrong.ends[0] > self.claim]


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
    mixed = {edge: pool for edge in edges(policy) if (pool := mixed_at(edge, large, policy, rate)) is not None}
    lacking += [
        f"{edge.name}: no model deserves trust, or none fails it, in this run"
        for edge in edges(policy)
        if edge not in mixed
    ]
    made = [
        replace(row, errors=edge.errors)
        for edge, pool in mixed.items()
        for row in error_rows(edge.name, pool, policy, rate, _sizes(pool), number)
    ]
    return Study(policy.claim, rows, made, lacking)


def _rows(tables: Tables) -> Rows:
    return Rows(**tables)


def _sizes(pool: Pool) -> list[int]:
    return [size for size in SIZES if TIMES * size <= len(pool.items)]
