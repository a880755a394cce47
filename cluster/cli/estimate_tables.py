"""The tables of estimates that the command line prints: a run's estimates, and those that rest on too few rows.

In: estimates, or shortfalls. Out: tables for a rich console.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.table import Table

from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.report.columns import ByName, by_name, each, find_estimate, in_column, line_names
from cotfaith.cluster.report.shortfalls import Shortfall, is_short, share_counted
from cotfaith.cluster.report.spoken import first_columns, variant_parts
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.words import Column
from cotfaith.cluster.storage.completeness import Group
from cotfaith.cluster.terminal import safe_text

FIRST = "hint_faithfulness"
"""The metric whose smallest value is in the first line of a table of variants."""
_VARIANTS = "Variants: what moves the answer, and whether the chains say so"


def summary_table(rows: Sequence[Estimate]) -> Table:
    """Return a line per model, task and strategy: accuracies, same answer, AOC, each with its interval.

    If some answers are near ties, a second line gives the figures without them: "-" if no answers are left, "" if
    leaving them out changes nothing.
    """
    columns = shown_columns()
    title = "Estimates, with 95% intervals (over items)"
    table = new_table(title, ["model", "task"], [*(column.terminal for column in columns), "chains\nok"])
    found = by_name(rows)
    for task, series in _lines(rows):
        cells = [find_estimate(column, found, task, series) for column in columns]
        table.add_row(series, task, *map(_interval, cells), _chains_ok(found, [task], series))
        if any(cell is not None and cell.clear_n_ok is not None for cell in cells):
            ties = found[task, series, "near_tie_share", None].value or 0.0
            table.add_row("", f"without near ties ({ties:.0%})", *map(_clear, cells), "")
    return table


def variants_table(rows: Sequence[Estimate]) -> Table:
    """Return a line per variant, model and task, the smallest F first; ``rows``: those of variants.

    Each figure has its interval; "-": it is undefined, or was not measured. Several readers have a line each.
    """
    parts = (part for part in variant_parts() if not part.section.lines_of)
    columns = each([column for part in parts for column in part.columns if column.terminal], rows)
    found = by_name(rows)
    if len(readers := list(dict.fromkeys(reader for column in columns if (reader := _reader(column))))) > 1:
        return _by_reader(rows, found, columns, readers)
    table = new_table(_VARIANTS, ["variant", "task"], [column.terminal for column in columns])
    for task, series in line_names(rows, columns, FIRST):
        cells = [find_estimate(column, found, task, series) for column in columns]
        table.add_row(safe_text(series), safe_text(task), *map(_interval, cells))
    return table


def _reader(column: Column) -> str:
    """Return the reader in a method "reader.question"; "" if the column is of none."""
    return (column.method or "").rpartition(".")[0]


def _by_reader(rows: Sequence[Estimate], found: ByName, columns: Sequence[Column], readers: Sequence[str]) -> Table:
    """Return a line per variant and reader, in place of columns for each reader."""
    shared = [column for column in columns if not _reader(column)]
    asked = list(dict.fromkeys(_of_anyone(column) for column in columns if _reader(column)))
    heads = [*(column.terminal for column in shared), *(column.terminal for column in asked)]
    table = new_table(_VARIANTS, ["variant", "task", "reader"], heads)
    for task, series in line_names(rows, columns, FIRST):
        names = [safe_text(series), safe_text(task)]
        beside = [_interval(find_estimate(column, found, task, series)) for column in shared]
        for reader in readers:
            own = [replace(column, method=f"{reader}.{column.method}") for column in asked]
            cells = [find_estimate(column, found, task, series) for column in own]
            if any(cell is not None for cell in cells):
                table.add_row(*names, safe_text(reader), *beside, *map(_interval, cells))
                names, beside = ["", ""], [""] * len(shared)
    return table


def _of_anyone(column: Column) -> Column:
    """Return the column with only the question as its method, and in its header."""
    question = (column.method or "").rpartition(".")[2]
    return replace(column, header="", method=question, terminal=f"{column.terminal.partition(chr(10))[0]}\n{question}")


def models_table(rows: Sequence[Estimate], missing: Mapping[Group, int], n: int | None = None) -> Table:
    """Return a line per model and strategy, at most ``n``: the smallest and the largest estimate of its tasks.

    The worst is first: the one with the most shards that are ``missing``, then the one with the figure that lacks the
    largest share of its rows. "short": how many figures rest on less than 95% of their rows or arms.
    """
    found = by_name(rows)
    columns = [column for column in shown_columns() if any(in_column(row, column) for row in rows)]
    title = "Estimates by model, from the smallest to the largest of its tasks; the worst first"
    lacking = ["not\ndone"] if missing else []
    table = new_table(title, ["model"], [*(column.terminal for column in columns), "chains\nok", "short", *lacking])
    for series, own in _worst_first(rows, missing)[:n]:
        tasks = sorted({row.task for row in own})
        cells = [_range([find_estimate(column, found, task, series) for task in tasks]) for column in columns]
        counts = [sum(is_short(row) for row in own if row.position is None)]
        counts += [_missing(own, missing)] if missing else []
        table.add_row(series, *cells, _chains_ok(found, tasks, series), *(f"{n:,}" if n else "-" for n in counts))
    return table


def shown_columns() -> list[Column]:
    """Return the estimates that the terminal shows of each model and task."""
    return [column for column in first_columns() if column.terminal]


def n_series(rows: Sequence[Estimate]) -> int:
    """Return how many lines ``models_table`` has."""
    return len({row.series for row in _of_subjects(rows)})


def _of_subjects(rows: Sequence[Estimate]) -> list[Estimate]:
    """Return the estimates of models with one in the shown columns."""
    columns = shown_columns()
    series = {row.series for row in rows if any(in_column(row, column) for column in columns)}
    return [row for row in rows if row.series in series]


def _lines(rows: Sequence[Estimate]) -> list[tuple[str, str]]:
    """Return (task, series) of each line, in order; models that only read others' chains have none."""
    names = sorted({(row.model, row.task, row.strategy, row.series) for row in _of_subjects(rows)})
    return [(task, series) for _, task, _, series in names]


