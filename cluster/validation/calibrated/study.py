"""Labelled chains of finished runs -> every metric's figures, and the calibrated scores with their held-out figures.

In: ``Collected``. Out: ``Study``, one object that a page is made of. Where the runs have real models, only their chains
are judged; organisms then only train. Knows nothing about how it is shown.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from cotfaith.cluster.stats.metrics.calibrated import NAMES, SETS, features_of, metric_of
from cotfaith.cluster.stats.metrics.lib.fitted import Fitted, lacking
from cotfaith.cluster.stats.metrics.lib.metric import Level
from cotfaith.cluster.validation.auroc import Auroc, auroc
from cotfaith.cluster.validation.calibrated.collected import Collected
from cotfaith.cluster.validation.calibrated.fit import complete, fit
from cotfaith.cluster.validation.calibrated.held_out import SPLITS, Judged, Split, held_out, judged
from cotfaith.cluster.validation.cost import Cost, costs
from cotfaith.cluster.validation.judgement import Figure, Group, figure, points
from cotfaith.cluster.validation.labelled import Labelled, organism_of
from cotfaith.cluster.validation.metrics import JudgedMetric, judged_metrics
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.seeds import derive_seed

MOST_HAVE = 0.9
"""The main score of a level has at least this share of the rows of the score with the most."""
Spending = Callable[[Sequence[JudgedMetric]], list[Cost]]
"""Metrics -> what they cost in these runs."""
LEVELS: tuple[Level, ...] = ("chain", "step")
RECORD: Mapping[Level, tuple[float, str]] = {"chain": (0.70, "CC-SHAP"), "step": (0.59, "filler tokens")}
"""BonaFide (arXiv 2605.25052): the best AUROC of a published metric."""


@dataclass(frozen=True)
class Failure:
    """One kind of unfaithful rows, against the faithful ones of the same setting."""

    setting: str
    kind: str
    n_faithful: int
    n: int
    area: Auroc
    called_faithful: float
    """The share of the kind's rows with a probability of at least .5."""


@dataclass(frozen=True)
class Score:
    """One set of probes at one level."""

    level: Level
    name: str
    fitted: Fitted | None
    why: str
    """Why there is none."""
    n_rows: int
    """Judged rows, those without a feature included."""
    n_complete: int
    lacking: Mapping[str, int]
    """Why rows have no score -> how many."""
    splits: Mapping[Split, Judged]
    groups: Mapping[Split, tuple[tuple[str, Judged], ...]]
    """Each left-out group's own figures."""
    settings: Mapping[Split, tuple[tuple[str, Judged], ...]]
    """The figures of each source of labels. A score may tell sources apart that differ in their share of faithful rows;
    within one it cannot."""
    cost: Cost | None
    failures: tuple[Failure, ...]
    """On the split that leaves out most: both at once, else models, else tasks."""


@dataclass(frozen=True)
class Study:
    """Everything on the page."""

    real: bool
    """Whether chains of real models are judged; else those of organisms are."""
    rows: Mapping[Level, pl.DataFrame]
    """All labelled rows: model, setting, family, faithful and is_real."""
    settings: tuple[str, ...]
    models: tuple[str, ...]
    """Those that are judged."""
    figures: Mapping[tuple[str, str, str, str], Figure]
    """Metric, level, setting ("": all) and model ("": all) -> its figure."""
    within: Mapping[tuple[str, str], Figure]
    """Metric and level -> its figure on pairs of the same model and task."""
    baselines: Mapping[tuple[str, str], Auroc]
    """Level and setting ("": all) -> the AUROC of a chain's length, or a step's place."""
    costs: Mapping[tuple[str, str], Cost]
    """Metric and level -> its cost."""
    scores: tuple[Score, ...]

    def main(self, level: Level) -> Score | None:
        """Return the score with the most probes that has nearly all rows; chosen without a look at any figure."""
        fitted = [one for one in self.scores if one.level == level and one.fitted is not None]
        most = max((one.n_complete for one in fitted), default=0)
        able = [one for one in fitted if one.n_complete >= MOST_HAVE * most]
        return able[-1] if able else None


def study(found: Collected, seed: int = 0) -> Study:
    """Judge every metric, and fit and judge the calibrated scores.

    Raises:
        InputError: no chain has a label, or scikit-learn is missing.

    """
    if found.chains.is_empty():
        raise InputError("No chain of these runs has a label. Give runs of labelled chains, tasks or organisms.")
    real = bool(found.chains["is_real"].any())
    tables: dict[Level, pl.DataFrame] = {"chain": found.chains, "step": found.steps}
    own = {level: table.filter("is_real") if real else table for level, table in tables.items()}
    spent = _costs(found)
    return Study(
        real=real,
        rows=tables,
        settings=tuple(sorted(own["chain"]["setting"].unique())),
        models=tuple(sorted(own["chain"]["model"].unique())),
        figures=dict(_figures(found, real, seed)),
        within=dict(_within(found, real, seed)),
        baselines=dict(_baselines(own, seed)),
        costs={(cost.metric, cost.level): cost for cost in spent(others())},
        scores=tuple(
            _score(tables[level], own[level], level, name, spent, seed) for level in LEVELS for name in SETS[level]
        ),
    )


