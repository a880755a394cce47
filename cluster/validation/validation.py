"""A run -> its validation: figures, checks, costs and curves, as one object that can be written as JSON.

In: the store of a run (only committed rows). Out: ``Validation``. The same rows give the same validation, except for
the seconds. Knows nothing about how it is shown.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cotfaith.cluster.stats.aggregate import estimates_of
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.metrics import unknown_probes
from cotfaith.cluster.stats.metrics.early_answering import CURVE
from cotfaith.cluster.stats.metrics.no_cot import RELIANCE
from cotfaith.cluster.storage.batches import batches, each_batch, occurring
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.validation.check import Check
from cotfaith.cluster.validation.checks import run_checks
from cotfaith.cluster.validation.cost import Cost, costs
from cotfaith.cluster.validation.hint_checks import VARIANT, hint_checks
from cotfaith.cluster.validation.judgement import Figure, figures
from cotfaith.cluster.validation.labelled import Labelled, organism_of
from cotfaith.cluster.validation.metrics import JudgedMetric, judged_metrics
from cotfaith.cluster.validation.model_checks import GAPS, SKILL
from cotfaith.cluster.validation.part import PART_ROWS, Asked, everything
from cotfaith.cluster.validation.scored import Scored
from cotfaith.cluster.validation.usable import UsableChain
from cotfaith.schemas.run_objects import RunRecord


@dataclass(frozen=True)
class Curve:
    """The line of one model in a figure."""

    model: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    n: int
    """Chains behind it."""


@dataclass(frozen=True)
class Count:
    """The number of chains of one model."""

    model: str
    chains: int
    usable: int
    """Status ok."""
    labelled: int
    faithful: int


@dataclass(frozen=True)
class Validation:
    """All results of validating one run."""

    seed: int
    counts: tuple[Count, ...]
    checks: tuple[Check, ...]
    figures: tuple[Figure, ...]
    costs: tuple[Cost, ...]
    same_answer: tuple[Curve, ...]
    """One line per model: share of chains with the final answer after a part of the chain. Items without hints."""
    reliance: tuple[Curve, ...]
    """Share of chains whose answer differs without a chain, by the organisms' skill. Items without hints."""

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.result == "failed"]

    def as_json(self) -> str:
        """Return everything as JSON, with the metrics' rules under the key ``metrics``."""
        rules = [_rule(tested) for tested in judged_metrics()]
        return json.dumps(asdict(self) | {"metrics": rules}, indent=1, allow_nan=False)


def _rule(tested: JudgedMetric) -> dict[str, Any]:
    judged = asdict(tested.judged)
    return {"name": tested.name, "probes": tested.probes} | {
        name: judged[name] for name in ("level", "claims", "faithful", "threshold", "rule", "source")
    }


def validate(store: Store, run: RunRecord, most_rows: int = PART_ROWS) -> Validation:
    """Label, score and judge the committed rows of ``run``; ``most_rows``: observations that are read together."""
    ledger = read_ledger(store, run)
    found, whole = batches(ledger, run, most_rows), occurring(ledger)
    unknown_probes(whole)  # loads what packages offer, before the metrics are listed
    asked = Asked.of_run(run, _wanted(), whole if len(found) > 1 else None)
    made = everything(each_batch(store, run, found, asked.part), asked.metrics)
    seed, sources, commits = run.spec.seed, asked.sources, asked.commits(ledger.commits())
    organisms = {name: model for model, source in sources.items() if (name := organism_of(source)) is not None}
    hinted: list[Check] = []
    if organisms and VARIANT in set(whole["variant"]):
        hinted = hint_checks(read_estimates(estimates_of([(made.scored.tally, None)], (), run.run_id)), organisms)
    return Validation(
        seed=seed,
        counts=tuple(_counts(made.n_chains, made.usable, made.labelled)),
        checks=(*run_checks(made.usable, made.labelled, made.scored, sources, seed), *hinted),
        figures=tuple(figures(made.labelled, made.scored, seed)),
        costs=tuple(costs(made.usable, made.spent, commits, made.n_chains.total())),
        same_answer=tuple(_same_answer(made.usable, made.scored)),
        reliance=tuple(_reliance(made.usable, made.scored, sources)),
    )


def _wanted() -> set[str]:
    """Return the titles of all metrics that the validation uses."""
    return {metric.title for metric in (CURVE, RELIANCE, *(gap.metric for gap in GAPS))} | {
        tested.name for tested in judged_metrics()
    }


def _counts(chains: Counter[str], usable: Sequence[UsableChain], labelled: Sequence[Labelled]) -> list[Count]:
    found = []
    for model in sorted(chains):
        known = [one.faithful for one in labelled if one.usable.model == model and one.faithful is not None]
        whole = sum(one.model == model for one in usable)
        found.append(Count(model, chains[model], whole, len(known), sum(known)))
    return found


def _same_answer(usable: Sequence[UsableChain], scored: Scored) -> list[Curve]:
    found: dict[str, list[list[tuple[float, float]]]] = {}
    for one in _unhinted(usable):
        if (curve := scored.curves.get(CURVE.title, {}).get(one.key)) is not None:
            found.setdefault(one.model, []).append(curve)
    return [
        Curve(
            model,
            tuple(x for x, _ in curves[0]),
            tuple(np.mean([[y for _, y in curve] for curve in curves], axis=0).tolist()),
            len(curves),
        )
        for model, curves in sorted(found.items())
    ]


def _reliance(usable: Sequence[UsableChain], scored: Scored, sources: Mapping[str, str]) -> list[Curve]:
    """Return one line through the organisms of known skill."""
    points, n = [], 0
    for organism, skill in SKILL.items():
        own = [one for one in _unhinted(usable) if organism_of(sources.get(one.model, "")) == organism]
        known = [c for one in own if (c := scored.chain(RELIANCE.title, one.key)) is not None]
        if known:
            points.append((skill, sum(known) / len(known)))
            n += len(known)
    return (
        [Curve("raw reliance", tuple(x for x, _ in points), tuple(y for _, y in points), n)] if len(points) > 1 else []
    )


def _unhinted(usable: Sequence[UsableChain]) -> list[UsableChain]:
    return [one for one in usable if not one.is_hinted]
