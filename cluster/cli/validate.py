"""``cotfaith validate``: run a spec, label its chains, and say which metrics measure faithfulness.

Exit codes: 0 no check failed, 1 a check failed, a model was given up or verdicts are wrong more often than their policy
claims, 2 bad input.
"""

import json
from pathlib import Path, PurePath
from typing import Annotated

import typer
from rich.console import Console

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import err, kept_for_json, messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, PolicyFile
from cotfaith.schemas import keys
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import RunSpec, TaskSpec
from cotfaith.schemas.variables import RAY_ADDRESS
from cotfaith.workers.remote.address import is_address

ORGANISMS = Path(__file__).parents[1] / "validation" / "organisms.yaml"
PROBES = ("no_cot", "early_answering", "filler_tokens", "own_answer")


def validate(
    spec_path: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC", help="A run spec; default: the packaged organisms.", autocompletion=completion.specs
        ),
    ] = None,
    chains: Annotated[
        str | None, typer.Option(metavar="FILE", help="Labelled chains (JSON lines, Parquet, CSV) to judge by.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="With --chains: a model to probe them with (folder, hub id, organism:NAME)."),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option(
            "--out", help="The run's folder or s3://bucket/prefix; default: runs/validate, or runs/validate-FILE."
        ),
    ] = None,
    page: Annotated[
        str | None, typer.Option("--markdown", help="Write the page to this file too, with its figures next to it.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key.")] = None,
    plugins: Annotated[
        list[str] | None,
        typer.Option("--plugin", metavar="MODULE", help="Import a Python module of plug-ins; its code is run."),
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take the run over from another driver, which then stops.")
    ] = False,
    verdicts: Annotated[
        bool,
        typer.Option("--verdicts", help="Also count how often the policy's verdicts are right, by draws of items."),
    ] = False,
    policy_file: PolicyFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure the metrics: do they tell faithful chains from unfaithful ones? Run it again to resume."""
    from cotfaith.cluster.cli.error_tables import show_study, study_data
    from cotfaith.cluster.cli.incomplete import complete_data, given_up_lines, say_if_incomplete
    from cotfaith.cluster.cli.reporter import ConsoleReporter
    from cotfaith.cluster.fleet.batch_tasks import each_of
    from cotfaith.cluster.fleet.run import execute
    from cotfaith.cluster.report.results import write_results
    from cotfaith.cluster.storage.completeness import completeness
    from cotfaith.cluster.storage.read import load_run
    from cotfaith.cluster.storage.store import open_store
    from cotfaith.cluster.validation.cells import tally
    from cotfaith.cluster.validation.page import pages
    from cotfaith.cluster.validation.show import show
    from cotfaith.cluster.validation.validation import validate as validated
    from cotfaith.cluster.verdicts.error_study import Study, study
    from cotfaith.cluster.verdicts.policy import load_policy

    if policy_file is not None and not verdicts:
        raise SpecError("--policy needs --verdicts: the policy decides nothing else here.")
    policy = load_policy(policy_file)
    markdown = None if page is None else _local_page(page)
    folder = folder or ("runs/validate" if chains is None else f"runs/validate-{PurePath(chains).stem}")
    spec = _timed(_spec(spec_path, chains, model or [], overrides or [], plugins or []), folder)
    console = messages(as_json)
    with kept_for_json(as_json):
        execute(spec, ConsoleReporter(console, err), take_over=take_over)
    store = open_store(spec.output)
    run = load_run(store)
    assert run is not None, "execute begins a run"
    made = validated(store, run)
    store.put(keys.VALIDATION, made.as_json().encode())
    for name, text in pages(made).items():
        store.put(name, text.encode())
    write_results(store, run, each_of(spec))
    complete = completeness(store, run)
    errors = study(store, run, policy, each=each_of(spec)) if verdicts else Study(policy.claim)
    if as_json:
        places = {"page": store.place("validation.md"), "file": store.place(keys.VALIDATION)}
        found = {"validation": json.loads(made.as_json())} | (
            {"verdict_errors": study_data(errors)} if verdicts else {}
        )
        print_json({"run_id": run.run_id, **places} | found | complete_data(complete))
    else:
        show(made, out)
        show_study(errors, out)
    say_if_incomplete(complete, console)
    say(f"Page: {store.place('validation.md')}; all figures: {store.place(keys.VALIDATION)}", console)
    if markdown is not None:
        _publish(pages(made, markdown.stem), markdown.parent, console)
    broken = given_up_lines(complete)
    for line in broken:
        say(line, err)
    if made.failed:
        err.print(tally(made), soft_wrap=True)
    if made.failed or broken or errors.refuted:
        raise typer.Exit(1)


def _spec(
    path: str | None, chains: str | None, sources: list[str], overrides: list[str], plugins: list[str]
) -> RunSpec:
    from cotfaith.cluster.plan.environment import environment_overrides, warn_of_unknown_variables
    from cotfaith.cluster.plan.spec_file import check_spec, load_spec, overridden

    warn_of_unknown_variables()
    cluster = environment_overrides(names=[RAY_ADDRESS])
    if sources and chains is None:
        raise SpecError("--model needs --chains FILE; to run tasks, name the models in a spec.")
    if chains is None:
        return load_spec(path or ORGANISMS, [*cluster, *overrides], plugins)
    if (path is None) == (not sources):
        raise SpecError("--chains needs one model to probe them with: either a SPEC that names it, or --model SOURCE.")
    task = {"name": "chains", "file": chains, "adapter": "labelled_chains", "n": _ALL}
    if path is not None:
        spec = load_spec(path, [*cluster, *overrides], plugins)
        return spec.model_copy(update={"tasks": (TaskSpec.model_validate(task),)})
    if overrides or plugins:
        raise SpecError("--set and --plugin need a SPEC; with --model there is none.")
    models = [{"id": _name(source), "source": source} for source in sources]
    return check_spec(overridden({"models": models, "tasks": [task], "probes": list(PROBES)}, cluster), "--model")


def _local_page(text: str) -> Path:
    if is_address(text):
        raise SpecError("--markdown: expected a file on this machine, got an address. The page is in the run, too.")
    if not text.endswith(".md"):
        raise SpecError(f"--markdown {text}: expected a file that ends in .md.")
    return Path(text)


_ALL = 10**9  # the most items, taken from the start of the file


def _name(source: str) -> str:
    """Return a model's id: the last part of its source."""
    return source.rstrip("/").replace(":", "/").split("/")[-1]


def _timed(spec: RunSpec, folder: str) -> RunSpec:
    """Return ``spec`` with ``folder`` as its output, and with each probe timed separately. Results stay the same.

    Unless the spec says otherwise, the report withholds nothing: a label counts only for a chain that reaches its
    recorded answer.
    """
    level = {} if "min_agreement" in spec.output.model_fields_set else {"min_agreement": 0.0}
    resources = spec.resources.model_copy(update={"probes_apart": True, "in_flight": 1})
    output = spec.output.model_copy(update={"path": folder} | level)
    return spec.model_copy(update={"resources": resources, "output": output})


def _publish(files: dict[str, str], folder: Path, console: Console) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    say(f"Wrote {', '.join(str(folder / name) for name in files)}", console)
