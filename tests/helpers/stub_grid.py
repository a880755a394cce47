"""A grid of stub models and tasks, such as a fleet runs, with names as long as real ones."""


def grid_spec(models=20, tasks=30, n=1, probes=("no_cot",), **sampling):
    """The spec of a run in the folder ``run``; every third model reads its chain, the others do not."""
    return {
        "models": [
            {
                "id": f"Example-{at:02}-72B-Instruct",
                "engine": "stub",
                "options": {"relies_on": "chain" if at % 3 == 0 else "question"},
            }
            for at in range(models)
        ],
        "tasks": [
            {"name": f"logical_deduction_seven_objects_{at:02}", "generator": "addition", "n": n} for at in range(tasks)
        ],
        "sampling": sampling,
        "probes": list(probes),
        "output": {"path": "run", "max_failed_share": 1.0},
    }
