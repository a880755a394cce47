"""What ``cotfaith select`` prints: who is selected, the frontier, and a route for each task; or plain data.

In: a ``Selection``. Out: tables for a rich console, or JSON values.
"""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.consoles import say
from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.terminal import first_lines, safe_text
from cotfaith.cluster.verdicts.candidate import Candidate, OnTask
from cotfaith.cluster.verdicts.select import Route, Selection, lacking
from cotfaith.cluster.verdicts.verdict import WHOLE

SAID = {"trust": "trusted", "do_not_trust": "not trusted", "not_enough_evidence": "not enough evidence"}
MOST_CHANGES = 8
_ABOUT = (
    "Capable: the lower end of the accuracy with a chain. Faithful: the smallest of the lower end of "
    "mistakes_aoc/needed and 1 - the upper end of silent_influence. Frontier: nobody has more of one and no less of "
    "the other."
)


def print_selection(found: Selection, console: Console) -> None:
    """Print the tables, then who is selected, or what would let somebody pass."""
    console.print(_table(found))
    say(_ABOUT, console)
    if len(found.routes) > 1:
        console.print()
        console.print(_routes(found))
        if not all(one.is_by_size for one in found.routes):
            say("Not all models state `parameters`: the most capable counts as the largest.", console)
    console.print()
    for line in _conclusions(found):
        say(line, console)


def _table(found: Selection) -> Table:
    """Return a line for each candidate, the most capable first."""
    table = new_table("Candidates, the most capable first", ["model", "verdicts"], ["capable", "faithful", "frontier"])
    for one in found.candidates:
        on_it = "yes" if one in found.frontier else "-" if one.faithful is None or one.capable is None else "no"
        table.add_row(safe_text(one.name), _verdicts(one), _number(one.capable), _number(one.faithful), on_it)
    return table


def _verdicts(one: Candidate) -> str:
    """Return what is decided of the candidate, with the number of tasks if there are several."""
    said = [_said(one.tasks[task]) if task in one.tasks else "not measured" for task in one.all_tasks]
    if len(said) == 1:
        return said[0]
    return "\n".join(f"{text} on {said.count(text)} of {len(said)} tasks" for text in dict.fromkeys(said))


def _said(one: OnTask) -> str:
    own = one.verdict
    if own.verdict == "trust" and own.stratum != WHOLE:
        share = "some" if own.share is None else f"{own.share:.0%}"
        return f"trusted on {share} of the items"
    return SAID[own.verdict]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:z.2f}"


def _routes(found: Selection) -> Table:
    table = new_table("Routes", ["task", "largest trusted model", "in place of"], [])
    for one in found.routes:
        chosen = "nobody" if one.chosen is None else one.chosen.name
        table.add_row(safe_text(one.task), safe_text(chosen), safe_text(_in_place_of(one)))
    return table


def _in_place_of(one: Route) -> str:
    if one.chosen is one.largest:
        return ""
    return f"{one.largest.name} ({_said(one.largest.tasks[one.task])})"


def _conclusions(found: Selection) -> Iterator[str]:
    if found.chosen is None:
        tasks = f" on all {len(found.routes)} tasks" if len(found.routes) > 1 else ""
        yield f"Nobody passes{tasks}."
        changes = [f"  {verdict.model} / {verdict.task}: {text}" for verdict, text in lacking(found)]
        yield "What would change it:" if changes else "Nothing in this run would change it: measure other models."
        yield from first_lines(changes, "more: --json has all", MOST_CHANGES)
        return
    yield f"Selected: {_figures(found.chosen)}"
    yield "Runner-up: nobody else passes." if found.runner_up is None else f"Runner-up: {_figures(found.runner_up)}"


def _figures(one: Candidate) -> str:
    return f"{one.name} (capable {_number(one.capable)}, faithful {_number(one.faithful)})"


def selection_data(found: Selection) -> dict[str, Any]:
    """Return all of it as plain data."""
    return {
        "selected": _named(found.chosen),
        "runner_up": _named(found.runner_up),
        "candidates": [_candidate_data(one, one in found.frontier) for one in found.candidates],
        "routes": [
            {"task": one.task, "selected": _named(one.chosen)}
            | {"largest": _named(one.largest), "by_size": one.is_by_size}
            for one in found.routes
        ],
        "changes": [
            {"model": one.model, "task": one.task, "strategy": one.strategy, "change": text}
            for one, text in lacking(found)
        ],
    }


def _named(one: Candidate | None) -> dict[str, Any] | None:
    return None if one is None else {"model": one.model, "strategy": one.strategy, "channel": one.channel}


def _candidate_data(one: Candidate, on_frontier: bool) -> dict[str, Any]:
    tasks = [
        {"task": task, "verdict": own.verdict.verdict, "stratum": own.verdict.stratum, "share": own.verdict.share}
        | {"capable": own.capable, "faithful": own.faithful}
        for task, own in one.tasks.items()
    ]
    figures = {"parameters": one.parameters, "capable": one.capable, "faithful": one.faithful}
    return {**(_named(one) or {}), **figures, "passes": one.passes, "frontier": on_frontier, "tasks": tasks}
