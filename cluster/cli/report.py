"""``cotfaith report``: a run's report, from what is committed."""

from typing import TYPE_CHECKING, Annotated

import typer

from cotfaith.cluster.cli.consoles import kept_for_json, messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, MetricPlugins, PolicyFile, RayAddress, RunPath
from cotfaith.schemas import keys

if TYPE_CHECKING:
    from cotfaith.cluster.storage.store import Store

Open = Annotated[bool, typer.Option("--open", help="Open the report in the browser; only runs in local folders.")]


def report(
    run_path: RunPath,
    policy_file: PolicyFile = None,
    plugins: MetricPlugins = None,
    ray: RayAddress = None,
    as_json: AsJson = False,
    opened: Open = False,
) -> None:
    """Write report.html and the verdicts from what is committed."""
    from cotfaith.cluster.cli.incomplete import complete_data, say_if_incomplete
    from cotfaith.cluster.cli.moved_lines import print_moved
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.fleet.batch_tasks import each_on
    from cotfaith.cluster.report.depths import depth_data
    from cotfaith.cluster.report.results import make_results
    from cotfaith.cluster.stats.estimates import read_estimates
    from cotfaith.cluster.stats.plugins import import_metrics
    from cotfaith.cluster.storage.completeness import completeness
    from cotfaith.cluster.storage.read import open_run_store
    from cotfaith.cluster.verdicts.policy import load_policy

    import_metrics(plugins or [])  # modules that the user names, never those that the run's folder names
    policy = load_policy(policy_file)
    store = open_run_store(run_path)
    page = _file(store) if opened else ""
    record = run_record(store)
    with kept_for_json(as_json):
        made = make_results(store, record, each_on(ray, run_path, plugins or []), policy)
    complete = completeness(store, record)
    if as_json:
        about = {"run_id": record.run_id, "report": store.place(keys.REPORT)}
        print_json(about | made.first.data() | depth_data(record) | complete_data(complete))
    else:
        print_moved(read_estimates(made.estimates), out, in_full=False)
    say_if_incomplete(complete, messages(as_json))
    say(f"Report: {store.place(keys.REPORT)}", messages(as_json))
    if page:
        _open(page)


def _file(store: "Store") -> str:
    """Return the address of the report's file; raise ``SpecError`` if the run is not in a local folder."""
    from pathlib import Path

    from cotfaith.schemas.errors import SpecError

    place = store.place(keys.REPORT)
    if "://" in place:
        raise SpecError(
            f"--open: the report is at {place}, which is no local file. Copy it to this machine and open it, or leave "
            "--open out."
        )
    return Path(place).absolute().as_uri()


def _open(page: str) -> None:
    """Open the page in the user's browser."""
    import webbrowser

    if not webbrowser.open(page):
        say(f"No browser was found. Open {page} yourself.", messages(True))
