"""The report: one HTML page that needs no network.

In: the run's facts, its rows, estimates and first screen. Out: the page's text. Model output is untrusted: ``document``
escapes every text.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from cotfaith.cluster.report.answers import DECISIONS, QUESTIONS, WORDS
from cotfaith.cluster.report.columns import table_rows
from cotfaith.cluster.report.depths import depth_lines
from cotfaith.cluster.report.details import details
from cotfaith.cluster.report.document import content_policy, environment, scripts, styles
from cotfaith.cluster.report.drawing.looks import key, looks_of
from cotfaith.cluster.report.endings import Ending
from cotfaith.cluster.report.facts import run_facts, told_apart
from cotfaith.cluster.report.findings import chance_levels, findings
from cotfaith.cluster.report.first import First, first_screen
from cotfaith.cluster.report.imported import imported_chains, withheld_together
from cotfaith.cluster.report.interventions import of_tasks
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.report.packed import packed
from cotfaith.cluster.report.parts import page_parts
from cotfaith.cluster.report.scaling import scaling
from cotfaith.cluster.report.sections import Measured, make_sections
from cotfaith.cluster.report.shown import Shown, pick_side_by_side, shown
from cotfaith.cluster.report.side_by_side import SideBySide
from cotfaith.cluster.report.spoken import first_columns, known_words
from cotfaith.cluster.report.standing import standing_figure
from cotfaith.cluster.report.statuses import failures, statuses
from cotfaith.cluster.report.transcript import Transcript
from cotfaith.cluster.report.transcripts import pick_transcripts
from cotfaith.cluster.report.voided import voided
from cotfaith.cluster.stats.estimates import Estimate, by_kind, plain, read_estimates
from cotfaith.cluster.stats.metrics import unknown_probes
from cotfaith.cluster.stats.series import in_series
from cotfaith.cluster.storage.completeness import Completeness
from cotfaith.cluster.verdicts.decide import verdicts_at_hand
from cotfaith.cluster.verdicts.policy import Policy, load_policy
from cotfaith.cluster.verdicts.verdict import Verdict
from cotfaith.schemas.run_objects import CheckEntry, NoiseEntry, RunRecord
from cotfaith.schemas.variants import PLAIN

Row = dict[str, Any]
SMALL = 24
"""Up to so many lines of the matrix, what is folded is on the page at once; else it is made when it is opened."""
MOST_LINES = 12
"""The most lines of a table that are not folded."""


def render(
    run: RunRecord,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    estimates: pa.Table,
    checks: Sequence[CheckEntry] = (),
    complete: Completeness | None = None,
    endings: Sequence[Ending] = (),
    comparisons: Sequence[Row] = (),
) -> str:
    """Return the page of a run whose tables are at hand, with verdicts by the default policy; the rest as below."""
    tables = {"items": items, "chains": chains, "observations": observations}
    rows, policy = shown(tables), load_policy(None)
    picked = pick_transcripts(run.run_id, items, chains, observations, known_words())
    beside = pick_side_by_side(rows, tables)
    found = [] if run.imported is not None else verdicts_at_hand(run, tables, estimates, complete, policy)
    first = first_of(run, rows, found, policy, read_estimates(estimates), complete, endings)
    return render_shown(run, rows, picked, estimates, first, checks, complete, endings, beside, comparisons)


def first_of(
    run: RunRecord,
    rows: Shown,
    found: Sequence[Verdict],
    policy: Policy,
    estimates: Sequence[Estimate],
    complete: Completeness | None,
    endings: Sequence[Ending],
) -> First:
    """Return the first screen of a run whose items are in ``rows``."""
    n_items = rows.items.select("task", "item_id").n_unique() if len(rows.items) else 0
    return first_screen(run, found, policy, estimates, n_items, complete, endings)


def render_shown(
    run: RunRecord,
    rows_shown: Shown,
    transcripts: Sequence[Transcript],
    estimates: pa.Table,
    first: First,
    checks: Sequence[CheckEntry] = (),
    complete: Completeness | None = None,
    endings: Sequence[Ending] = (),
    beside: Sequence[SideBySide] = (),
    comparisons: Sequence[Row] = (),
    noise: Sequence[NoiseEntry] = (),
) -> str:
    """Return the page.

    ``transcripts``: the chains to read. ``first``: the first screen. ``checks``: the checks from a validation of this
    run's metrics. ``complete``: how much of the run is committed; None: the page says nothing about it. ``endings``:
    what to do about rows that are not ok. ``beside``: the chains to read side by side. ``comparisons``: the rows of
    that table. ``noise``: the noise floors of the models' engines.
    """
    items, chains, observations = rows_shown.items, rows_shown.chains, rows_shown.observations
    words = known_words()
    said = list(words.values())
    every = read_estimates(estimates)
    chance = chance_levels(items)
    rows, others = voided(plain(every), chance, said), by_kind(every)
    imported = imported_chains(plain(every))
    named_chains, named_observations = in_series(chains, observations)
    models = sorted({*named_chains["model"].to_list(), *(row.series for row in rows)})
    looks = looks_of(models)
    plain_chains = named_chains.filter(pl.col("variant") == PLAIN)
    sections = make_sections(Measured(rows, plain_chains, looks, chance, others), said)
    columns = first_columns()
    found = findings([*rows, *others["settings"]], chance, said)
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            run_id=run.run_id,
            policy=content_policy(),
            css=styles(),
            first=first,
            lazy=len(first.lines) > SMALL,
            most_lines=MOST_LINES,
            heads=list(QUESTIONS.values()),
            all_words=WORDS,
            decisions=list(DECISIONS.values()),
            facts=[*run_facts(run, items, observations, noise), *told_apart(chains, observations)],
            imported=imported,
            withheld=withheld_together(imported),
            models=models,
            details=details(first.lines, found, every),
            columns=[column.header for column in columns],
            table=table_rows(rows, columns),
            parts=page_parts(sections, first.lines),
            standing=standing_figure(first.selected, looks) if first.selected else None,
            scaling=scaling(comparisons, Known(rows), looks),
            depths=depth_lines(run, rows),
            moved=of_tasks(every, rows_shown.moves),
            statuses=statuses(chains, observations),
            endings=[one.text for one in endings],
            keys={model: key(look) for model, look in looks.items()},
            unknown=unknown_probes(observations),
            checks=checks,
            incomplete=complete.headline() if complete else "",
            missing=complete.details() if complete else [],
            failures=failures(named_chains, named_observations),
            transcripts=transcripts,
            beside=beside,
            glossary=[term for one in said if one.glossary for term in one.glossary.items()],
            sources=dict.fromkeys(source for one in said for source in one.sources),
            scripts=scripts(),
        )
    )
    return packed(page)
