"""What is said of each model and task, behind its line of the matrix.

In: the matrix's lines, and findings. Out: ``Details`` objects: the lines in their order, then findings without a line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cotfaith.cluster.report.answers import Line
from cotfaith.cluster.report.findings import Finding
from cotfaith.cluster.stats.estimates import Estimate


@dataclass(frozen=True)
class Details:
    """One model and task."""

    id: str
    model: str
    task: str
    line: Line | None
    """None: there is no verdict on it."""
    finding: Finding | None
    """None: nothing of it was measured."""


def details(lines: Sequence[Line], findings: Sequence[Finding], rows: Iterable[Estimate]) -> list[Details]:
    """Return one for each line and finding; ``rows``: the estimates, which know the series of a line."""
    series = {(row.model, row.task, row.strategy, row.channel): row.series for row in rows}
    left = {(one.model, one.task): one for one in findings}
    found = list[Details]()
    for line in lines:
        own = line.verdict
        name = series.get((own.model, own.task, own.strategy, own.channel), own.model)
        found.append(Details(line.id, line.model, line.task, line, left.pop((name, own.task), None)))
    others = [Details(f"other-{at}", one.model, one.task, None, one) for at, one in enumerate(left.values())]
    return [*found, *others]
