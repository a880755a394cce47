"""The verdicts on a run: from its committed rows, by a policy, kept as verdicts.parquet.

In: the store of a run. Out: a ``Verdict`` for each model, task, strategy and channel that the run is of. They rest on
the sums of the estimates, which are written anew with them. A cell whose shards are not all done, whose model was given
up, or whose figures are withheld gets no decision.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from cotfaith.cluster.stats.aggregate import in_order
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import tallies_of
from cotfaith.cluster.stats.tally import Tally
from cotfaith.cluster.stats.written import Written, put_table, write_sums
from cotfaith.cluster.storage.batches import Each, Tables, each_batch
from cotfaith.cluster.storage.completeness import Completeness, completeness
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.verdicts.corrected import NEEDED, with_corrections
from cotfaith.cluster.verdicts.gate import Evidence, verdicts
from cotfaith.cluster.verdicts.policy import Policy, is_named
from cotfaith.cluster.verdicts.quantities import Cell, cells, quantities
from cotfaith.cluster.verdicts.table import verdicts_table
from cotfaith.cluster.verdicts.verdict import Verdict
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord


def write_verdicts(store: Store, run: RunRecord, policy: Policy, each: Each = each_batch) -> list[Verdict]:
    """Decide on a run, and write and return the verdicts; ``each``: where rows are worked on whose sums are missing."""
    return decide(store, run, write_sums(store, run, each), completeness(store, run), policy)


def decide(store: Store, run: RunRecord, made: Written, complete: Completeness, policy: Policy) -> list[Verdict]:
    """Return the verdicts on sums that are read, and write them."""
    found = verdicts(run.run_id, evidence_of(run, made.total, made.estimates, complete, policy), policy)
    put_table(store, keys.VERDICTS, verdicts_table(found))
    return found


def verdicts_at_hand(
    run: RunRecord, tables: Tables, estimates: pa.Table, complete: Completeness | None, policy: Policy
) -> list[Verdict]:
    """Return the verdicts on a run whose tables are at hand; nothing is written. ``complete``: None: all is there."""
    rows = Rows(*(in_order(tables[name]) for name in ("items", "chains", "observations")))
    whole = Completeness(0, 0, {}) if complete is None else complete
    return verdicts(run.run_id, evidence_of(run, tallies_of(rows)[0], estimates, whole, policy), policy)


def evidence_of(
    run: RunRecord, found: Tally, estimates: pa.Table, complete: Completeness, policy: Policy
) -> list[Evidence]:
    """Return what is known of each cell that the run asks for, and of others that have figures."""
    named = frozenset({*policy.metrics, *NEEDED})
    figures = quantities(found, lambda title: any(is_named(title, name) for name in named))
    withheld = dict(_withheld(estimates))
    return [
        Evidence(
            cell,
            with_corrections(figures.get(cell, []), policy),
            _lacks(cell, complete) or withheld.get(cell, ""),
        )
        for cell in _all(run, cells(found))
    ]


def _all(run: RunRecord, there: set[Cell]) -> list[Cell]:
    """Return the subjects' cells with figures, and those that the spec asks for and that have none, in its order."""
    others = {model.id for model in run.spec.models} - {*run.spec.subjects}
    asked = [
        Cell(model, task.name, strategy, None)
        for model in run.spec.subjects
        for task in run.spec.tasks
        if run.spec.answers(model, task)
        for strategy in run.spec.strategies
    ]
    order = {(one.model, one.task, one.strategy): at for at, one in enumerate(asked)}
    known = {(one.model, one.task, one.strategy) for one in there}
    found = [
        *(one for one in there if one.model not in others),
        *(one for one in asked if (one.model, one.task, one.strategy) not in known),
    ]
    return sorted(found, key=lambda one: (order.get((one.model, one.task, one.strategy), len(order)), str(one)))


def _lacks(cell: Cell, complete: Completeness) -> str:
    n = complete.missing.get((cell.model, cell.task), 0)
    if not n:
        return ""
    reason = next((why for name, why in complete.given_up if name == cell.model), "")
    return f"{n} of its shards are missing: run it again." + (f" The model was given up: {reason}" if reason else "")


def _withheld(estimates: pa.Table) -> Iterator[tuple[Cell, str]]:
    columns = ["model", "task", "strategy", "channel", "withheld"]
    for row in estimates.select(columns).to_pylist():
        if row["withheld"] is not None:
            yield Cell(row["model"], row["task"], row["strategy"], row["channel"]), f"Withheld: {row['withheld']}"


def exit_code(found: Sequence[Verdict]) -> int:
    """Return 3 if some items or cells are not to be trusted, 4 if something is not known, 0 if all can be trusted."""
    if any(one.verdict == "do_not_trust" for one in found):
        return 3
    return 0 if found and all(one.verdict == "trust" and one.is_whole for one in found) else 4
