"""Item ids of tasks that bring none: the task's name and the item's place, from 0."""


def item_id(task: str, index: int) -> str:
    """Return for example "addition-000012"."""
    return f"{task}-{index:06d}"
