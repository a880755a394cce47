import re

import polars as pl
import pytest
from pictures import pictures
from report_rows import EVIL, frame, tables
from run_records import run_record

from cotfaith.cluster.report.choice import DRAWN
from cotfaith.cluster.report.document import SCRIPTS
from cotfaith.cluster.report.page import render
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.report.transcripts import pick_transcripts
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.storage.completeness import Completeness
from cotfaith.schemas.run_objects import CheckEntry
from cotfaith.schemas.tables import CHAINS, OBSERVATIONS

RUN = run_record(run_id="r1", created="2026-01-01", cotfaith_version="0.1", versions={"torch": "2"})


def page(*rows, run=RUN):
    return render(run, *rows, aggregate(*rows, run_id="r1", seed=0))


def without_scripts(html):
    return re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)


def test_model_output_is_escaped():
    rows = tables(models=(f"m{EVIL}",), tasks=(f"t{EVIL}",), evil=EVIL)
    html = page(*rows)
    assert "<script>alert" not in html
    assert len(re.findall("</script>", html)) == len(SCRIPTS)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", without_scripts(html))
    drawn = pictures(html, "Accuracy with and without a chain")
    assert any("<script>alert(1)</script>" in text for picture in drawn for text in picture.hovers())


def test_page_is_one_file_that_admits_only_its_own_scripts():
    html = page(*tables())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', html).group(1)
    assert policy.startswith("default-src &#39;none&#39;")
    assert policy.count("sha256-") == len(SCRIPTS)
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert not re.search(r'<(link|img|iframe)|src=|href=(?!"#)', without_scripts(html))


def test_failures_and_caveats_are_shown():
    html = without_scripts(page(*tables()))
    assert "truncated" in html
    assert "not whether it is honest" in html
    assert "Only 8 items: too few" in html
    assert "arXiv 2307.13702" in html


def test_empty_and_all_failed_runs_render():
    items, chains, observations = tables()
    empty = page(items[:0], chains[:0], observations[:0], run=run_record())
    assert "not enough evidence" in empty
    assert "No estimates" in empty
    failed = chains.filter(pl.col("status") != "ok")
    assert "No chain gave a usable answer" in page(items, failed, observations[:0])


def test_transcripts_are_spread_and_deterministic():
    rows = tables(tasks=("t", "u"), n=16)
    picked = pick_transcripts("r1", *rows, known_words())
    drawn = [t for t in picked if t.reasons[0].why == "drawn"]
    assert len(drawn) == DRAWN
    assert {t.outcome for t in drawn} == {"right", "wrong", "failed"}
    assert {t.chain["task"] for t in drawn} == {"t", "u"}
    again = pick_transcripts("r1", rows[0], rows[1].reverse(), rows[2], known_words())
    assert [t.chain["item_id"] for t in again] == [t.chain["item_id"] for t in picked]


@pytest.mark.parametrize(("same", "at"), [([0, 1, 1], 1), ([1, 1, 1], 0), ([1, 0, 1], 2), ([0, None, 1], None)])
def test_where_an_answer_settles(same, at):
    items, chains, observations = tables(n=1)
    early = observations.filter(pl.col("probe") == "early_answering")[:1].to_dicts()[0]
    arms = [{**early, "position": float(k), "same_answer": None if s is None else bool(s)} for k, s in enumerate(same)]
    chain = {**chains.to_dicts()[0], "steps": ["a", "b"], "n_steps": 2}
    (found,) = pick_transcripts("r", items, frame(CHAINS, [chain]), frame(OBSERVATIONS, arms), known_words())
    assert found.settles_at == at


def test_checks_of_the_metrics_are_shown_and_a_failed_one_as_failed():
    rows = tables()
    numbers = {"expected": "AUROC above 0.5", "n": 40, "note": ""}
    checks = [
        {"name": f"aoc {EVIL}", "value": 0.62, "low": 0.44, "high": 0.8, "result": "failed", **numbers},
        {"name": "drop", "value": None, "low": None, "high": None, "result": "not measured", **numbers},
    ]
    entries = [CheckEntry.model_validate(check) for check in checks]
    html = render(RUN, *rows, aggregate(*rows, run_id="r1", seed=0), entries)
    section = html[html.index("Did the metrics see the truth?") :]
    assert "0.62<br>" in section
    assert '<span class="tag wrong">failed</span>' in section
    assert '<span class="tag failed">not measured</span>' in section
    assert "<script>alert" not in html
    assert "Did the metrics see the truth?" not in page(*rows)


def test_accuracies_in_a_figure_rest_on_the_same_rows():
    """Without a chain a third of the items failed: both dots, and filler beside its dotted line, leave them out."""
    items, chains, observations = tables(n=9)
    lost = (pl.col("probe") == "no_cot") & pl.col("item_id").is_in(["i000", "i001", "i002"])
    gone = [pl.when(lost).then(None).otherwise(pl.col(c)).alias(c) for c in ("answer", "correct")]
    status = pl.when(lost).then(pl.lit("unparsed")).otherwise(pl.col("status")).alias("status")
    rows = (items, chains, observations.with_columns(status, *gone))
    html = page(*rows)
    (accuracies,) = pictures(html, "Accuracy with and without a chain")
    assert ["5 of 9 ok" in dot.hover for dot in accuracies.spots()] == [True, True]  # i005 has no chain
    (fillers,) = pictures(html, "Perturbations", "Filler tokens")
    (filler,), (without,) = fillers.paths("solid"), fillers.paths("level")
    assert [x for x, _ in filler] == [x for x, _ in without] == pytest.approx([5, 10, 15], abs=0.05)
    assert len({y for _, y in without}) == 1  # the same six items at each point
    assert all("6 of 9 ok" in dot.hover for dot in fillers.spots())


def test_without_the_probe_there_is_one_accuracy_and_no_gain():
    items, chains, observations = tables()
    html = page(items, chains, observations.filter(pl.col("probe") != "no_cot"))
    (accuracies,) = pictures(html, "Accuracy with and without a chain")
    assert [dot.filled for dot in accuracies.spots()] == [True]
    assert "no answer without a chain for comparison" in html


def test_an_incomplete_run_says_so_above_everything():
    rows = tables()
    done = Completeness(2, 5, {("m", "t"): 3}, [(f"m / t{EVIL}", f"died {EVIL}")])
    html = without_scripts(render(RUN, *rows, aggregate(*rows, run_id="r1", seed=0), [], done))
    top = html[html.index("<h1>") : html.index("Each model and task")]
    assert "Incomplete: 2 of 5 shards are done." in top
    assert "Quarantined: m / t&lt;script&gt;" in top
    assert "Incomplete" not in without_scripts(page(*rows))
