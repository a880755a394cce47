"""``cotfaith aggregate``: a run's estimates, from what is committed."""

from cotfaith.cluster.cli.consoles import kept_for_json, messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, Details, MetricPlugins, OnlyModels, OnlyTasks, RayAddress, RunPath
from cotfaith.schemas import keys


def aggregate(
    run_path: RunPath,
    plugins: MetricPlugins = None,
    details: Details = False,
    models: OnlyModels = None,
    tasks: OnlyTasks = None,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Compute the estimates from what is committed."""
    from cotfaith.cluster.cli.comparisons_table import print_comparisons
    from cotfaith.cluster.cli.incomplete import complete_data, say_if_incomplete
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.summary import headline_data, summarise
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.fleet.batch_tasks import each_on
    from cotfaith.cluster.report.depths import depth_data
    from cotfaith.cluster.stats.estimates import read_estimates
    from cotfaith.cluster.stats.plugins import import_metrics
    from cotfaith.cluster.stats.written import write_estimates
    from cotfaith.cluster.storage.completeness import completeness
    from cotfaith.cluster.storage.read import open_run_store

    store = open_run_store(run_path)
    record = run_record(store)
    shown = view(details, models, tasks, (record.identity.models, record.ranges))
    import_metrics(plugins or [])  # modules that the user names, never those that the run's folder names
    with kept_for_json(as_json):
        rows = read_estimates(write_estimates(store, record, each_on(ray, run_path, plugins or [])))
    complete = completeness(store, record)
    if as_json:
        about = {"run_id": record.run_id, "file": store.place(keys.ESTIMATES), "estimates": headline_data(rows, shown)}
        print_json(about | depth_data(record, shown.models) | complete_data(complete))
    else:
        summarise(rows, out, shown, complete.missing, record.serial_depth)
        print_comparisons(store, out, shown)
    say_if_incomplete(complete, messages(as_json))
    say(f"Estimates: {store.place(keys.ESTIMATES)}", messages(as_json))
