"""Forecasts for tests: of a small run of stub models, and of one that is told what its engines do."""

from cotfaith.cluster.fleet.forecast import make_forecast
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.schemas.spec import parse_spec

SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 8}],
    "probes": ["no_cot", "early_answering"],
    "sampling": {"max_tokens": 200},
    "resources": {"shard_size": 2},
}


def missing_of(path, **changes):
    """Return the missing work of a run that has done nothing."""
    from run_records import run_record

    plan = make_plan(parse_spec(SPEC | {"output": {"path": str(path)}} | changes))
    tasks = tuple(task.name for task in plan.spec.tasks)
    n = max(len(items) for items in plan.items.values())
    models = tuple(model.id for model in plan.spec.models)
    return Jobs(plan, run_record(n=n, size=plan.spec.resources.shard_size, models=models, tasks=tasks))


def forecast_of(path, ledger=None, **changes):
    """Return the forecast of a run of which ``ledger`` is done."""
    missing, ledger = missing_of(path, **changes), ledger or Ledger()
    return make_forecast(missing, missing.of_subjects(ledger), ledger)
