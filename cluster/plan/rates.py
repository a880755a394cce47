"""The speed of a run's engines: tokens per second of each model, from its commits.

Tokens are counted as in the progress line: those of prompts, each counted whole, and generated ones. A second counts if
at least one shard of the model was at work, so shards that overlap count once. Helpers work in their subjects' seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cotfaith.cluster.plan.costs import CHAINS, Cost
from cotfaith.cluster.plan.identity import model_identity
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.run_objects import Commit

Span = tuple[float, float]


@dataclass(frozen=True)
class Rates:
    """Tokens per second of one model."""

    overall: float
    stages: Mapping[str, float]
    """Stage -> the rate in it. Probes that ran in common rounds have their common rate."""

    def seconds(self, work: Cost) -> float:
        """Return how long the work takes, if the rest is like what is done."""
        return work.tokens / self.stages.get(work.stage, self.overall)


def measured_rates(plan: Plan) -> dict[str, float]:
    """Return model -> tokens per second in the output folder's run, for the plan's models that are the same there."""
    return {model: rates.overall for model, rates in measured(plan).items()}


def measured(plan: Plan) -> dict[str, Rates]:
    """Return model -> its rates in the output folder's run, for the plan's models that are the same there."""
    store = open_store(plan.spec.output)
    run = load_run(store)
    if run is None:
        return {}
    known = run.identity.models
    same = [name for name, m in plan.models.items() if known.get(name) == model_identity(m, plan.weights[name])]
    found = list(read_ledger(store, run).commits())
    return {model: rates for model in same if (rates := _rates(model, found)) is not None}


def _rates(model: str, found: Iterable[Commit]) -> Rates | None:
    """Return the model's rates as subject and as reader."""
    own = [commit for commit in found if (commit.reader or commit.model) == model]
    overall = _rate(own)
    if overall is None:
        return None
    stages: dict[str, list[Commit]] = {}
    for commit in own:
        for stage in commit.timed_with or [CHAINS]:
            stages.setdefault(stage, []).append(commit)
    return Rates(overall, {stage: rate for stage, of in stages.items() if (rate := _rate(of)) is not None})


def _rate(own: Sequence[Commit]) -> float | None:
    """Return the tokens per second of these commits; work that several probes share counts once."""
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
