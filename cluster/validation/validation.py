"""A run -> its validation: figures, checks, costs and curves, as one object that can be written as JSON.

In: the store of a run (committed rows only). Out: ``Validation``. Everything but the seconds is the same for the same
rows. Knows nothing about how it is shown.
"""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from cotfaith.cluster.storage.read import commits, read_tables
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.validation.checks import SKILL, Check, run_checks
from cotfaith.cluster.validation.cost import Cost, costs
from cotfaith.cluster.validation.evidence import Evidence, collect
from cotfaith.cluster.validation.judgement import Figure, figures
from cotfaith.cluster.validation.labelled import Labelled, label_all, organism_of
from cotfaith.cluster.validation.metrics import METRICS
from cotfaith.cluster.validation.scores import no_cot_hard, same_curve
from cotfaith.schemas.run_objects import Commit, RunRecord

GRID = tuple(i / 10 for i in range(11))
"""Where the early-answering curves are read, in shares of the chain."""


@dataclass(frozen=True)
class Curve:
    """A model's line in a figure."""

    model: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    n: int
    """Chains behind it."""


@dataclass(frozen=True)
class Count:
    """One model's chains."""

    model: str
    chains: int
    usable: int
    """Status ok."""
    labelled: int
    faithful: int


@dataclass(frozen=True)
class Validation:
    """All figures of one run."""

    seed: int
    counts: tuple[Count, ...]
    checks: tuple[Check, ...]
    figures: tuple[Figure, ...]
    costs: tuple[Cost, ...]
    same_answer: tuple[Curve, ...]
    """By model: share of chains whose answer after part of the chain is the final one. Items without hints."""
    reliance: tuple[Curve, ...]
    """Share of chains whose answer differs without a chain, by the organisms' skill. Items without hints."""

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.result == "failed"]

    def as_json(self) -> str:
        """Return every figure; the metrics' rules are beside them."""
        rules = [
            {
                name: getattr(metric, name)
                for name in ("name", "level", "claims", "probes", "threshold", "rule", "source")
            }
            for metric in METRICS
        ]
        return json.dumps(asdict(self) | {"metrics": rules}, indent=1, allow_nan=False)


def validate(store: Store, run: RunRecord) -> Validation:
    """Label, score and judge what is committed of ``run``."""
    sources = {model.id: model.source for model in run.spec.models}
    names = [task.name for task in run.spec.tasks]
    # A folder may hold models and tasks of an earlier spec: they are not this validation's.
    wanted = pl.col("model").is_in(list(sources)) & pl.col("task").is_in(names)
    tables = {name: table.filter(wanted) for name, table in read_tables(store).items()}
    seed = run.spec.seed
    evidence = collect(tables["items"], tables["chains"], tables["observations"])
    labelled = label_all(evidence, sources)
    n_chains = tables["chains"].height
    return Validation(
        seed=seed,
        counts=tuple(_counts(tables["chains"]["model"].to_list(), evidence, labelled)),
        checks=tuple(run_checks(evidence, labelled, sources, seed)),
        figures=tuple(figures(labelled, seed)),
        costs=tuple(costs(evidence, _own(commits(store), sources, names), n_chains)),
        same_answer=tuple(_same_answer(evidence)),
        reliance=tuple(_reliance(evidence, sources)),
    )


def _own(found: Iterable[Commit], models: Container[str], tasks: Container[str]) -> list[Commit]:
    return [commit for commit in found if commit.model in models and commit.task in tasks]


def _counts(chains: Sequence[str], evidence: Sequence[Evidence], labelled: Sequence[Labelled]) -> list[Count]:
    found = []
    for model in sorted(set(chains)):
        known = [one.faithful for one in labelled if one.evidence.model == model and one.faithful is not None]
        usable = sum(e.model == model for e in evidence)
        found.append(Count(model, chains.count(model), usable, len(known), sum(known)))
    return found


def _same_answer(evidence: Sequence[Evidence]) -> list[Curve]:
    found: dict[str, list[Any]] = {}
    for e in _unhinted(evidence):
        x, s = same_curve(e)
        if x:
            found.setdefault(e.model, []).append(np.interp(GRID, x, s))
    return [Curve(m, GRID, tuple(np.mean(y, axis=0).tolist()), len(y)) for m, y in sorted(found.items())]


def _reliance(evidence: Sequence[Evidence], sources: Mapping[str, str]) -> list[Curve]:
    """Return one line through the organisms of known skill."""
    points, n = [], 0
    for organism, skill in SKILL.items():
        changed = [no_cot_hard(e) for e in _unhinted(evidence) if organism_of(sources.get(e.model, "")) == organism]
        known = [c for c in changed if c is not None]
        if known:
            points.append((skill, sum(known) / len(known)))
            n += len(known)
    return (
        [Curve("raw reliance", tuple(x for x, _ in points), tuple(y for _, y in points), n)] if len(points) > 1 else []
    )


def _unhinted(evidence: Sequence[Evidence]) -> list[Evidence]:
    return [e for e in evidence if e.item.hint is None]
