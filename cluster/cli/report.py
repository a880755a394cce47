"""``cotfaith report``: a run's report, from what is committed."""

from cotfaith.cluster.cli.consoles import out, say
from cotfaith.cluster.cli.options import MetricPlugins, RayAddress, RunPath
from cotfaith.schemas import keys


def report(run_path: RunPath, plugins: MetricPlugins = None, ray: RayAddress = None) -> None:
    """Write report.html from what is committed."""
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.moved_lines import print_moved
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.fleet.batch_tasks import each_on
    from cotfaith.cluster.report.results import write_results
    from cotfaith.cluster.stats.estimates import read_estimates
    from cotfaith.cluster.stats.plugins import import_metrics
    from cotfaith.cluster.storage.read import open_run_store

    store = open_run_store(run_path)
    import_metrics(plugins or [])  # modules that the user names, never those that the run's folder names
    rows = read_estimates(write_results(store, run_record(store), each_on(ray, run_path, plugins or [])))
    print_moved(rows, out, in_full=False)
    say_what_is_missing(store, out)
    say(f"Report: {store.place(keys.REPORT)}")
