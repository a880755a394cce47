"""``cotfaith aggregate``: a run's estimates, from what is committed."""

from cotfaith.cluster.cli.consoles import out, say
from cotfaith.cluster.cli.options import MetricPlugins, RunPath
from cotfaith.schemas import keys


def aggregate(run_path: RunPath, plugins: MetricPlugins = None) -> None:
    """Compute the estimates from what is committed."""
    from cotfaith.cluster.cli.incomplete import say_what_is_missing
    from cotfaith.cluster.cli.plugins import import_metrics
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.summary import summarise
    from cotfaith.cluster.report.results import write_estimates
    from cotfaith.cluster.storage.read import open_run_store

    store = open_run_store(run_path)
    import_metrics(plugins or [])  # modules that the user names, never those that the run's folder names
    summarise(write_estimates(store, run_record(store)), out)
    say_what_is_missing(store, out)
    say(f"Estimates: {store.place(keys.ESTIMATES)}")
