"""The report: one HTML page that needs no network.

In: the run's facts, its rows and its estimates. Out: the page's text. Model output is untrusted. Every text is escaped,
with marks for what cannot be seen in it. Figures are SVG elements. The page's content security policy allows only the
hashes of our own scripts, so an unescaped text still could not run.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cotfaith.cluster.report.choice import DRAWN, TOLD
from cotfaith.cluster.report.columns import table_rows
from cotfaith.cluster.report.drawing.looks import key, looks_of, palette
from cotfaith.cluster.report.facts import run_facts, told_apart
from cotfaith.cluster.report.findings import chance_levels, findings
from cotfaith.cluster.report.folds import clipped, shorter
from cotfaith.cluster.report.imported import imported_chains, withheld_together
from cotfaith.cluster.report.interventions import of_tasks
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.report.marked import marked
from cotfaith.cluster.report.reasons import kinds, questions
from cotfaith.cluster.report.scaling import scaling
from cotfaith.cluster.report.sections import Measured, make_sections
from cotfaith.cluster.report.shown import Shown, pick_side_by_side, shown
from cotfaith.cluster.report.side_by_side import SideBySide
from cotfaith.cluster.report.spoken import first_columns, known_words
from cotfaith.cluster.report.to_compare import MOVED, PAIRED
from cotfaith.cluster.report.transcript import Transcript
from cotfaith.cluster.report.transcripts import pick_transcripts
from cotfaith.cluster.stats.estimates import by_kind, plain, read_estimates
from cotfaith.cluster.stats.metrics import unknown_probes
from cotfaith.cluster.stats.metrics.lib.frame import accountable
from cotfaith.cluster.stats.series import in_series
from cotfaith.cluster.storage.completeness import Completeness
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.run_objects import CheckEntry, RunRecord
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN

Row = dict[str, Any]
TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("report.css", "figures.css", "transcripts.css")
MOST_CHAINS = TOLD + DRAWN + MOVED + PAIRED
SCRIPTS = ("transcripts.js",)


def render(
    run: RunRecord,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    estimates: pa.Table,
    checks: Sequence[CheckEntry] = (),
    complete: Completeness | None = None,
    endings: Sequence[str] = (),
    comparisons: Sequence[Row] = (),
) -> str:
    """Return the page of a run whose tables are at hand; the rest as for ``render_shown``."""
    tables = {"items": items, "chains": chains, "observations": observations}
    rows = shown(tables)
    picked = pick_transcripts(run.run_id, items, chains, observations, known_words())
    beside = pick_side_by_side(rows, tables)
    return render_shown(run, rows, picked, estimates, checks, complete, endings, beside, comparisons)


def render_shown(
    run: RunRecord,
    rows_shown: Shown,
    transcripts: Sequence[Transcript],
    estimates: pa.Table,
    checks: Sequence[CheckEntry] = (),
    complete: Completeness | None = None,
    endings: Sequence[str] = (),
    beside: Sequence[SideBySide] = (),
    comparisons: Sequence[Row] = (),
) -> str:
    """Return the page.

    ``transcripts``: the chains to read. ``checks``: the checks from a validation of this run's metrics.
    ``complete``: how much of the run is committed; None: the page says nothing about it.
    ``endings``: what to do about rows that are not ok. ``beside``: the chains to read side by side.
    ``comparisons``: the rows of that table.
    """
    items, chains, observations = rows_shown.items, rows_shown.chains, rows_shown.observations
    words = known_words()
    said = list(words.values())
    every = read_estimates(estimates)
    rows, others = plain(every), by_kind(every)
    imported = imported_chains(rows)
    named_chains, named_observations = in_series(chains, observations)
    chance = chance_levels(items)
    models = sorted({*named_chains["model"].to_list(), *(row.series for row in rows)})
    looks = looks_of(models)
    plain_chains = named_chains.filter(pl.col("variant") == PLAIN)
    sections = make_sections(Measured(rows, plain_chains, looks, chance, others), said)
    columns = first_columns()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            run_id=run.run_id,
            policy=_policy(),
            css=_styles(),
            facts=[*run_facts(run, items, observations), *told_apart(chains, observations)],
            imported=imported,
            withheld=withheld_together(imported),
            models=models,
            findings=findings([*rows, *others["settings"]], chance, said),
            columns=[column.header for column in columns],
            table=table_rows(rows, columns),
            sections=sections,
            scaling=scaling(comparisons, Known(rows), looks),
            moved=of_tasks(every, rows_shown.moves),
            statuses=_statuses(chains, observations),
            endings=endings,
            keys={model: key(look) for model, look in looks.items()},
            unknown=unknown_probes(observations),
            checks=checks,
            incomplete=complete.headline() if complete else "",
            missing=complete.details() if complete else [],
            failures=_failures(named_chains, named_observations),
            transcripts=transcripts,
            beside=beside,
            glossary=[term for one in said if one.glossary for term in one.glossary.items()],
            sources=dict.fromkeys(source for one in said for source in one.sources),
            scripts=_scripts(),
        )
    )


@cache
def _environment() -> Environment:
    """Return the environment, which caches the compiled template."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finished,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"plain": plain_text, "clipped": clipped, "shorter": shorter}  # plain: what holds no elements
    made.globals |= {"kinds": kinds, "questions": questions, "numbered": enumerate, "most": MOST_CHAINS}
    return made


def _finished(value: Any) -> Any:
    """Return a text escaped and marked: a direction override would show the text after it reversed."""
    return marked(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _scripts() -> tuple[Markup, ...]:
    """Return the page's scripts."""
    return tuple(_own(name) for name in SCRIPTS)


def _own(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


@cache
def _styles() -> Markup:
    """Return the page's styles, and the colours of series."""
    return Markup("\n").join([*(_own(name) for name in STYLES), Markup(palette())])


@cache
def _policy() -> str:
    """Allow our own scripts by hash, and inline styles; no network at all."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _scripts()]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes) or "'none'"
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'"


def _statuses(chains: pl.DataFrame, observations: pl.DataFrame) -> list[str]:
    """Return ok and every status that occurs."""
    found = {*chains["status"].unique().to_list(), *observations["status"].unique().to_list()}
    return [str(Status.OK), *sorted(found - {Status.OK})]


def _failures(chains: pl.DataFrame, observations: pl.DataFrame) -> list[Row]:
    """Return the number of rows by status, for the chains and each probe; a judge's failures count for the judge."""
    parts = [
        chains.select("task", "model", pl.lit("chains").alias("of"), "status", pl.lit(1).alias("n")),
        observations.select("task", accountable(), pl.col("probe").alias("of"), "status", "n"),
    ]
    statuses = _statuses(chains, observations)
    table: dict[tuple[str, str, str], dict[str, int]] = {}
    for part in parts:
        counts = part.group_by("task", "model", "of", "status").agg(pl.col("n").sum()).sort("task", "model", "of")
        for task, model, of, status, count in counts.iter_rows():
            table.setdefault((task, model, of), dict.fromkeys(statuses, 0))[status] = count
    ordered = sorted(table.items(), key=lambda entry: (entry[0][:2], entry[0][2] != "chains", entry[0][2]))
    return [
        {"task": task, "model": model, "of": of, "counts": list(counts.items()), "total": sum(counts.values())}
        for (task, model, of), counts in ordered
    ]