def _missing(own: Sequence[Estimate], missing: Mapping[Group, int]) -> int:
    """Return the shards of the model that are not done."""
    return sum(n for (model, _), n in missing.items() if model == own[0].model)


def _worst_first(rows: Sequence[Estimate], missing: Mapping[Group, int]) -> list[tuple[str, list[Estimate]]]:
    own: defaultdict[str, list[Estimate]] = defaultdict(list)
    for row in _of_subjects(rows):
        own[row.series].append(row)

    def badness(pair: tuple[str, list[Estimate]]) -> tuple[float, float, str]:
        return -_missing(pair[1], missing), min(map(share_counted, pair[1])), pair[0]

    return sorted(own.items(), key=badness)


def _chains_ok(found: ByName, tasks: Sequence[str], series: str) -> str:
    chains = [one for task in tasks if (one := found.get((task, series, "accuracy_cot", None)))]
    return f"{sum(one.n_ok for one in chains):,}/{sum(one.n_total for one in chains):,}"


def _range(cells: Sequence[Estimate | None]) -> str:
    """Return the smallest and the largest value, and how many tasks' values are withheld."""
    values = [cell.value for cell in cells if cell is not None and cell.value is not None]
    withheld = sum(cell is not None and cell.withheld is not None for cell in cells)
    said = [f"{withheld} withheld"] if withheld else []
    if values:
        low, high = f"{min(values):z.2f}", f"{max(values):z.2f}"
        said.insert(0, low if low == high else f"{low}–{high}")
    return "\n".join(said) or "-"


def _clear(row: Estimate | None) -> str:
    if row is None or row.clear_n_ok is None:
        return ""
    return "-" if row.clear_value is None else f"{row.clear_value:z.2f}"


def shortfall_table(found: Sequence[Shortfall], n: int | None = None) -> Table:
    """Return a line for each estimate that lacks rows and is not a curve, with its worst and its best case.

    If there are more than ``n``, the ``n`` that lack the largest share are shown, in the same order.
    """
    plain = [one for one in found if not one.is_curve]
    curves, worst = len(found) - len(plain), sorted(plain, key=lambda one: one.share)[:n]
    title = "Figures on less than 95% of their rows or arms; range: worst and best case of those that failed"
    table = new_table(title, ["model", "task", "figure"], ["value", "counted", "range"])
    if curves:
        table.caption = f"And {curves} by position: the report lists them under each model and task."
    for one in (one for one in plain if one in worst):
        counted = one.rests_on.replace(", ", "\n")
        table.add_row(safe_text(one.series), safe_text(one.task), safe_text(one.name), one.shown, counted, one.cases)
    return table


def _interval(row: Estimate | None) -> str:
    if row is not None and row.withheld is not None:
        return "withheld"
    if row is None or row.value is None:
        return "-"
    if row.ci_low is None or row.ci_high is None:
        return f"{row.value:z.2f}"
    return f"{row.value:z.2f}\n{row.ci_low:z.2f}–{row.ci_high:z.2f}"
