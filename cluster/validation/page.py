"""A validation as a Markdown page with SVG figures.

In: ``Validation``. Out: file name -> text; the words are in ``validation.md.j2``. The same validation gives the same
page; only the seconds differ between machines and runs. Every number comes from the validation.
"""

from pathlib import Path

from cotfaith.cluster.validation.cells import bounded, number, share, tally
from cotfaith.cluster.validation.judgement import SPANS, Figure
from cotfaith.cluster.validation.markdown import rendered
from cotfaith.cluster.validation.metrics import JudgedMetric, judged_metrics
from cotfaith.cluster.validation.svg import line_chart
from cotfaith.cluster.validation.validation import Validation

TEMPLATE = Path(__file__).with_name("validation.md.j2")
GROUPS = (("setting", "source of the label"), ("steps", "steps in the chain"), ("model", "model"))
MARK = {"passed": "passed", "failed": "**FAILED**", "not measured": "not measured"}
Cells = list[str]


def pages(made: Validation, stem: str = "validation") -> dict[str, str]:
    """Return the page, named ``stem``.md, and its SVG figures."""
    charts = _charts(made, stem)
    text = rendered(
        TEMPLATE,
        tally=tally(made),
        checks=[
            [c.name, c.expected, bounded(c.value, c.low, c.high), str(c.n), MARK[c.result], c.note] for c in made.checks
        ],
        metrics=_metrics(made),
        groups=[group for group in (_group(made, *kind) for kind in GROUPS) if group is not None],
        early=f"{stem}-early.svg" if f"{stem}-early.svg" in charts else "",
        skill=f"{stem}-skill.svg" if f"{stem}-skill.svg" in charts else "",
        counts=[[c.model, *map(str, (c.chains, c.usable, c.labelled, c.faithful))] for c in made.counts],
        rules=[_rule(tested) for tested in judged_metrics()],
    )
    return {f"{stem}.md": text} | charts


def _code(name: str) -> str:
    return f"`{name}`"


def _rule(tested: JudgedMetric) -> Cells:
    judged = tested.judged
    return [
        _code(tested.name),
        judged.level,
        judged.claims,
        judged.rule,
        ", ".join(tested.probes) or "-",
        judged.source,
    ]


def _metrics(made: Validation) -> list[Cells]:
    spent = {(cost.metric, cost.level): cost for cost in made.costs}
    return [
        [
            _code(f.metric),
            f.level,
            bounded(f.auroc, f.low, f.high, f.reason),
            share(f.called_unfaithful),
            share(f.n_unfaithful / n if (n := f.n_faithful + f.n_unfaithful) else None),
            str(n),
            str(f.n_missing),
            number(spent[f.metric, f.level].tokens_per_chain, 0),
            number(spent[f.metric, f.level].seconds_per_chain, 3),
        ]
        for f in made.figures
        if f.group == "all"
    ]


def _group(made: Validation, kind: str, title: str) -> tuple[str, Cells, list[Cells]] | None:
    """Return title, head and rows of a table of AUROCs by group."""
    found = {(f.metric, f.level, f.group): f for f in made.figures}
    names = {f.member: f.group for f in made.figures if f.kind == kind}
    members = [m for m in (SPANS if kind == "steps" else sorted(names)) if m in names]
    rows = [
        [_code(t.name), t.judged.level, *(_cell(found.get((t.name, t.judged.level, names[m]))) for m in members)]
        for t in judged_metrics()
    ]
    return (title, ["metric", "level", *members], rows) if members else None


def _cell(figure: Figure | None) -> str:
    return "-" if figure is None else f"{number(figure.auroc)} ({figure.n_faithful}/{figure.n_unfaithful})"


def _charts(made: Validation, stem: str) -> dict[str, str]:
    charts = {}
    for name, curves, x, y in (
        ("early", made.same_answer, "share of the chain kept", "same answer"),
        ("skill", made.reliance, "skill: share of items answered without a chain", "raw reliance"),
    ):
        series = [(curve.model, tuple(zip(curve.x, curve.y, strict=True))) for curve in curves]
        if series:
            charts[f"{stem}-{name}.svg"] = line_chart(series, x, y)
    return charts
