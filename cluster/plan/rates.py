"""The speed of a run's engines: tokens per second of each model, from its commits.

Tokens are counted as in the progress line: those of prompts, each counted whole, and generated ones. A second counts if
at least one shard of the model was at work, so shards that overlap count once. Helpers work in their subjects' seconds.
"""

from collections.abc import Iterable

from cotfaith.cluster.plan.identity import model_identity
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.run_objects import Commit

Span = tuple[float, float]
MOST_LISTED = 6
"""The most models that a sentence names."""


def measured_rates(plan: Plan) -> dict[str, float]:
    """Return model -> tokens per second in the output folder's run, for the plan's models that are the same there."""
    store = open_store(plan.spec.output)
    run = load_run(store)
    if run is None:
        return {}
    known = run.identity.models
    same = [name for name, m in plan.models.items() if known.get(name) == model_identity(m, plan.weights[name])]
    found = list(read_ledger(store, run).commits())
    return {model: rate for model in same if (rate := _rate(model, found)) is not None}


def _rate(model: str, found: Iterable[Commit]) -> float | None:
    """Return the model's rate as subject and as reader; work that several probes share counts once."""
    own = [commit for commit in found if (commit.reader or commit.model) == model]
    once = {(commit.shard_id, commit.attempt, *commit.timed_with): commit for commit in own}.values()
    timed = [(c.began, c.seconds, c.tokens) for c in once if c.began is not None and c.seconds is not None]
    tokens = sum(by_role.get("subject", 0) for _, _, by_role in timed)
    seconds = busy_s([(began, began + spent) for began, spent, _ in timed])
    return tokens / seconds if tokens and seconds else None


def busy_s(spans: Iterable[Span]) -> float:
    """Return the seconds that lie in at least one span."""
    total, reached = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, reached))
        reached = max(reached, ended)
    return total


def rates_note(plan: Plan, rates: dict[str, float], stated: float | None) -> str:
    """Return the source of the hours, or why there are none."""
    if stated is not None:
        return f"Hours: at {stated:,.0f} tokens a second on every engine, one line after another."
    if not rates:
        return "Hours: unknown. Set --tokens-per-second, or begin the run, which measures the rate."
    listed = ", ".join(f"{model} {rate:,.0f}" for model, rate in rates.items())
    if len(rates) > MOST_LISTED:
        listed = f"{len(rates)} models, {min(rates.values()):,.0f} to {max(rates.values()):,.0f}"
    unknown = [model.id for model in plan.spec.subjects if model.id not in rates]
    lacking = ", ".join(unknown) if len(unknown) <= MOST_LISTED else f"{len(unknown)} models"
    return (
        f"Hours: at the tokens a second measured in {plan.spec.output.path} ({listed}), if the rest is like what is "
        "done, one line after another." + (f" Unknown for {lacking}: set --tokens-per-second." if lacking else "")
    )
