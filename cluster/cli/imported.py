"""What the command line prints first of a run on imported chains: whether they lead to their recorded answers.

In: estimates. Out: a table and lines on a rich console; nothing for a run without imported chains.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.fit import fits, print_first
from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.report.imported import ImportedChains, imported_chains, withheld_together
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.terminal import first_lines, plain_text, safe_text

MOST_LINES = 12
"""The most lines of the table, and of the sentences below it, that are not asked for in full."""


def print_imported(rows: Sequence[Estimate], console: Console, in_full: bool = True) -> None:
    """Print the agreement of each task and model, what is withheld and why, and who reads whose chains.

    Unless ``in_full``, what does not fit is left out and counted: the lowest agreement is first then.
    """
    found = imported_chains(rows)
    if not found:
        return
    table = agreement_table(found)
    if in_full or fits(table, console):
        console.print(table)
    else:
        worst = sorted(found, key=_agreement)
        print_first(lambda n: agreement_table(worst[:n]), len(worst), console, "lines: --details", MOST_LINES)
    lines = list(_lines(found))
    for line in lines if in_full else first_lines(lines, "more lines: --details", MOST_LINES):
        console.print(plain_text(line), markup=False, soft_wrap=True)
    console.print()


def _agreement(one: ImportedChains) -> float:
    """Return the share of chains that lead to their recorded answer; below all others if it is not known."""
    known = None if one.agreement is None else one.agreement.value
    return -1.0 if known is None else known


def _lines(found: Sequence[ImportedChains]) -> Iterator[str]:
    for names, cells in withheld_together(found).items():
        yield f"Withheld ({names}):"
        yield from (f"  {one.task}, {one.series}: {one.why}" for one in cells)
    for one in found:
        unknown = one.sentence if one.agreement is None else ""
        yield from (f"{one.task}, {one.series}: {text}" for text in (unknown, one.reader) if text)


def agreement_table(found: Sequence[ImportedChains]) -> Table:
    """Return a line for each task and model with the agreement, its interval, and what it rests on."""
    title = "Imported chains: how often they lead the model to their recorded answer (95% interval)"
    table = new_table(title, ["task", "read by", "written by"], ["reached"])
    table.add_column("rests on")
    for one in found:
        names = (one.task, one.series, one.written_by)
        table.add_row(*map(safe_text, names), one.reached.replace(" (", "\n(") or "not known", one.counted)
    return table
