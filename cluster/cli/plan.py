"""``cotfaith plan``: what a spec will cost, before any model loads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotfaith.cluster.cli.consoles import notes, out, print_json
from cotfaith.cluster.cli.options import AsJson, Details, OnlyModels, OnlyTasks, Overrides, Plugins, SpecPath

if TYPE_CHECKING:
    from cotfaith.cluster.cli.view import View
    from cotfaith.cluster.plan.costs import Cost


def plan(
    spec_path: SpecPath,
    overrides: Overrides = None,
    plugins: Plugins = None,
    chain_tokens: Annotated[
        int | None, typer.Option(min=1, help="Expected length of a chain; default: the longest allowed.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--tokens-per-second",
            min=1e-3,
            help="Prompt and answer tokens that an engine processes per second, for the hours; "
            "default: as measured in the output folder's run.",
        ),
    ] = None,
    details: Details = False,
    models: OnlyModels = None,
    tasks: OnlyTasks = None,
    as_json: AsJson = False,
) -> None:
    """Show shards, requests, tokens and hours, before any model loads."""
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.fleet.capacity import check_machine
    from cotfaith.cluster.plan.costs import costs
    from cotfaith.cluster.plan.plan import make_plan, overflow_warnings
    from cotfaith.cluster.plan.rates import measured_rates, rates_note
    from cotfaith.cluster.plan.spec_file import load_spec

    spec = load_spec(spec_path, overrides or [], plugins or [])
    shown = view(details, models, tasks, ([one.id for one in spec.models], [one.name for one in spec.tasks]))
    made = make_plan(spec)
    warnings = [*made.notes, *overflow_warnings(made), *check_machine(made)]
    length = chain_tokens or made.spec.sampling.max_tokens
    rates = measured_rates(made) if rate is None else dict.fromkeys((model.id for model in made.spec.models), rate)
    lines = [cost for cost in costs(made, chain_tokens) if shown.shows(cost.model, cost.task)]
    if as_json:
        print_json({"chain_tokens": length, "lines": _data(lines, rates), "rates": rates, "notes": warnings})
    else:
        _print_costs(lines, rates, shown)
        out.print(
            f"Upper bounds for chains of {length} tokens (--chain-tokens: another length); edits succeed at the first "
            "try. Distinct tokens: prefixes that an item's prompts share count once."
        )
        out.print(rates_note(made, rates, rate), markup=False)
    notes(warnings, shown.in_full)


def _print_costs(lines: "Sequence[Cost]", rates: Mapping[str, float], shown: "View") -> None:
    from cotfaith.cluster.cli.fit import fits, print_first
    from cotfaith.cluster.cli.tables import cost_by_model, cost_table

    table = cost_table(lines, rates)
    if shown.in_full or fits(table, out):
        out.print(table)
        return
    print_first(lambda n: cost_by_model(lines, rates, n), len({line.model for line in lines}), out, "models: --details")
    out.print("Each model and task: --details; some of them: --model M --task T")


def _data(lines: "Sequence[Cost]", rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return each line as plain data; the hours are null if the model's rate is unknown."""
    hours = [line.tokens / rates[line.model] / 3600 if line.model in rates else None for line in lines]
    return [{**asdict(line), "hours": spent} for line, spent in zip(lines, hours, strict=True)]
