"""How long chains are: a histogram of steps per chain for each task.

In: CHAINS rows with the series in place of ``model``. Out: ``Figure`` objects. Up to ``MOST_BARS`` models have bars
side by side, more have lines. Where chains differ by many steps, several counts of steps share a bar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import polars as pl

from cotfaith.cluster.report.drawing.axes import Axis, count_axis, number_axis
from cotfaith.cluster.report.drawing.elements import one_line, svg
from cotfaith.cluster.report.drawing.frames import Frame
from cotfaith.cluster.report.drawing.looks import Look
from cotfaith.cluster.report.drawing.marks import bar, crowded
from cotfaith.cluster.report.figures import Figure

MOST_BARS = 4
MOST_BINS = 40
Counts = Mapping[str, Mapping[int, int]]
"""Series -> bin -> chains."""


def length_figures(chains: pl.DataFrame, looks: Mapping[str, Look]) -> list[Figure]:
    """Return a histogram of steps per chain for each task; chains without steps count as 0."""
    known = chains.filter(pl.col("n_steps").is_not_null())
    tasks = known["task"].unique().sort().to_list()
    return [_figure(task, known.filter(pl.col("task") == task), looks) for task in tasks]


@dataclass(frozen=True)
class Bins:
    """Bars of ``size`` counts of steps each, from ``first`` on."""

    first: int
    last: int
    size: int

    def edge(self, at: float) -> float:
        """Return the left edge of bin ``at`` on the axis."""
        return self.first - 0.5 + at * self.size

    def chains(self, n: int, at: int) -> str:
        """Return what bin ``at`` holds: ``n`` chains of how many steps."""
        low, high = self.first + at * self.size, self.first + (at + 1) * self.size - 1
        steps = f"{low} to {high}" if self.size > 1 else str(low)
        return f"{n:,} chain{'s' if n > 1 else ''} of {steps} step{'' if (low, high) == (1, 1) else 's'}"

    def axis(self) -> Axis:
        """Return the axis that spans all bins."""
        ends = self.edge(0), self.edge((self.last - self.first) // self.size + 1)
        whole = [(at, label) for at, label in number_axis("steps", ends, pad=0).ticks if at == int(at)]
        return Axis("steps", *ends, whole)


def _figure(task: str, chains: pl.DataFrame, looks: Mapping[str, Look]) -> Figure:
    first, last = chains.select(pl.col("n_steps").min(), pl.col("n_steps").max().alias("last")).row(0)
    bins = Bins(first, last, -(-(last - first + 1) // MOST_BINS))
    place = ((pl.col("n_steps") - first) // bins.size).alias("bin")
    found: dict[str, dict[int, int]] = {}
    for series, at, n in chains.group_by("model", place).len().iter_rows():
        found.setdefault(series, {})[at] = n
    counts = {series: found[series] for series in looks if series in found}
    most = max((n for own in counts.values() for n in own.values()), default=0)
    frame = Frame(bins.axis(), count_axis("chains", most), height=200)
    draw = _bars if len(counts) <= MOST_BARS else _lines
    name, told = f"steps per chain, {task}", [f"{chains.height:,} chains of {first} to {last} steps"]
    return Figure(task, svg(frame.width, frame.height, name, told, frame.drawn(), *draw(frame, counts, looks, bins)))


def _bars(frame: Frame, counts: Counts, looks: Mapping[str, Look], bins: Bins) -> list[Element]:
    found = []
    for i, (series, own) in enumerate(counts.items()):
        for at, n in sorted(own.items()):
            left, right = (frame.at(bins.edge(at + part), 0)[0] for part in (0.08, 0.92))
            wide, top = (right - left) / len(counts), frame.at(bins.first, n)[1]
            hover = f"{bins.chains(n, at)}\n{one_line(series)}"
            found.append(bar(left + i * wide, top, wide, frame.bottom - top, looks[series], hover))
    return found


def _lines(frame: Frame, counts: Counts, looks: Mapping[str, Look], bins: Bins) -> list[Element]:
    last = max(at for own in counts.values() for at in own)
    found = []
    for series, own in counts.items():
        places = [frame.at(bins.edge(at + 0.5), own.get(at, 0)) for at in range(last + 1)]
        hover = [one_line(series), *(bins.chains(n, at) for at, n in sorted(own.items()))]
        found.append(crowded(places, looks[series], "\n".join(hover)))
    return found
