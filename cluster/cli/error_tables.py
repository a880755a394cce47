"""How often verdicts are right, as the command line prints it."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.terminal import safe_text
from cotfaith.cluster.verdicts.error_rates import Row, Share
from cotfaith.cluster.verdicts.error_study import Study

WORDS = {
    "trust": "trust",
    "trust_part": "trust on a part",
    "do_not_trust": "do not trust",
    "not_enough_evidence": "not enough evidence",
}


def show_study(made: Study, console: Console) -> None:
    """Print the shares of verdicts on draws, those on thresholds, and what refutes the policy."""
    if made.rows:
        console.print(error_table("Verdicts on draws of n items, in % of draws", made.rows, with_truth=True))
    if made.edges:
        console.print(error_table("The same where one figure lies on its threshold", made.edges, with_truth=False))
    for line in lines(made):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def error_table(title: str, rows: Sequence[Row], *, with_truth: bool) -> Table:
    """Return a line for each model, or mixture, and size."""
    heads = ["n", "trust", "trust\non a part", "do not\ntrust", "not\nenough", "wrong"]
    table = new_table(title, ["model", "truth"] if with_truth else ["threshold"], heads)
    for row in rows:
        names = [safe_text(row.pool), *([WORDS[row.truth]] if with_truth else [])]
        cells = [f"{100 * one.value:.1f}" for one in row.shares.values()]
        table.add_row(*names, f"{row.size}", *cells, f"{100 * row.wrong.value:.2f}")
    return table


def lines(made: Study) -> Iterator[str]:
    """Yield what refutes the policy's claim, or that nothing does, and what was not measured."""
    for row in made.refuted:
        yield f"FAILED: {row.pool}, {row.size} items: wrong more often than the policy claims, {made.claim:g}."
    if (made.rows or made.edges) and not made.refuted:
        yield f"No share of wrong verdicts is above what the policy claims, {made.claim:g}, by more than chance."
    for line in made.lacking:
        yield f"Not measured: {line}."


def study_data(made: Study) -> dict[str, Any]:
    """Return it as plain data, for JSON."""
    rows = [_row(row) | {"truth": row.truth} for row in made.rows]
    edges = [_row(row) for row in made.edges]
    return {"claim": made.claim, "draws": rows, "thresholds": edges, "lacking": list(made.lacking)}


def _row(row: Row) -> dict[str, Any]:
    shares = {name: _share(one) for name, one in row.shares.items()}
    return {"pool": row.pool, "n_items": row.size} | shares | {"wrong": _share(row.wrong)}


def _share(one: Share) -> dict[str, float]:
    low, high = one.ends
    return {"share": one.value, "low": low, "high": high, "draws": one.draws}
