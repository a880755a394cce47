"""``cotfaith gate``: verdicts on a run's chains, by a policy.

Exit codes: 0 all are trusted, on all items; 2 bad input; 3 some are not to be trusted; 4 not enough evidence.
"""

from typing import Annotated, Any

import typer

from cotfaith.cluster.cli.consoles import kept_for_json, messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, MetricPlugins, PolicyFile, RayAddress, RunPath
from cotfaith.schemas import keys


def _print_policy(wanted: bool) -> None:
    from cotfaith.cluster.verdicts.policy import DEFAULT

    if wanted:
        print(DEFAULT.read_text(encoding="utf-8"), end="")
        raise typer.Exit


PrintPolicy = Annotated[
    bool,
    typer.Option("--print-policy", is_eager=True, callback=_print_policy, help="Print the default policy, and exit."),
]


def gate(
    run_path: RunPath,
    policy_file: PolicyFile = None,
    plugins: MetricPlugins = None,
    ray: RayAddress = None,
    as_json: AsJson = False,
    print_policy: PrintPolicy = False,
) -> None:
    """Decide whose chains of thought can be trusted: trust, do not trust, or not enough evidence."""
    from cotfaith.cluster.cli.gate_tables import show_verdicts
    from cotfaith.cluster.cli.incomplete import complete_data, say_if_incomplete
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.fleet.batch_tasks import each_on
    from cotfaith.cluster.stats.plugins import import_metrics
    from cotfaith.cluster.storage.completeness import completeness
    from cotfaith.cluster.storage.read import open_run_store
    from cotfaith.cluster.verdicts.decide import exit_code, write_verdicts
    from cotfaith.cluster.verdicts.policy import load_policy

    import_metrics(plugins or [])  # modules that the user names, never those that the run's folder names
    policy = load_policy(policy_file)
    store = open_run_store(run_path)
    record = run_record(store)
    with kept_for_json(as_json):
        found = write_verdicts(store, record, policy, each_on(ray, run_path, plugins or []))
    complete, place = completeness(store, record), store.place(keys.VERDICTS)
    if as_json:
        made: dict[str, Any] = {"run_id": record.run_id, "file": place, "policy": policy.model_dump()}
        print_json(made | {"verdicts": [_data(one) for one in found]} | complete_data(complete))
    else:
        show_verdicts(found, out)
    say_if_incomplete(complete, messages(as_json))
    say(f"Verdicts: {place}", messages(as_json))
    if code := exit_code(found):
        raise typer.Exit(code)


def _data(one: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(one)
