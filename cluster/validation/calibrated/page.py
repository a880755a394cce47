"""A study as a Markdown page with its calibration curves.

In: ``Study``. Out: file name -> text; the words are in ``above_the_record.md.j2``. Every number comes from the study.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from cotfaith.cluster.stats.metrics.calibrated import SETS
from cotfaith.cluster.stats.metrics.lib.metric import Level
from cotfaith.cluster.validation.auroc import Auroc
from cotfaith.cluster.validation.calibrated.held_out import SPLITS, Judged, Split
from cotfaith.cluster.validation.calibrated.study import LEVELS, RECORD, Score, Study, others
from cotfaith.cluster.validation.cells import bounded, number, share
from cotfaith.cluster.validation.judgement import Figure
from cotfaith.cluster.validation.markdown import rendered
from cotfaith.cluster.validation.svg import line_chart

TEMPLATE = Path(__file__).with_name("above_the_record.md.j2")
UNSEEN: dict[Split, str] = {"model": "unseen models", "task": "unseen tasks", "both": "unseen models and tasks"}
CHANCE = 0.5
Cells = list[str]
Table = dict[str, Any]


def pages(made: Study, command: str, stem: str = "above-the-record") -> dict[str, str]:
    """Return the page, named ``stem``.md, and its figures; ``command``: what wrote it."""
    charts = {f"{stem}-{level}.svg": text for level in LEVELS if (text := _chart(made.main(level)))}
    text = rendered(
        TEMPLATE,
        command=command,
        real=made.real,
        settings=made.settings,
        counts=_counts(made),
        answers=[_answer(made, level) for level in LEVELS],
        metrics=[_metrics(made, level) for level in LEVELS],
        by_model=[table for level in LEVELS for setting in made.settings if (table := _by_model(made, level, setting))],
        sets=[[level, name, ", ".join(probes)] for level in LEVELS for name, probes in SETS[level].items()],
        nothing=_nothing(made.main("chain")),
        held_out=[row for score in made.scores for row in _held_out(score)],
        groups=[table for level in LEVELS if (table := _groups(made.main(level)))],
        charts=[(level, f"{stem}-{level}.svg") for level in LEVELS if f"{stem}-{level}.svg" in charts],
        failures=[row for level in LEVELS for row in _failures(made.main(level))],
        lacking=[row for score in made.scores for row in _lacking(score)],
        weights=[table for level in LEVELS if (table := _weights(made.main(level)))],
    )
    return {f"{stem}.md": text} | charts


def _area(area: Auroc) -> str:
    return bounded(area.value, area.low, area.high, area.reason)


def _counts(made: Study) -> list[Cells]:
    rows = []
    for key in made.rows["chain"].select("model", "family", "setting").unique().sort(pl.all()).iter_rows():
        cells: Cells = list(key)
        for level in LEVELS:
            table = made.rows[level]
            own = table.filter(
                pl.all_horizontal(pl.col(n) == v for n, v in zip(("model", "family", "setting"), key, strict=True))
            )
            n = int(own["faithful"].sum())
            cells += [str(n), str(len(own) - n)]
        rows.append(cells)
    return rows


def _answer(made: Study, level: Level) -> Table:
    """Return what the main score of a level reaches, beside the record."""
    main, (record, whose) = made.main(level), RECORD[level]
    found = [(UNSEEN[by], main.splits[by]) for by in SPLITS] if main is not None else []
    known = [(what, one) for what, one in found if one.area.value is not None]
    within = [one for by in SPLITS for _, one in main.settings[by]] if main is not None else []
    return {
        "level": level,
        "name": "" if main is None else main.name,
        "figures": "; ".join(
            f"{what}: {_area(one.area)}, within one model and task {_area(one.within)}" for what, one in known
        ),
        "record": f"{record:.2f} ({whose}), on other chains",
        "best": _best(made, level),
        "unscored": ", ".join(sorted(set(made.settings) - {name for by in SPLITS for name, _ in main.settings[by]}))
        if main is not None
        else "",
        "above": len(known) == len(SPLITS)
        and all(_above(one, record) for one in (*(one for _, one in known), *within)),
        "lacking": ", ".join(what for what, one in found if one.area.value is None),
    }


def _best(made: Study, level: Level) -> str:
    """Return the single metric whose AUROC on all rows is farthest from chance, in whichever direction."""
    found = {one.name: made.figures.get((one.name, level, "", "")) for one in others() if one.judged.level == level}
    known = {name: one for name, one in found.items() if one is not None and one.auroc is not None}
    if not known:
        return ""
    name = max(known, key=lambda name: abs((known[name].auroc or 0.0) - CHANCE))
    every, within = known[name], made.within[name, level]
    if (every.auroc or 0.0) >= CHANCE:
        return f"`{name}` {_figure(every)}, within one model and task {_figure(within)}"
    return f"`{name}`, turned round, {_turned(every)}, within one model and task {_turned(within)}"


def _turned(found: Figure) -> str:
    """Return the figure of the metric with its sign changed."""
    value, low, high = (None if x is None else 1 - x for x in (found.auroc, found.high, found.low))
    return bounded(value, low, high, found.reason)


def _above(one: Judged, record: float) -> bool:
    """Return whether both lower bounds are above the record; where there are no pairs, nothing is said against it."""
    areas = [area for area in (one.area, one.within) if area.value is not None]
    return all(area.low is not None and area.low > record for area in areas)


def _metrics(made: Study, level: Level) -> Table:
    columns = ("", *made.settings)
    head = [
        *("metric", "all", "within one model and task", *made.settings, "calls unfaithful", "are", "no score"),
        *("tokens a chain", "seconds a chain"),
    ]
    place = "number of steps (baseline)" if level == "chain" else "place of the step (baseline)"
    known = [made.baselines.get((level, setting), Auroc(None)) for setting in columns]
    wrong: list[str] = []
    rows = [[place, _area(known[0]), "-", *map(_area, known[1:]), "-", "-", "-", "0", "0"]]
    for tested in others():
        figures = [made.figures.get((tested.name, level, setting, "")) for setting in columns]
        if tested.judged.level == level and (every := figures[0]) is not None:
            cost = made.costs[tested.name, level]
            n = every.n_faithful + every.n_unfaithful
            if every.high is not None and every.high < CHANCE:
                wrong.append(f"`{tested.name}`")
            rows.append(
                [
                    *(f"`{tested.name}`", _figure(every), _figure(made.within[tested.name, level])),
                    *(*map(_figure, figures[1:]), share(every.called_unfaithful)),
                    *(share(every.n_unfaithful / n if n else None), str(every.n_missing)),
                    *(number(cost.tokens_per_chain, 0), number(cost.seconds_per_chain, 3)),
                ]
            )
    return {"level": level, "head": head, "rows": rows, "wrong": ", ".join(wrong)}


def _figure(found: Figure | None) -> str:
    return "-" if found is None else bounded(found.auroc, found.low, found.high, found.reason)


def _by_model(made: Study, level: Level, setting: str) -> Table | None:
    rows = []
    for tested in others():
        found = [made.figures.get((tested.name, level, setting, model)) for model in made.models]
        if tested.judged.level == level and any(one is not None and one.auroc is not None for one in found):
            rows.append([f"`{tested.name}`", *map(_figure, found)])
    return {"level": level, "setting": setting, "head": ["metric", *made.models], "rows": rows} if rows else None


def _held_out(score: Score) -> Iterable[Cells]:
    cost = score.cost
    spent = [number(cost.tokens_per_chain, 0), number(cost.seconds_per_chain, 3)] if cost else ["-", "-"]
    version = f"`{score.fitted.version}`" if score.fitted else f"{score.name}: {score.why}"
    for by, one in score.splits.items():
        yield [
            *(score.level, version, UNSEEN[by], _area(one.area), _area(one.within), _brier(one)),
            *(_labels(one), *spent),
        ]
    if not score.splits:
        yield [score.level, version, "-", "-", "-", "-", "-", *spent]


def _nothing(score: Score | None) -> str:
    splits = () if score is None else score.splits.items()
    return ", ".join(f"{one.nothing:.2f} on {UNSEEN[by]}" for by, one in splits if one.nothing is not None)


def _labels(one: Judged) -> str:
    return f"{one.n_faithful} / {one.n - one.n_faithful}"


def _brier(one: Judged) -> str:
    return f"{number(one.brier, 3)} ({number(one.brier_rate, 3)})"


def _groups(score: Score | None) -> Table | None:
    if score is None:
        return None
    rows = [
        [
            UNSEEN[by],
            what,
            name,
            _area(one.area),
            _area(one.within),
            _brier(one),
            _labels(one),
        ]
        for by in SPLITS
        for what, parts in (("source of the label", score.settings[by]), ("group", score.groups[by]))
        for name, one in parts
    ]
    return {"level": score.level, "name": score.name, "rows": rows}


def _chart(score: Score | None) -> str:
    if score is None:
        return ""
    curves = [
        (UNSEEN[by], tuple((one.p, one.faithful) for one in found.bins))
        for by, found in score.splits.items()
        if found.bins
    ]
    ideal = ("calibrated", ((0.0, 0.0), (1.0, 1.0)))
    return line_chart([ideal, *curves], "P(faithful) by the score", "share that is faithful") if curves else ""


def _failures(score: Score | None) -> Iterable[Cells]:
    for one in () if score is None else score.failures:
        yield [
            *(score.level if score else "", one.setting, one.kind, _area(one.area), share(one.called_faithful)),
            f"{one.n_faithful} / {one.n}",
        ]


def _lacking(score: Score) -> Iterable[Cells]:
    for why, n in sorted(score.lacking.items()):
        yield [score.level, score.name, f"{n} of {score.n_rows}", why]


def _weights(score: Score | None) -> Table | None:
    if score is None or score.fitted is None:
        return None
    made = score.fitted
    rows = [
        [f"`{name}`", f"{coefficient:+.2f}", f"{mean:.2f}", f"{scale:.2f}"]
        for name, coefficient, mean, scale in zip(made.columns, made.coefficients, made.means, made.scales, strict=True)
    ]
    line = f"{made.slope:.2f} z {made.shift:+.2f}"
    return {
        **{"level": score.level, "version": made.version, "rows": rows, "line": line},
        "on": f"{made.training.n} {score.level}s, {made.training.n_faithful} of them faithful, of "
        f"{', '.join(made.training.models)}",
        "hash": made.training.hash,
    }
