"""``cotfaith try``: from a model and questions to a running measurement, with nothing taken in silence.

It writes a spec, shows the prompts, measures a few items, says how long all of them take, asks if there is a terminal,
and runs. Everything is an ordinary run of that spec: it resumes, and `cotfaith run` goes on with it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import err, out, say
from cotfaith.schemas.errors import InputError

if TYPE_CHECKING:
    from cotfaith.schemas.spec import RunSpec

_FEW = 4
"""Items that are measured first: enough for a batch, and soon done."""


def try_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A folder, a hub id, organism:NAME, or hf/, vllm/, openai/, stub/NAME.",
            autocompletion=completion.sources,
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A CSV, JSON or Parquet file, or a generator's name.", autocompletion=completion.data
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most N items.")] = 20,
    spec_path: Annotated[
        Path | None, typer.Option("--spec", metavar="FILE", help="The spec to write; default: try-MODEL-DATA.yaml.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="For openai/NAME: the server; default: OPENAI_BASE_URL.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run without asking.")] = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="Stop after the spec, the prompts and the speed.")] = False,
) -> None:
    """Take a first look at a model: write a spec, show the prompts, measure the speed, and run."""
    from cotfaith.cluster.cli.asked import asked_spec
    from cotfaith.cluster.cli.prompts import print_prompts
    from cotfaith.cluster.cli.run import run
    from cotfaith.cluster.plan.costs import CHAINS
    from cotfaith.cluster.plan.plan import make_plan

    path = _write_spec(model, data, spec_path, base_url)
    spec = asked_spec(str(path), limit=limit)
    plan = make_plan(spec)
    print_prompts(plan, out)
    out.print()
    n_items = sum(map(len, plan.items.values()))
    _measure(spec, n_items, [CHAINS, *(probe.name for probe in plan.probes)])
    if no_run or not _is_wanted(yes):
        say(f"To run it: cotfaith run {path} --limit {limit}")
        return
    run(str(path), limit=limit)
    say(f"The spec is {path}. All items: cotfaith run {path}")


def _write_spec(model: str, data: str, path: Path | None, base_url: str | None) -> Path:
    from cotfaith.cluster.cli.new_file import write_new
    from cotfaith.cluster.plan.named_data import named_data
    from cotfaith.cluster.plan.named_model import named_model

    keys = named_model(model, base_url)
    found = named_data(data)
    target = path or Path(f"try-{keys['id']}-{found.keys['name']}.yaml")
    text = _spec_text(keys, found.keys, target)
    way_out = f"To use it as it is: cotfaith run {target}. To start anew: --spec OTHER.yaml."
    is_new = write_new(target, text, way_out)
    for line in found.said:
        say(line)
    say(f"{'Wrote' if is_new else 'Found'} the spec {target}.")
    return target


def _spec_text(model: dict[str, Any], task: dict[str, Any], target: Path) -> str:
    """Return the spec, with what the model's own files decide."""
    from cotfaith.cluster.plan.first_spec import first_spec
    from cotfaith.cluster.plan.hardware import gpu_names
    from cotfaith.cluster.plan.models import context_window
    from cotfaith.schemas.spec import ModelSpec, parse_spec
    from cotfaith.workers.engines.resolved import resolve_model

    if model.get("source", "").startswith("organism:") and task.get("generator") == "serial_arithmetic":
        task = task | {"options": {"closed": True, "side_channel": True}}  # the questions that organisms know
    one = resolve_model(parse_spec({"models": [model], "tasks": [task]}, "try").models[0])
    if one.kind.has_weights and _thinks(ModelSpec.model_validate(model)):
        model = model | {"thinking": "think_tags"}
    gpus = 1 if gpu_names() and one.kind.has_weights and one.kind.served_model is None else 0
    window = context_window(one)
    if window is None or window // 2 >= 512:
        return first_spec(model, task, str(target), gpus)
    return first_spec(model, task, str(target), gpus, window // 2, window)


def _thinks(model: Any) -> bool:
    """Return whether the chat template opens a thought, so that only thinking: think_tags fits it."""
    from cotfaith.workers.engines.codec import load_codec
    from cotfaith.workers.text.templates import check_thinking

    codec = load_codec(model)
    try:
        check_thinking(model, codec)
    except InputError:
        try:
            check_thinking(model.model_copy(update={"thinking": "think_tags"}), codec)
        except InputError:
            return False  # the plan says what is wrong
        return True
    return False


def _measure(spec: "RunSpec", n_items: int, stages: Sequence[str]) -> None:
    """Do the first few items, each probe by itself, and say how long all take, stage by stage."""
    from cotfaith.cluster.cli.hours import human_time
    from cotfaith.cluster.cli.reporter import ConsoleReporter
    from cotfaith.cluster.cli.tables import new_table
    from cotfaith.cluster.fleet.run import execute
    from cotfaith.cluster.plan.limits import limited
    from cotfaith.cluster.plan.sample_times import seconds_per_item
    from cotfaith.cluster.storage.read import load_run
    from cotfaith.cluster.storage.store import open_store

    few, store = min(_FEW, n_items), open_store(spec.output)
    begun = load_run(store)
    if begun is None:
        say(f"Measuring the speed on {few} items, which are part of the run.")
        apart = spec.resources.model_copy(update={"probes_apart": True})
        execute(limited(spec.model_copy(update={"resources": apart}), few), ConsoleReporter(out, err))
    found = {stage: each for stage, each in seconds_per_item(store).items() if stage[2] in stages}
    if not found:
        return
    table = new_table(f"Time for {n_items} items, at most about", ["model", "stage"], ["an item", "all"])
    for (model, _, stage), each in sorted(found.items(), key=lambda one: stages.index(one[0][2])):
        table.add_row(model, stage, f"{each:.2f} s", human_time(each * n_items))
    table.add_section()
    table.add_row("all", "", f"{sum(found.values()):.2f} s", human_time(sum(found.values()) * n_items))
    out.print(table)


def _is_wanted(yes: bool) -> bool:
    return yes or not sys.stdin.isatty() or typer.confirm("Run it?", default=True)