def others() -> list[JudgedMetric]:
    """Return the judged metrics without the packaged calibrated scores, which may have been fitted on these rows."""
    return [one for one in judged_metrics() if one.metric.name not in NAMES.values()]


def _judged_rows(found: Collected, real: bool) -> list[Labelled]:
    return [one for one in found.every.labelled if not real or organism_of(found.sources[one.usable.model]) is None]


def _within(found: Collected, real: bool, seed: int) -> Iterator[tuple[tuple[str, str], Figure]]:
    labelled = _judged_rows(found, real)
    for tested in others():
        if every := points(labelled, tested, found.every.scored):
            yield (tested.name, tested.judged.level), figure(tested, Group("within", "", every), seed)


def _figures(found: Collected, real: bool, seed: int) -> Iterator[tuple[tuple[str, str, str, str], Figure]]:
    labelled = _judged_rows(found, real)
    for tested in others():
        every = points(labelled, tested, found.every.scored)
        settings, models = (sorted({getattr(point, name) for point in every}) for name in ("setting", "model"))
        for setting in ("", *settings):
            for model in ("", *models):
                kept = [p for p in every if setting in ("", p.setting) and model in ("", p.model)]
                if kept:
                    group = Group("all", f"{setting} {model}".strip(), kept)
                    yield (tested.name, tested.judged.level, setting, model), figure(tested, group, seed)


def _baselines(tables: Mapping[Level, pl.DataFrame], seed: int) -> Iterator[tuple[tuple[str, str], Auroc]]:
    for level, rows in tables.items():
        place = pl.col("n_steps") if level == "chain" else pl.col("step") / pl.col("n_steps")
        for setting in ("", *sorted(rows["setting"].unique())):
            own = rows if setting == "" else rows.filter(pl.col("setting") == setting)
            yield (
                (level, setting),
                auroc(
                    own.select(place.cast(pl.Float64).alias("x"))["x"].to_list(),
                    own["faithful"].to_list(),
                    own["cluster"].to_list(),
                    derive_seed(seed, "auroc", f"length {level} {setting}"),
                ),
            )


def _costs(found: Collected) -> Spending:
    every = found.every
    return partial(costs, every.usable, every.spent, found.commits, every.n_chains.total())


def _score(table: pl.DataFrame, own: pl.DataFrame, level: Level, name: str, spent: Spending, seed: int) -> Score:
    """Fit on ``table``, and judge on ``own``, those of its rows that are judged."""
    features = features_of(level, name)
    whys = Counter(own.select(lacking(features)).to_series().drop_nulls().to_list())
    about = (len(own), len(complete(own, features)), whys)
    try:
        made = fit(table, level, name, features)
    except InputError as error:
        return Score(level, name, None, str(error), *about, {}, {}, {}, None, ())
    rows = {by: held_out(table, level, features, by) for by in SPLITS}
    streams = {by: f"{name} {level} {by}" for by in SPLITS}
    metric = metric_of(made)
    (cost,) = spent([JudgedMetric(metric, metric.judged[0], made.probes)])
    hardest = next((rows[by] for by in ("both", "model", "task") if len(rows[by])), rows["model"])
    return Score(
        level,
        name,
        made,
        "",
        *about,
        {by: judged(rows[by], seed, streams[by]) for by in SPLITS},
        {by: tuple(_each("group", rows[by], seed, streams[by])) for by in SPLITS},
        {by: tuple(_each("setting", rows[by], seed, streams[by])) for by in SPLITS},
        cost,
        tuple(_failures(hardest, seed, f"{name} {level}")),
    )


def _each(column: str, rows: pl.DataFrame, seed: int, stream: str) -> Iterable[tuple[str, Judged]]:
    for name in rows[column].unique().sort():
        yield name, judged(rows.filter(pl.col(column) == name), seed, f"{stream} {name}")


def _failures(rows: pl.DataFrame, seed: int, stream: str) -> Iterator[Failure]:
    wrong = rows.filter(~pl.col("faithful"))
    for setting, kind in wrong.select("setting", "kind").unique().sort("setting", "kind").iter_rows():
        faithful = rows.filter(pl.col("faithful") & (pl.col("setting") == setting))
        own = wrong.filter((pl.col("setting") == setting) & (pl.col("kind") == kind))
        area = judged(pl.concat([faithful, own]), seed, f"{stream} {setting} {kind}").area
        yield Failure(setting, kind, len(faithful), len(own), area, float((own["p"] >= 0.5).mean()))  # type: ignore[arg-type]
