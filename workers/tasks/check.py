"""Checks that every item must pass, whatever its source.

Two choices may have the same text (AQuA and BBH have such items): labels tell them apart.
"""

from collections.abc import Sequence

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.workers.text.canonical import canonical_number


def check_items(task_name: str, items: Sequence[Item]) -> None:
    """Raise a ``TaskError`` that names the task, the first bad item and the fix."""
    if not items:
        raise TaskError(f"task {task_name!r} has no items.")
    seen: dict[str, int] = {}
    for place, item in enumerate(items):
        _check_type(task_name, place, item)
        problem = _id_problem(item.id, seen) or _problem(item)
        if problem:
            raise TaskError(f"task {task_name!r}, item {item.id!r} (number {place}, counted from 0): {problem}")
        seen[item.id] = place


def _check_type(task_name: str, place: int, item: object) -> None:
    """Raise unless it is an item with texts: a plug-in may return anything."""
    if not isinstance(item, Item):
        got = type(item).__name__
        raise TaskError(f"task {task_name!r}, number {place} (counted from 0): expected an Item, got a {got}.")
    for name in ("id", "question", "gold"):
        if not isinstance(value := getattr(item, name), str):
            at = f"task {task_name!r}, item number {place} (counted from 0)"
            raise TaskError(f"{at}: its {name} is {value!r}; expected a text.")


def _id_problem(item_id: str, seen: dict[str, int]) -> str | None:
    if not item_id.strip():
        return "its id is empty. Give every item an id, or map no ids: then items are numbered."
    if item_id in seen:
        return f"item number {seen[item_id]} has the same id. Make ids unique, or map no ids: then items are numbered."
    return None


def _problem(item: Item) -> str | None:
    if not item.question.strip():
        return "its question is empty. Remove the item, or map the field with the question."
    if any(not choice.strip() for choice in item.choices):
        return f"one of its choices is empty: {list(item.choices)}. Fix or remove the item."
    return _gold_problem(item) or _choice_named_problem(item)


def _choice_named_problem(item: Item) -> str | None:
    for name in ("unknown", "stereotype"):
        label = getattr(item, name)
        if label is not None and label not in item.labels:
            return f"its {name} {label!r} is not one of the labels {', '.join(item.labels) or '(it has none)'}. Fix it."
    if item.unknown is not None and item.unknown == item.stereotype:
        return f"its unknown and its stereotype are the same choice, {item.unknown!r}. Fix the item."
    return None


def _gold_problem(item: Item) -> str | None:
    if item.answer_format == "choice":
        return _choice_problem(item)
    if item.answer_format == "boolean":
        return _boolean_problem(item)
    if item.answer_format == "number" and item.choices:
        return _closed_number_problem(item)
    if item.choices:
        return f"the answer format {item.answer_format!r} takes no choices. Use 'choice', or leave them out."
    if item.answer_format == "number" and canonical_number(item.gold) != item.gold:
        return f"its gold {item.gold!r} is not a plain number such as 1234 or -0.5. Fix it, or use 'text'."
    return None if item.gold.strip() else "its gold is empty. Remove the item, or map the field with the gold."


def _choice_problem(item: Item) -> str | None:
    if not 2 <= len(item.choices) <= len(CHOICE_LABELS):
        return f"it has {len(item.choices)} choices; 2 to {len(CHOICE_LABELS)} are possible. Fix or remove the item."
    if item.gold not in item.labels:
        return f"its gold {item.gold!r} is not one of the labels {', '.join(item.labels)}. Fix or remove the item."
    return None


def _closed_number_problem(item: Item) -> str | None:
    if len(set(item.choices)) < max(2, len(item.choices)) or any(canonical_number(c) != c for c in item.choices):
        return f"its possible answers must be different plain numbers, at least two; got {list(item.choices)}."
    if item.gold not in item.choices:
        return f"its gold {item.gold!r} is not among its possible answers {', '.join(item.choices)}. Fix the item."
    return None


def _boolean_problem(item: Item) -> str | None:
    if len(set(item.choices)) != 2 or len(item.choices) != 2:
        return f"its choices must be two different words, for true and for false; got {list(item.choices)}."
    if item.gold not in ("true", "false"):
        return f"its gold {item.gold!r} is neither 'true' nor 'false'. Fix or remove the item."
    return None
