"""How many labels a run has, as tables and as plain data. In: ``Label`` objects."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.fit import print_first
from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.labelling.counts import Line, agreement, by_labeller, by_stratum
from cotfaith.cluster.labelling.label import Label
from cotfaith.cluster.terminal import safe_text

_COUNTS = {"yes": "yes", "no": "no", "cannot_tell": "?", "skipped": "later", "from_file": "from\nfile"}
_DRAWN = {
    **{name: _COUNTS[name] for name in ("yes", "no", "cannot_tell", "skipped")},
    "drawn": "drawn",
    "texts": "texts",
}


def status_data(run_id: str, labels: Sequence[Label]) -> dict[str, Any]:
    """Return the counts for JSON."""
    return {
        "run_id": run_id,
        "labellers": by_labeller(labels),
        "strata": by_stratum(labels),
        "agreement": agreement(labels),
    }


def print_status(run_id: str, labels: Sequence[Label], console: Console) -> None:
    """Print the counts as tables."""
    if not labels:
        console.print("No labels yet. Give some: cotfaith label RUN", markup=False)
        return
    console.print(_labellers(run_id, by_labeller(labels)))
    strata = by_stratum(labels)
    if strata:
        console.print()
        print_first(lambda n: _strata(strata[:n]), len(strata), console, "lines: --json")
    if pairs := agreement(labels):
        console.print()
        console.print(_agreement(pairs))


def _labellers(run_id: str, lines: Iterable[Line]) -> Table:
    table = new_table(f"Labels of run {run_id}", ["labeller", "question"], list(_COUNTS.values()))
    for line in lines:
        table.add_row(line["labeller"], line["question"], *(f"{line[name]:,}" for name in _COUNTS))
    return table


def _strata(lines: Iterable[Line]) -> Table:
    table = new_table("By stratum: drawn at random, of how many texts", ["labeller, chains"], list(_DRAWN.values()))
    for line in lines:
        who = f"{line['labeller']}, {line['question']}: {_chains(line)}"
        table.add_row(safe_text(who), *(f"{line[name]:,}" for name in _DRAWN))
    return table


def _chains(line: Line) -> str:
    """Return what a stratum's chains are."""
    kinds = {True: "readers differ", False: "readers agree", None: ""}
    strategy = "" if line["strategy"] == "cot" else line["strategy"]
    moved = "switched" if line["switched"] else "not switched"
    parts = (line["model"], line["task"], strategy, line["variant"], line["channel"], moved, kinds[line["differ"]])
    return " · ".join(part for part in parts if part)


def _agreement(lines: Iterable[Line]) -> Table:
    table = new_table("Labellers on the same texts, yes or no", ["labellers", "question"], ["both", "same"])
    for line in lines:
        table.add_row(" and ".join(line["labellers"]), line["question"], f"{line['both']:,}", f"{line['same']:,}")
    return table
