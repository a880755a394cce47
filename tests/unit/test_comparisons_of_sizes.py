"""Figures about sizes in ``comparisons``: withheld figures, channels, and a whole run with its report."""

import polars as pl
import pyarrow.parquet as pq
import pytest
from kept_items import AOC, SIZES, alike, entries, kept_items
from runs_here import finish

from cotfaith.cluster.report.results import write_results
from cotfaith.cluster.stats.conditioned.comparisons import comparisons_of
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of

FOUR = alike(a=0.8, b=0.7, c=0.6, d=0.5)


def estimates(*withheld, channel=None):
    """Return estimates of which those of some models are withheld."""
    head = {"schema_version": SCHEMA_VERSION, "run_id": "r", "task": "t", "strategy": "cot", "metric": "aoc"}
    counts = {"n_total": 1, "n_ok": 1, "n_items": 1, "channel": channel}
    return table_of("estimates", [head | counts | {"model": name, "withheld": "why"} for name in withheld])


def slopes(kept, told):
    rows = comparisons_of({"conditioned": kept}, told, "r", entries()).to_pylist()
    return [row for row in rows if row["kind"] == "size_slope" and row["metric"] == "aoc"]


def test_a_model_whose_figures_are_withheld_is_no_size():
    kept = kept_items(FOUR, p0=[0.3] * 40)
    (whole,), (less,) = slopes(kept, estimates()), slopes(kept, estimates("b"))
    assert whole["value"] == pytest.approx(-0.1)
    assert (whole["run_id"], whole["channel"], whole["family"]) == ("r", None, "f")
    assert (less["value"], less["interval"]) == (None, "too_few_sizes: 3 of 4")


def test_channels_are_apart():
    kept = pl.concat(
        [kept_items(FOUR, channel="body"), kept_items(alike(**dict.fromkeys(SIZES, 0.5)), channel="reasoning")]
    )
    found = {row["channel"]: row["value"] for row in slopes(kept, estimates("a", channel="reasoning"))}
    assert found == {"body": pytest.approx(-0.1), "reasoning": None}


def test_a_run_of_four_sizes_has_slopes_and_a_section_of_the_report(tmp_path):
    models = [{"id": name, "engine": "stub", "family": "f", "parameters": n} for name, n in SIZES.items()]
    tasks = [{"name": "t", "generator": "serial_arithmetic", "options": {"closed": True, "steps": [3]}, "n": 6}]
    probes = ["no_cot", "early_answering"]
    folder = finish(tmp_path, {"models": models, "tasks": tasks, "probes": probes, "output": {"path": "run"}}) / "run"
    store = LocalStore(folder)
    write_results(store, load_run(store))
    rows = pq.read_table(folder / "comparisons.parquet").to_pylist()
    (slope,) = [row for row in rows if (row["kind"], row["metric"], row["method"]) == ("size_slope", *AOC.split("/"))]
    assert (slope["n_models"], slope["n_items"]) == (4, 6)
    assert slope["ci_low"] < slope["value"] < slope["ci_high"]
    page = (folder / "report.html").read_text()
    assert "Is a larger model less faithful, or only better?" in page
    assert "<svg" in page.partition("Is a larger model less faithful, or only better?")[2].partition("</section>")[0]
