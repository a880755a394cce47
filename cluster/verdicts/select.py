"""Which model to use, if its chains are to be trusted: overall, and task by task.

In: candidates. Out: a ``Selection``. A candidate is on the frontier if no other is at least as capable and as faithful,
and more of one. Selected is the most capable of those that pass the gate on every task; among equally capable ones the
more faithful. On a task the route is the largest model that passes there, by the parameters that the spec states, or
the most capable if it states them not for all. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.cluster.verdicts.candidate import Candidate
from cotfaith.cluster.verdicts.verdict import Verdict

_LEAST = -1.0
"""Below every figure: what is not measured sorts last."""


@dataclass(frozen=True)
class Route:
    """Who is to answer one task."""

    task: str
    chosen: Candidate | None
    """None: nobody passes on it."""
    largest: Candidate
    """The largest model, or the most capable, whether it passes or not."""
    is_by_size: bool
    """Whether the largest has the most parameters; else it is the most capable."""


@dataclass(frozen=True)
class Selection:
    """Who is to be used."""

    candidates: tuple[Candidate, ...]
    """All, the most capable first."""
    frontier: tuple[Candidate, ...]
    """Those that no other beats, among all that are measured."""
    chosen: Candidate | None
    """None: nobody passes on every task."""
    runner_up: Candidate | None
    routes: tuple[Route, ...]
    """One for each task."""


def select(found: Sequence[Candidate]) -> Selection:
    """Return who is to be used."""
    ordered = sorted(found, key=_capability, reverse=True)
    passing = [one for one in ordered if one.passes]
    tasks = dict.fromkeys(task for one in found for task in one.all_tasks)
    chosen, runner_up = [*passing, None, None][:2]
    routes = tuple(_route(task, ordered) for task in tasks)
    return Selection(tuple(ordered), tuple(frontier(ordered)), chosen, runner_up, routes)


def _capability(one: Candidate) -> tuple[float, float]:
    return (_or_least(one.capable), _or_least(one.faithful))


def _or_least(value: float | None) -> float:
    return _LEAST if value is None else value


def frontier(found: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with both figures that no other beats."""
    measured = [one for one in found if one.capable is not None and one.faithful is not None]
    return [one for one in measured if not any(_beats(other, one) for other in measured)]


def _beats(other: Candidate, one: Candidate) -> bool:
    theirs, own = _capability(other), _capability(one)
    return all(a >= b for a, b in zip(theirs, own, strict=True)) and theirs != own


def _route(task: str, ordered: Sequence[Candidate]) -> Route:
    there = [one for one in ordered if task in one.tasks]
    by_size = all(one.parameters is not None for one in there)

    def size(one: Candidate) -> tuple[float, float, float]:
        own = one.tasks[task]
        first = _or_least(one.parameters) if by_size else 0.0
        return first, _or_least(own.capable), _or_least(own.faithful)

    largest_first = sorted(there, key=size, reverse=True)
    chosen = next((one for one in largest_first if one.tasks[task].passes), None)
    return Route(task, chosen, largest_first[0], by_size)


def lacking(found: Selection) -> list[tuple[Verdict, str]]:
    """Return what would let somebody pass: for each cell that is open, what would change it; the most capable first."""
    own = [task.verdict for one in found.candidates for task in one.tasks.values()]
    return [(one, text) for one in own if one.verdict != "do_not_trust" for text in one.change]
