"""How fast a run's engines were: tokens a second per model, from its commits.

Tokens are those of the progress line: of prompts, each counted whole, and generated. Seconds are those in which at
least one shard of the model was at work, so several at a time count once. Helpers work in their subjects' seconds.
"""

from collections.abc import Iterable
from typing import Any

from cotfaith.cluster.plan.identity import model_identity
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.storage.read import commits, load_run
from cotfaith.cluster.storage.store import open_store

Span = tuple[float, float]


def measured_rates(plan: Plan) -> dict[str, float]:
    """Return model -> tokens a second in the output folder's run, for the plan's models that are the same there."""
    store = open_store(plan.spec.output.path)
    run = load_run(store)
    if run is None:
        return {}
    known = run["identity"]["models"]
    same = [m.id for m in plan.spec.models if known.get(m.id) == model_identity(m, plan.weights[m.id])]
    found = list(commits(store))
    return {model: rate for model in same if (rate := _rate(model, found)) is not None}


def _rate(model: str, found: Iterable[dict[str, Any]]) -> float | None:
    """Return the model's rate as subject and as reader; what several probes did together counts once."""
    own = [c for c in found if (c.get("reader") or c["model"]) == model and "began" in c]
    once = {(c["shard"], c["attempt"], *c["timed_with"]): c for c in own}.values()
    tokens = sum(c["tokens"].get("subject", 0) for c in once)
    seconds = busy_s([(c["began"], c["began"] + c["seconds"]) for c in once])
    return tokens / seconds if tokens and seconds else None


def busy_s(spans: Iterable[Span]) -> float:
    """Return the seconds that lie in at least one span."""
    total, reached = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, reached))
        reached = max(reached, ended)
    return total


def rates_note(plan: Plan, rates: dict[str, float], stated: float | None) -> str:
    """Return where the hours come from, or why there are none."""
    if stated is not None:
        return f"Hours: at {stated:,.0f} tokens a second on every engine, one line after another."
    if not rates:
        return "Hours: unknown: give --tokens-per-second, or begin the run: its rate is then measured."
    listed = ", ".join(f"{model} {rate:,.0f}" for model, rate in rates.items())
    lacking = ", ".join(model.id for model in plan.spec.subjects if model.id not in rates)
    return (
        f"Hours: at the tokens a second measured in {plan.spec.output.path} ({listed}), if the rest is like what was "
        "done, one line after another." + (f" Unknown for {lacking}: give --tokens-per-second." if lacking else "")
    )
