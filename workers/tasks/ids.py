"""Item ids for tasks without their own: the task's name and the item's index, from 0."""


def item_id(task: str, index: int) -> str:
    """Return for example "addition-000012"."""
    return f"{task}-{index:06d}"


def free_id(name: str, taken: set[str]) -> str:
    """Return ``name``, with the first number that makes it unique if needed, and add it to ``taken``."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    taken.add(found)
    return found
