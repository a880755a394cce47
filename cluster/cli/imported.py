"""What the command line prints first of a run on imported chains: whether they lead to their recorded answers.

In: estimates. Out: a table and lines on a rich console; nothing for a run without imported chains.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.report.imported import ImportedChains, imported_chains, withheld_together
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.terminal import plain_text, safe_text


def print_imported(rows: Sequence[Estimate], console: Console) -> None:
    """Print the agreement of each task and model, what is withheld and why, and who reads whose chains."""
    found = imported_chains(rows)
    if not found:
        return
    console.print(agreement_table(found))
    for line in _lines(found):
        console.print(plain_text(line), markup=False, soft_wrap=True)
    console.print()


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
