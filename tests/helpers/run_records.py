"""Run records and commits for tests that need only a part of them."""

from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import Commit, GivenUp, RunRecord


def run_record(
    n=5, size=2, models=("m",), tasks=("t",), probes=(), strategies=("cot",), readers=None, helpers=(), **more
):
    """The run.json of a run with ``n`` items per task."""
    roles = dict.fromkeys(models, "subject") | dict.fromkeys(helpers, "editor")
    content = {
        "run_id": "r",
        "created": "2026-01-02T03:04:05+00:00",
        "shard_size": size,
        "identity": {
            "seed": 0,
            "sampling": {},
            "models": {name: {} for name in roles},
            "tasks": {name: {} for name in tasks},
            "strategies": dict.fromkeys(strategies),
            "probes": {name: {} for name in probes},
        },
        "n_items": dict.fromkeys(tasks, n),
        "readers": readers or {},
        "spec": {
            "seed": 0,
            "models": [{"id": name, "source": "", "roles": [role]} for name, role in roles.items()],
            "tasks": [{"name": name} for name in tasks],
            "probes": [{"name": name} for name in probes],
            "strategies": list(strategies),
        },
    }
    return RunRecord.model_validate(content | more)


def commit(start=0, stop=2, probe=None, reader=None, model="m", strategy="cot", task="t", **more):
    """A commit without parts."""
    return Commit.model_validate(
        _about(start, stop, probe, reader, model, strategy, task) | {"attempt": "a", "parts": [], "statuses": {}} | more
    )


def dead(start, stop, probe=None, reader=None, reason="lost"):
    """The record of a piece of work that was given up; its name is the range of its items."""
    about = _about(start, stop, probe, reader, "m", "cot", "t")
    key = keys.given_up(about["shard"], probe, reader)
    more = {"key": key, "name": f"{start}-{stop}", "reason": reason, "attempts": 3, "at": "2026-01-02"}
    return GivenUp.model_validate(about | more)


def _about(start, stop, probe, reader, model, strategy, task):
    shard = keys.shard_id(model, task, strategy, start, stop)
    named = {"shard": shard, "model": model, "task": task, "strategy": strategy, "start": start, "stop": stop}
    return named | {"probe": probe, "reader": reader}
