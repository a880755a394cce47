"""Imported chains: who wrote them, who reads them, whether they lead to their recorded answers, and what is withheld.

In: estimates. Out: one ``ImportedChains`` for each task and model with imported chains, with the texts about it. A run
without imported chains has none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.metric import title
from cotfaith.cluster.stats.metrics.lib.recorded import AGREEMENT, SHARE

MOST_AUTHORS = 5
"""The most authors that one text names."""


@dataclass(frozen=True)
class ImportedChains:
    """The imported chains of one task, as one model reads them."""

    task: str
    series: str
    model: str
    recorded: Estimate
    """The share of the chains with a recorded answer."""
    agreement: Estimate | None
    """The share of those that lead the model to it; None: no chain has a recorded answer."""
    authors: Mapping[str, int]
    """Author -> chains; chains without an author are in none."""
    withheld: str
    """The names of the figures that are withheld, by probe; "" if none are."""
    why: str
    """Why they are."""

    @property
    def n_chains(self) -> int:
        """The number of chains."""
        return self.recorded.n_total

    @property
    def n_unrecorded(self) -> int:
        """The number of chains without a recorded answer."""
        return self.n_chains - round((self.recorded.value or 0.0) * self.recorded.n_ok)

    @property
    def written_by(self) -> str:
        """The authors; with their chains if there are several."""
        unknown = self.n_chains - sum(self.authors.values())
        if len(self.authors) == 1 and not unknown:
            return next(iter(self.authors))
        if not self.authors:
            return "not stated"
        named = [f"{name} ({count:,})" for name, count in list(self.authors.items())[:MOST_AUTHORS]]
        more = len(self.authors) - len(named)
        return ", ".join(
            [*named, *([f"{more} more"] if more else []), *([f"not stated ({unknown:,})"] if unknown else [])]
        )

    @property
    def others(self) -> str:
        """The authors, if one of them is another than the model that reads; "" if all chains are the model's own."""
        same = all(_plain(self.model) in (_plain(name), _plain(name.rpartition("/")[2])) for name in self.authors)
        return "" if same else self.written_by

    @property
    def reached(self) -> str:
        """How many chains lead to their recorded answer, with the interval; "" if none has one."""
        found = self.agreement
        if found is None:
            return ""
        if found.value is None:
            return f"0 of {found.n_total:,} gave an answer"
        bounds = "no interval" if found.ci_low is None else f"{found.ci_low:.1%} to {found.ci_high:.1%}"
        return f"{found.value:.1%} ({bounds})"

    @property
    def counted(self) -> str:
        """What the agreement rests on, in numbers of chains."""
        if self.agreement is None:
            return f"{self.n_chains:,} chains, none with a recorded answer"
        failed = self.agreement.n_total - self.agreement.n_ok
        parts = [f"{self.agreement.n_ok:,} chains"]
        parts += [f"{failed:,} gave no answer"] if failed else []
        parts += [f"{self.n_unrecorded:,} without a recorded answer"] if self.n_unrecorded else []
        return ", ".join(parts)

    @property
    def sentence(self) -> str:
        """What the agreement says."""
        if self.agreement is None:
            return (
                f"None of its {self.n_chains:,} imported chains has a recorded answer, so it is not known whether they "
                "lead this model where they led their author."
            )
        return f"Its chains are imported; they lead it to their recorded answer in {self.reached} ({self.counted})."

    @property
    def reader(self) -> str:
        """A sentence on a model that reads the chains of others; "" if it is their author, or nobody is named."""
        if not self.others:
            return ""
        return (
            f"Read by {self.model}, written by {self.others}: the figures say how the reader uses the chains, not how "
            "their author does."
        )

    @property
    def missing(self) -> str:
        """A sentence that names what is withheld, and why; "" if nothing is."""
        return f"Withheld ({self.withheld}), because {self.why}" if self.withheld else ""


def imported_chains(rows: Sequence[Estimate]) -> list[ImportedChains]:
    """Return the imported chains of each task and model, in this order."""
    cells: dict[tuple[str, str], list[Estimate]] = {}
    for row in rows:
        cells.setdefault((row.task, row.series), []).append(row)
    found = [_of_cell(own) for _, own in sorted(cells.items())]
    return [one for one in found if one is not None]


def _of_cell(rows: Sequence[Estimate]) -> ImportedChains | None:
    shares = {row.method: row for row in rows if row.metric == SHARE.name}
    if None not in shares:
        return None
    agreement = next((row for row in rows if (row.metric, row.method) == (AGREEMENT.name, None)), None)
    authors = {method: row.n_total for method, row in shares.items() if method is not None}
    whole, why = shares[None], next((row.withheld for row in rows if row.withheld), "")
    return ImportedChains(whole.task, whole.series, whole.model, whole, agreement, authors, _withheld(rows), why or "")


def _withheld(rows: Sequence[Estimate]) -> str:
    """Return the withheld metrics by probe; with their methods if others of the same metric are shown."""
    shown = {(row.probe, row.metric) for row in rows if not row.withheld}
    found: dict[str, dict[str, None]] = {}
    for row in (row for row in rows if row.withheld):
        name = title(row.metric, row.method) if (row.probe, row.metric) in shown else row.metric
        found.setdefault(row.probe or "chains", {})[name] = None
    return "; ".join(f"{probe}: {', '.join(names)}" for probe, names in found.items())


def withheld_together(found: Iterable[ImportedChains]) -> dict[str, list[ImportedChains]]:
    """Return the names of withheld figures -> the tasks and models that they are withheld of."""
    groups: dict[str, list[ImportedChains]] = {}
    for one in found:
        if one.withheld:
            groups.setdefault(one.withheld, []).append(one)
    return groups


def _plain(name: str) -> str:
    """Return the name's letters and digits, which two ways of writing it share."""
    return re.sub(r"[\W_]", "", name.lower())
