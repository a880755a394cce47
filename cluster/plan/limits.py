"""``--limit``: at most so many items of each task, taken from its start.

A task's ``n`` is no part of a run's identity, so a run that began under a limit goes on under a larger one, or none.
"""

from cotfaith.schemas.spec import RunSpec


def limited(spec: RunSpec, most: int | None) -> RunSpec:
    """Return ``spec`` with at most ``most`` items a task; None changes nothing."""
    if most is None:
        return spec
    tasks = tuple(task.model_copy(update={"n": min(task.n, most)}) for task in spec.tasks)
    return spec.model_copy(update={"tasks": tasks})
