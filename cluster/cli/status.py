"""``cotfaith status``: what of a run is committed, and what its driver does now."""

from typing import TYPE_CHECKING, Annotated

import typer

from cotfaith.cluster.cli.consoles import err, messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, Details, OnlyModels, OnlyTasks, RunPath

if TYPE_CHECKING:
    from cotfaith.cluster.cli.stages import Stage
    from cotfaith.cluster.cli.view import View


def status(
    run_path: RunPath,
    details: Details = False,
    models: OnlyModels = None,
    tasks: OnlyTasks = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again, while a driver works on it.")
    ] = False,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.5, help="With --watch: how often.")] = 5.0,
    live: Annotated[
        bool, typer.Option("--live", help="Only what its driver does now. No commit is read: fast on any run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show which shards of a run are committed, its rows by status, and what its driver does now."""
    from cotfaith.cluster.cli.incomplete import say_if_incomplete
    from cotfaith.cluster.cli.status_live import live_part
    from cotfaith.cluster.cli.status_read import Seen, driver_data, find_driver, live_data, read_committed
    from cotfaith.cluster.cli.status_watch import watch_run
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.storage.read import open_run_store

    store = open_run_store(run_path)
    record = run_record(store)
    shown = view(details, models, tasks, (record.identity.models, record.ranges))
    if live and watch:
        raise typer.BadParameter(
            "--live shows the driver's status once; --watch reads the commits too. Give one of them."
        )
    if live:
        alive = find_driver(store)
        if as_json:
            about = {"run_id": record.run_id, "created": record.created}
            print_json(about | {"driver": driver_data(alive), "live": live_data(alive)})
        else:
            out.print(live_part(alive, out.width))
        return
    if watch:
        seen = watch_run(store, record, shown, every, as_json)
    else:
        with err.status("looking whether a driver works on it, for up to 30 s"):
            alive = find_driver(store)
        seen = Seen(record, read_committed(store, record, shown), alive)
    if not as_json:
        _print(f"Run {record.run_id}, begun {record.created}", seen.committed.stages, shown)
        for one in seen.committed.noise if shown.in_full else [one for one in seen.committed.noise if one.is_above]:
            say(f"{one.model}: noise floor of its scores {one.text}", out)
        out.print(live_part(seen.alive, out.width))
    elif not watch:
        print_json(seen.as_data())
    say_if_incomplete(seen.committed.complete, messages(as_json))


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
