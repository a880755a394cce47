"""Item ids of tasks that bring none: the task's name and the item's place, from 0."""


def item_id(task: str, index: int) -> str:
    """Return for example "addition-000012"."""
    return f"{task}-{index:06d}"


def free_id(name: str, taken: set[str]) -> str:
    """Return ``name``, or with the first number behind it that makes it new, and add it to ``taken``."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    taken.add(found)
    return found
