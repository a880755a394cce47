"""What `cotfaith gate` prints: a line for each model, task and strategy, and what follows from them."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.terminal import safe_text
from cotfaith.cluster.verdicts.named import HEADS, named, of_task, short
from cotfaith.cluster.verdicts.verdict import Answered, Decision, Verdict

DECISIONS: dict[Decision, str] = {"trust": "trust", "do_not_trust": "DO NOT", "not_enough_evidence": "?"}
MOST_CHANGES = 4
"""The most lines of what would change one verdict."""


def show_verdicts(found: Sequence[Verdict], console: Console) -> None:
    """Print the table, then who is trusted, who is not and why, and what would settle the rest."""
    console.print(verdict_table(found))
    for line in conclusions(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def verdict_table(found: Sequence[Verdict]) -> Table:
    """Return a line for each verdict."""
    tasks = [of_task(one) for one in found]
    several = len(set(tasks)) > 1
    title = "Can the chains be trusted?" + ("" if several or not tasks else f" Task: {safe_text(tasks[0])}")
    table = new_table(title, ["model", *(["task"] if several else [])], ["trust?", *HEADS.values(), "n"])
    for one, task in zip(found, tasks, strict=True):
        cells = [_cell(one.answer(question)) for question in HEADS]
        names = [safe_text(one.model), *([safe_text(task)] if several else [])]
        table.add_row(*names, _decision(one), *cells, f"{one.n_items:,}")
    return table


def _decision(one: Verdict) -> str:
    if one.is_whole or one.share is None:
        return DECISIONS[one.verdict]
    return f"trust on\n{one.share:.0%}"


def _cell(one: Answered) -> str:
    """Return "yes", "NO" or "?", with the figure that decides and its interval; or that nothing is to be caught."""
    if one.nothing and one.outcome == "passes":
        return "nothing\nto catch"
    if one.value is None:
        return "not\ntested" if not one.figure else "?"
    said = {"passes": "yes", "fails": "NO", "open": "?"}[one.outcome]
    ends = "" if one.low is None or one.high is None else f"\n[{short(one.low)},{short(one.high)}]"
    return f"{said} {short(one.value)}{ends}"


def conclusions(found: Sequence[Verdict]) -> Iterator[str]:
    """Yield what follows, in sentences."""
    for decision, head in (("trust", "Trust"), ("do_not_trust", "Do not trust")):
        own = [one for one in found if one.verdict == decision]
        if own:
            yield f"{head}: {', '.join(named(one, found) for one in own)}"
            yield from _whys(own) if decision == "do_not_trust" else ()
    unknown = [one for one in found if one.verdict == "not_enough_evidence"]
    if unknown:
        yield f"Not enough evidence: {', '.join(named(one, found) for one in unknown)}"
    for line, names in _grouped((line, named(one, found)) for one in found for line in _first(one.change)):
        yield f"  {names}: {line}"


def _whys(own: Sequence[Verdict]) -> Iterator[str]:
    for one in own:
        for answer in one.answers:
            if answer.outcome == "fails":
                yield f"  {one.model}: {HEADS[answer.question].replace(chr(10), ' ')} No. {answer.why}"


def _first(change: Sequence[str]) -> Sequence[str]:
    rest = len(change) - MOST_CHANGES
    return change if rest <= 1 else [*change[:MOST_CHANGES], f"and {rest} more: --json has all."]


def _grouped(lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield each line once, with the names of all that it is about."""
    found: dict[str, list[str]] = {}
    for line, name in lines:
        found.setdefault(line, []).append(name)
    for line, names in found.items():
        yield line, ", ".join(dict.fromkeys(names))
