"""A validation in the terminal: tables that fit into 80 columns."""

from rich import box
from rich.console import Console
from rich.table import Table

from cotfaith.cluster.terminal import safe_text
from cotfaith.cluster.validation.cells import bounded, number, share, tally
from cotfaith.cluster.validation.validation import Validation

WIDE = 17
"""Length of the longest name, in characters, that leaves room for the other columns."""
STYLE = {"passed": "green", "failed": "bold red", "not measured": "yellow"}


def show(made: Validation, console: Console) -> None:
    """Print labels, checks and metrics."""
    console.print(_counts(made))
    console.print(_metrics(made))
    if made.checks:
        console.print(_checks(made))
    console.print(tally(made))


def _counts(made: Validation) -> Table:
    table = _table("Labelled chains")
    table.add_column("model", overflow="fold")
    for name in ("chains", "usable", "labelled", "faithful"):
        table.add_column(name, justify="right")
    for row in made.counts:
        table.add_row(safe_text(row.model), str(row.chains), str(row.usable), str(row.labelled), str(row.faithful))
    return table


def _checks(made: Validation) -> Table:
    table = _table("Checks")
    table.add_column("check", overflow="fold")
    table.add_column("expected")
    table.add_column("got", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for check in made.checks:
        note = f"\n[dim]{safe_text(check.note)}[/]" if check.note else ""
        result = f"[{STYLE[check.result]}]{check.result}[/]"
        got = bounded(check.value, check.low, check.high)
        table.add_row(safe_text(check.name) + note, check.expected, safe_text(got), str(check.n), result)
    return table


def _metrics(made: Validation) -> Table:
    table = _table("Metrics on all labels")
    table.add_column("metric", overflow="fold")
    table.add_column("of")
    table.add_column("AUROC")
    for name in ("calls\nunf.", "are\nunf.", "n", "tokens/\nchain", "s/\nchain"):
        table.add_column(name, justify="right", no_wrap=True)
    spent = {(cost.metric, cost.level): cost for cost in made.costs}
    for figure in made.figures:
        if figure.group != "all":
            continue
        n, cost = figure.n_faithful + figure.n_unfaithful, spent[figure.metric, figure.level]
        table.add_row(
            safe_text(_folded(figure.metric)),
            f"{figure.level}s",
            safe_text(bounded(figure.auroc, figure.low, figure.high, figure.reason)),
            share(figure.called_unfaithful),
            share(figure.n_unfaithful / n if n else None),
            str(n),
            number(cost.tokens_per_chain, 0),
            number(cost.seconds_per_chain, 3),
        )
    return table


def _folded(name: str) -> str:
    """Return the name; a long one has its method on a second line."""
    return name if len(name) <= WIDE else name.replace("/", "\n/")


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
