"""``cotfaith select``: which model and strategy to use, if its chains of thought are to be trusted.

Exit codes: 0 somebody passes on every task; 2 bad input; 3 nobody does.
"""

import io
from typing import TYPE_CHECKING

import typer

from cotfaith.cluster.cli.consoles import kept_for_json, messages, out, print_json
from cotfaith.cluster.cli.options import AsJson, MetricPlugins, PolicyFile, RayAddress, RunPath
from cotfaith.schemas import keys

if TYPE_CHECKING:
    from cotfaith.cluster.stats.estimates import Estimate
    from cotfaith.cluster.storage.store import Store

NOBODY = 3


def select(
    run_path: RunPath,
    policy_file: PolicyFile = None,
    plugins: MetricPlugins = None,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Choose the most capable model whose chains are trusted, overall and task by task."""
    from cotfaith.cluster.cli.incomplete import complete_data, say_if_incomplete
    from cotfaith.cluster.cli.select_tables import print_selection, selection_data
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.fleet.batch_tasks import each_on
    from cotfaith.cluster.stats.plugins import import_metrics
    from cotfaith.cluster.storage.completeness import completeness
    from cotfaith.cluster.storage.read import open_run_store
    from cotfaith.cluster.verdicts.candidate import candidates, sizes_of
    from cotfaith.cluster.verdicts.decide import write_verdicts
    from cotfaith.cluster.verdicts.policy import load_policy
    from cotfaith.cluster.verdicts.select import select as selected

    import_metrics(plugins or [])  # modules that the user names, never those that the run's folder names
    policy = load_policy(policy_file)
    store = open_run_store(run_path)
    record = run_record(store)
    with kept_for_json(as_json):
        verdicts = write_verdicts(store, record, policy, each_on(ray, run_path, plugins or []))
    found = selected(candidates(verdicts, _estimates(store), sizes_of(record)))
    complete = completeness(store, record)
    if as_json:
        print_json({"run_id": record.run_id, **selection_data(found), **complete_data(complete)})
    else:
        print_selection(found, out)
    say_if_incomplete(complete, messages(as_json))
    if found.chosen is None:
        raise typer.Exit(NOBODY)


def _estimates(store: "Store") -> "list[Estimate]":
    """Return the estimates that were written with the verdicts."""
    import pyarrow.parquet as pq

    from cotfaith.cluster.stats.estimates import read_estimates

    data = store.get(keys.ESTIMATES)
    assert data is not None, "they are written with the verdicts"
    return read_estimates(pq.read_table(io.BytesIO(data)))
