"""``cotfaith plan``: what a spec will cost, before any model loads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotfaith.cluster.cli.asked import asked_spec
from cotfaith.cluster.cli.consoles import messages, notes, out, print_json
from cotfaith.cluster.cli.options import AsJson, Details, Limit, OnlyModels, OnlyTasks, Overrides, Plugins, SpecPath

if TYPE_CHECKING:
    from cotfaith.cluster.cli.view import View
    from cotfaith.cluster.plan.costs import Cost
    from cotfaith.cluster.plan.prices import PlannedCost


def plan(
    spec_path: SpecPath,
    overrides: Overrides = None,
    plugins: Plugins = None,
    limit: Limit = None,
    chain_tokens: Annotated[
        int | None, typer.Option(min=1, help="Expected length of a chain; default: the longest allowed.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--tokens-per-second",
            min=1e-3,
            help="Prompt and answer tokens that an engine processes per second, for the hours; "
            "default: as measured in the output folder's run, else estimated from the hardware.",
        ),
    ] = None,
    by_probe: Annotated[bool, typer.Option("--by-probe", help="Also show the work and time of each probe.")] = False,
    show_prompts: Annotated[
        bool, typer.Option("--show-prompts", help="Print one whole prompt of each kind of request; needs no engine.")
    ] = False,
    details: Details = False,
    models: OnlyModels = None,
    tasks: OnlyTasks = None,
    as_json: AsJson = False,
) -> None:
    """Show shards, requests, tokens, hours and, with prices in the spec, cost, before any model loads."""
    from cotfaith.cluster.cli.hours import stage_table, variant_table, variants_data
    from cotfaith.cluster.cli.prompts import print_prompts
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.fleet.capacity import check_machine
    from cotfaith.cluster.fleet.deployments import engine_cpus
    from cotfaith.cluster.plan.costs import stage_costs, summed
    from cotfaith.cluster.plan.hours import planned_hours
    from cotfaith.cluster.plan.plan import make_plan, overflow_warnings
    from cotfaith.cluster.plan.prices import planned_cost

    spec = asked_spec(spec_path, overrides, plugins, limit)
    shown = view(details, models, tasks, ([one.id for one in spec.models], [one.name for one in spec.tasks]))
    made = make_plan(spec)
    warnings = [*made.notes, *overflow_warnings(made), *check_machine(made)]
    length = chain_tokens or made.spec.sampling.max_tokens
    stages = [cost for cost in stage_costs(made, chain_tokens) if shown.shows(cost.model, cost.task)]
    hours = planned_hours(made, stages, rate)
    rates = hours.rates
    cost = planned_cost(made, hours, engine_cpus(made))
    lines = summed(stages)
    if show_prompts:
        print_prompts(made, messages(as_json))
    if as_json:
        about = {"chain_tokens": length, "lines": _data(lines, rates), "variants": variants_data(hours)}
        print_json(about | {"rates": rates, "cost": None if cost is None else _cost_data(cost), "notes": warnings})
    else:
        _print_costs(lines, rates, shown)
        out.print(
            f"Upper bounds for chains of {length} tokens (--chain-tokens: another length); edits succeed at the first "
            "try. Distinct tokens: prefixes that an item's prompts share count once."
        )
        if by_probe:
            out.print(stage_table(hours))
        if spec.interventions:
            out.print(variant_table(hours))
        out.print(hours.note(), markup=False)
        if cost is not None:
            out.print(cost.note(), markup=False)
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


def _cost_data(cost: "PlannedCost") -> dict[str, Any]:
    """Return it as plain data; what is not known is null."""
    return {"currency": cost.currency, "models": dict(cost.by_model), "total": cost.total}


def _data(lines: "Sequence[Cost]", rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return each line as plain data; the hours are null if the model's rate is unknown."""
    hours = [line.tokens / rates[line.model] / 3600 if line.model in rates else None for line in lines]
    plain = [{name: value for name, value in asdict(line).items() if name != "variant"} for line in lines]
    return [{**line, "hours": spent} for line, spent in zip(plain, hours, strict=True)]
