"""``cotfaith plan``: what a spec will cost, before any model loads."""

from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import note, out
from cotfaith.cluster.cli.options import Overrides, Plugins, SpecPath


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
) -> None:
    """Show shards, requests, tokens and hours, before any model loads."""
    from cotfaith.cluster.cli.tables import cost_table
    from cotfaith.cluster.plan.costs import costs
    from cotfaith.cluster.plan.plan import make_plan, overflow_warnings
    from cotfaith.cluster.plan.rates import measured_rates, rates_note
    from cotfaith.cluster.plan.spec_file import load_spec

    made = make_plan(load_spec(spec_path, overrides or [], plugins or []))
    length = chain_tokens or made.spec.sampling.max_tokens
    rates = measured_rates(made) if rate is None else dict.fromkeys((model.id for model in made.spec.models), rate)
    out.print(cost_table(costs(made, chain_tokens), rates))
    out.print(
        f"Upper bounds for chains of {length} tokens (--chain-tokens: another length); edits succeed at the first try. "
        "Distinct tokens: prefixes that an item's prompts share count once."
    )
    out.print(rates_note(made, rates, rate), markup=False)
    for line in (*made.notes, *overflow_warnings(made)):
        note(line)
