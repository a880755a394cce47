"""``cotfaith status``: what of a run is committed."""

from typing import TYPE_CHECKING

from cotfaith.cluster.cli.consoles import messages, out, print_json
from cotfaith.cluster.cli.options import AsJson, Details, OnlyModels, OnlyTasks, RunPath

if TYPE_CHECKING:
    from cotfaith.cluster.cli.stages import Stage
    from cotfaith.cluster.cli.view import View


def status(
    run_path: RunPath,
    details: Details = False,
    models: OnlyModels = None,
    tasks: OnlyTasks = None,
    as_json: AsJson = False,
) -> None:
    """Show which shards of a run are committed, and its rows by status."""
    from cotfaith.cluster.cli.incomplete import complete_data, say_if_incomplete
    from cotfaith.cluster.cli.stages import stages
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.storage.completeness import compare
    from cotfaith.cluster.storage.read import open_run_store, read_given_up, read_ledger, read_quarantine

    store = open_run_store(run_path)
    record = run_record(store)
    shown = view(details, models, tasks, (record.identity.models, record.ranges))
    ledger = read_ledger(store, record)
    found = [one for one in stages(record, ledger) if shown.shows(one.model, one.task)]
    complete = compare(record, ledger, read_quarantine(store), read_given_up(store))
    if as_json:
        about = {"run_id": record.run_id, "created": record.created, "stages": [one.as_data() for one in found]}
        print_json(about | complete_data(complete))
    else:
        _print(f"Run {record.run_id}, begun {record.created}", found, shown)
    say_if_incomplete(complete, messages(as_json))


def _print(title: str, found: "list[Stage]", shown: "View") -> None:
    from cotfaith.cluster.cli.fit import fits, print_first
    from cotfaith.cluster.cli.stages import by_model
    from cotfaith.cluster.cli.status_tables import models_table, status_table

    table = status_table(title, found)
    if shown.in_full or fits(table, out):
        out.print(table)
        return
    sums = by_model(found)
    print_first(lambda n: models_table(title, sums[:n]), len(sums), out, "models: --details")
    out.print("Each model, task and stage: --details; some of them: --model M --task T")
