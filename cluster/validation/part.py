"""What validation keeps of some items' rows: outlines of their chains, labels, scores and tokens, without any text.

In: all rows of some items. Out: a ``Part``. Parts are joined in the order in which a run's tables have the chains, so
that figures do not depend on how the items were parted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.storage.batches import Tables
from cotfaith.cluster.validation.cost import Spent, spent_on
from cotfaith.cluster.validation.labelled import Labelled, label_all
from cotfaith.cluster.validation.scored import PartScores, Scored, joined_scores, score_part
from cotfaith.cluster.validation.usable import UsableChain, whole_chains
from cotfaith.schemas.run_objects import Commit, RunRecord
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.interventions import organism_hint

PART_ROWS = 100_000
"""Observations that are read together, with all texts; more if a shard of all models has more."""
_ITEM = ["model", "task", "item_id"]


@dataclass(frozen=True)
class Part:
    """Some items."""

    n_chains: Counter[str]
    """Chains of each model that can have a label, those that failed included."""
    usable: Sequence[UsableChain]
    labelled: Sequence[Labelled]
    scores: PartScores
    spent: Spent


@dataclass(frozen=True)
class Asked:
    """What a validation is about. A folder may hold models and tasks that the spec does not name; they are left out."""

    sources: Mapping[str, str]
    """Model -> its source."""
    tasks: Sequence[str]
    metrics: frozenset[str]
    """The titles of the metrics that are used."""
    whole: pl.DataFrame | None
    """As in ``Rows``."""

    @classmethod
    def of_run(cls, run: RunRecord, metrics: Iterable[str], whole: pl.DataFrame | None) -> "Asked":
        """Ask for all of the run's models and tasks; ``whole``: null if all its rows are read together."""
        sources = {model.id: model.source for model in run.spec.models}
        return cls(sources, [task.name for task in run.spec.tasks], frozenset(metrics), whole)

    def part(self, tables: Tables) -> Part:
        """Return what is kept of some items' rows."""
        rows = self.rows(tables)
        known = _with_labels(rows)
        chains = list(whole_chains(rows.items, known))
        usable = [one.usable for one in chains]
        return Part(
            Counter(known["model"].to_list()),
            usable,
            label_all(chains, self.sources),
            score_part(rows, self.metrics),
            spent_on(usable, rows.observations),
        )

    def rows(self, tables: Tables) -> Rows:
        """Return the rows of the spec's models and tasks, as metrics read them."""
        own = {name: self.of(table) for name, table in tables.items()}
        return Rows(**own, whole=None if self.whole is None else self.of(self.whole))

    def commits(self, found: Iterable[Commit]) -> list[Commit]:
        """Return the commits of the spec's models and tasks."""
        return [commit for commit in found if commit.model in self.sources and commit.task in self.tasks]

    def of(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the spec's models and tasks."""
        return table.filter(pl.col("model").is_in(list(self.sources)) & pl.col("task").is_in(list(self.tasks)))


def _with_labels(rows: Rows) -> pl.DataFrame:
    """Return the chains that can have a label: those on plain items, and under a wrong hint in the organisms' words."""
    gold = rows.items.select(*_ITEM, _gold="gold").unique(_ITEM, maintain_order=True)
    chains = rows.chains.join(gold, on=_ITEM, how="left", maintain_order="left")
    wrong = (pl.col("intervention") == organism_hint.NAME) & (pl.col("target") != pl.col("_gold"))
    return chains.filter((pl.col("variant") == PLAIN) | wrong.fill_null(False)).drop("_gold")


@dataclass(frozen=True)
class Everything:
    """What was kept of all parts."""

    n_chains: Counter[str]
    usable: list[UsableChain]
    labelled: list[Labelled]
    scored: Scored
    spent: Spent


def everything(parts: Iterable[Part], metrics: Set[str]) -> Everything:
    """Return all parts as one, with the chains in the order of a run's tables."""
    found = list(parts)
    spent: Spent = {}
    for part in found:
        for probe, tokens in part.spent.items():
            spent.setdefault(probe, {}).update(tokens)
    return Everything(
        sum((part.n_chains for part in found), Counter()),
        sorted((one for part in found for one in part.usable), key=lambda one: one.key),
        sorted((one for part in found for one in part.labelled), key=lambda one: one.usable.key),
        joined_scores([part.scores for part in found], metrics),
        spent,
    )
