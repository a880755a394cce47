"""First screens of invented verdicts, for tests of the report."""

from dataclasses import replace

import polars as pl
from figures import WRONG, changed, without
from run_records import run_record

from cotfaith.cluster.report.first import first_screen
from cotfaith.cluster.report.page import render_shown
from cotfaith.cluster.report.shown import shown
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.verdicts.gate import verdicts
from cotfaith.cluster.verdicts.policy import load_policy
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

SILENT = ("silent_influence/rules.relied", WRONG)
MOVED = ("switch_over_neutral/cot", WRONG)
POLICY = load_policy(None)


def kinds():
    """Return a verdict of each kind: trusted, silent, unneeded, with few items, and untested in part."""
    found = [
        changed({}, "reasoner", n=2000),
        changed({SILENT: 0.9, MOVED: 0.9}, "silent", n=2000),
        changed({("cot_gain", "plain"): 0.0}, "unneeded", n=2000),
        changed({SILENT: 0.02}, "unsure", n=60),
        replace(without("paraphrase_drop/accuracy"), cell=changed({}, "untested").cell),
    ]
    return [verdicts("r", [one], POLICY)[0] for one in found]


def many(models=20, tasks=30):
    """Return verdicts of all kinds on many models and tasks, with names as long as real ones."""
    own = kinds()
    return [
        replace(own[(m + t) % len(own)], model=f"Example-{m:02}-72B-Instruct", task=f"logical_deduction_objects_{t:02}")
        for m in range(models)
        for t in range(tasks)
    ]


def first_of(found, **more):
    return first_screen(run_record(created="2026-11-27T10:00:00+00:00"), found, POLICY, [], 40, **more)


def page_of(found):
    """Return a page with these verdicts and no rows."""
    tables = {"items": ITEMS, "chains": CHAINS, "observations": OBSERVATIONS}
    empty = {name: pl.from_arrow(schema.empty_table()) for name, schema in tables.items()}
    estimates = aggregate(**empty, run_id="r", seed=0)
    return render_shown(run_record(), shown(empty), [], estimates, first_of(found))
