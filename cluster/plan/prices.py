"""What engines cost by the prices of a spec: an hour of one, its server's tokens, and the whole of a plan.

In: a spec's prices, and a plan's hours. Out: money, in ``resources.prices.currency``; None where a price or the hours
are not known. Looks no price up, and knows nothing about what a run has cost (``fleet/costs.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cotfaith.cluster.plan.hours import Hours, engines_used
from cotfaith.cluster.plan.plan import Plan
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec, ResourceSpec, RunSpec

_MILLION = 1e6
_HOUR_S = 3600.0
_MOST_LISTED = 4
_EXAMPLE = "resources: {prices: {gpu_hour: 2.49, cpu_hour: 0.04, currency: USD}}"


def hour_price(model: ModelSpec, resources: ResourceSpec, cpus: float) -> float | None:
    """Return what an engine of ``model`` with ``cpus`` CPUs costs in an hour; ``resources``: the model's."""
    own, prices = model.resources, resources.prices
    if own.price_hour is not None:
        return own.price_hour
    if resources.gpus and prices.gpu_hour is not None:
        return resources.gpus * prices.gpu_hour + cpus * (prices.cpu_hour or 0.0)
    if resources.gpus or prices.cpu_hour is None:
        return None if resources.gpus or own.price_per_million_tokens is None else 0.0
    return cpus * prices.cpu_hour


def tokens_price(model: ModelSpec, prompt: float, generated: float) -> float:
    """Return what the model's server takes for these tokens; prompts are counted whole."""
    prices = model.resources.price_per_million_tokens
    return 0.0 if prices is None else (prompt * prices.prompt + generated * prices.generated) / _MILLION


def has_prices(spec: RunSpec) -> bool:
    """Return whether the price of any of its models' engines is known."""
    return any(_is_priced(spec, model) for model in spec.models)


def check_prices(spec: RunSpec) -> None:
    """Raise ``SpecError`` if the price of a model's engine is not known, with what to write."""
    lacking = [model for model in spec.models if not _is_priced(spec, model)]
    if not lacking:
        return
    keys = {f"{'gpu' if spec.resources.of(model).gpus else 'cpu'}_hour": model.id for model in reversed(lacking)}
    wanted = " and ".join(f"resources.prices.{key} (for {name}; 0 if it costs nothing)" for key, name in keys.items())
    raise SpecError(
        f"max_cost needs to know what engines cost. Set {wanted}, such as {_EXAMPLE}, or in a model "
        "resources: {price_hour: 4.5}."
    )


def _is_priced(spec: RunSpec, model: ModelSpec) -> bool:
    return hour_price(model, spec.resources.of(model), 1.0) is not None


@dataclass(frozen=True)
class PlannedCost:
    """What a plan costs, by model."""

    by_model: Mapping[str, float | None]
    """Models with work; None: the price or the hours are not known."""
    currency: str

    @property
    def total(self) -> float | None:
        """The sum; None if a part of it is not known."""
        known = [cost for cost in self.by_model.values() if cost is not None]
        return sum(known) if len(known) == len(self.by_model) else None

    def note(self) -> str:
        """Return it in words."""
        known = {model: cost for model, cost in self.by_model.items() if cost is not None}
        lacking = [model for model in self.by_model if model not in known]
        if not known:
            return "Cost: unknown, because the hours or the prices are."
        each = ", ".join(f"{model} {cost:,.2f}" for model, cost in known.items())
        parts = f" ({each})" if 1 < len(known) <= _MOST_LISTED else ""
        who = ", ".join(lacking) if len(lacking) <= _MOST_LISTED else f"{len(lacking)} models"
        without = f" Unknown for {who}." if lacking else ""
        return (
            f"Cost: {sum(known.values()):,.2f} {self.currency}{parts} for these hours, by the spec's prices. Loading "
            f"and idle engines are not counted.{without}"
        )


def planned_cost(plan: Plan, hours: Hours, cpus: Mapping[str, float]) -> PlannedCost | None:
    """Return what a plan of these hours costs; None if the spec has no prices. ``cpus``: of one engine, by model."""
    if not has_prices(plan.spec):
        return None
    engines = engines_used(plan, hours.lines)
    found: dict[str, float | None] = {}
    for line in hours.lines:
        model = plan.model(line.model)
        hour, seconds = hour_price(model, plan.spec.resources.of(model), cpus.get(line.model, 1.0)), hours.seconds(line)
        tokens = tokens_price(model, line.prompt_tokens, line.generated_tokens)
        before = found.get(line.model, 0.0)
        time = 0.0 if hour == 0 else None if hour is None or seconds is None else seconds / _HOUR_S * hour
        whole = None if time is None else engines[line.model] * time + tokens
        found[line.model] = None if before is None or whole is None else before + whole
    return PlannedCost(found, plan.spec.resources.prices.currency)
