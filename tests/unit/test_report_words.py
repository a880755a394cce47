"""What probes say of themselves: the report asks their words, names none of them, and shows one without words too."""

import re
from dataclasses import replace

import polars as pl
import pytest
from estimate_rows import estimate
from pictures import Picture

from cotfaith.cluster.report import spoken
from cotfaith.cluster.report.drawing.looks import looks_of
from cotfaith.cluster.report.findings import findings
from cotfaith.cluster.report.sections import Measured, make_sections
from cotfaith.cluster.report.spoken import first_columns, known_words
from cotfaith.cluster.report.transcripts import pick_transcripts
from cotfaith.cluster.stats.metrics import METRICS, find_metric
from cotfaith.cluster.stats.metrics.lib.drawings import Curve, Differences, Frontier, Lengths, Matrix, Paired
from cotfaith.cluster.stats.metrics.lib.metric import Metric, ProbeMetrics
from cotfaith.cluster.stats.metrics.lib.remarks import Remark, edited
from cotfaith.cluster.stats.metrics.lib.sayings import few_edits, side
from cotfaith.cluster.stats.metrics.lib.words import OTHER, PERTURBATIONS, Column, Part, ReportSection, Words
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS
from cotfaith.workers.probes import PROBES


def frame(schema, rows):
    names = {name: pl.Series(name, [row.get(name) for row in rows]) for name in schema.names}
    return pl.DataFrame(names) if rows else pl.from_arrow(schema.empty_table())


def named(figure):
    """Every (metric, method) that a figure asks for."""
    match figure:
        case Curve():
            yield from ((figure.metric, method) for method in figure.methods)
            if figure.baseline:
                yield figure.baseline, figure.baseline_method
        case Paired():
            yield from ((metric, m) for metric in (figure.before, figure.after) for m in (figure.method, None))
        case Differences():
            yield from ((figure.metric, method) for method in figure.labels)
        case Matrix():
            yield from ((metric, "any reader") for metric in (*figure.metrics, *figure.about))
        case Frontier():
            yield figure.metric, None
        case Lengths():
            pass


@pytest.mark.parametrize("probe", list(METRICS))
def test_words_name_metrics_that_there_are(probe):
    words = METRICS[probe].words
    columns = [*words.headline, *(column for part in words.parts for column in part.columns)]
    asked = [(column.metric, method) for column in columns for method in (column.method, *column.instead)]
    asked += [pair for part in words.parts for figure in part.figures for pair in named(figure)]
    asked += [(words.dependence.metric, words.dependence.method)] if words.dependence else []
    assert asked
    for name, method in asked:
        find_metric(name, method)


def test_the_report_names_no_probe(repo):
    names = re.compile(rf"\b({'|'.join(PROBES)})\b")
    files = [path for path in (repo / "cluster" / "report").rglob("*") if path.suffix in (".py", ".j2", ".css")]
    assert len(files) > 10
    assert {path.name: names.findall(path.read_text()) for path in files if names.search(path.read_text())} == {}


def test_each_probe_of_the_package_has_its_own_place():
    themes = {"switches", "pairs", "agreement", "naming", "need", "horizon", "difficulty", "hidden", "conditioned"}
    themes |= {"calibrated"}
    assert {*METRICS} - {"verbalises"} == {None, *themes, *PROBES} - {"verbalises"}
    ranks = [one.words.rank for one in METRICS.values()]
    assert len(set(ranks)) == len(ranks)
    heads = [column.header for column in first_columns()]
    assert heads[:4] == ["Accuracy without", "Accuracy with", "Gain", "Same answer without"]
    assert heads[4:] == ["AOC (trapezoid)", "Near ties"]


def measured(*rows):
    empty = frame(CHAINS, [])
    return Measured(list(rows), empty, looks_of(["m"]), {})


def curve(metric, title="A curve", note=""):
    return Curve(title, metric, ("by_step",), "step", "share", note=note)


def points(metric, *values):
    return [estimate(metric, method="by_step", position=float(at), value=value) for at, value in enumerate(values)]


def test_a_plug_in_s_curve_stands_among_the_others_of_its_section():
    ours = Words(rank=1, parts=(Part(PERTURBATIONS, (curve("one", "One", "First."), curve("gone", "Gone", "No."))),))
    theirs = Words(parts=(Part(ReportSection("Perturbations"), (curve("two", "Two", "Second."),)),))
    rows = [*points("one", 0.1, 0.2), *points("two", 0.3)]
    (block,) = make_sections(measured(*rows), [ours, theirs])
    assert [(heading, [f.title for f in figures]) for heading, figures in block.groups] == [("t", ["One", "Two"])]
    assert block.notes == ["First.", "Second.", PERTURBATIONS.closing]
    assert block.section == PERTURBATIONS


def test_of_two_curves_with_one_title_the_first_that_was_measured_is_drawn():
    words = Words(parts=(Part(figures=(curve("best"), curve("second"))),))
    for known, level in (("best", 0.1), ("second", 0.2)):
        (block,) = make_sections(measured(*points(known, level)), [words])
        ((_, (figure,)),) = block.groups
        assert [spot.y for spot in Picture(figure.svg).spots()] == pytest.approx([level], abs=0.005)
    assert make_sections(measured(estimate("other")), [words]) == []


def test_columns_that_were_not_measured_are_left_out():
    words = Words(parts=(Part(columns=(Column("A", "a", unit="%"), Column("B", "b"))),))
    (block,) = make_sections(measured(estimate("a"), estimate("b", position=1.0)), [words])
    assert (block.section, list(block.columns)) == (OTHER, ["A"])
    assert [cell.value for cell in block.table[0].cells] == ["50.0%"]


def test_a_probe_without_words_has_a_column_for_each_metric(monkeypatch):
    found = (
        Metric("new", "x"),
        Metric("new_points", unit="points", bounds=(-1.0, 1.0)),
        Metric("new_ratio", unit="ratio"),
    )
    monkeypatch.setitem(spoken.METRICS, "new_probe", ProbeMetrics("new_probe", found, lambda rows: ()))
    words = known_words()["new_probe"]
    rows = [estimate("new", method="x"), estimate("new_points"), estimate("new_ratio")]
    (block,) = make_sections(measured(*rows), [words])
    assert list(block.columns) == ["new/x", "new_points", "new_ratio"]
    assert [cell.value for cell in block.table[0].cells] == ["50.0%", "+50.0", "0.500"]
    assert list(known_words())[-1] == "new_probe"


def test_rows_of_a_probe_without_words_are_shown_arm_by_arm():
    key = {"run_id": "r", "model": "m", "task": "t", "item_id": "i", "strategy": "cot", "schema_version": 4}
    chain = {**key, "chain_index": 0, "steps": ["a", "b"], "status": "ok", "correct": True, "answer": "A"}
    here = {**key, "chain_index": 0, "probe": "new_probe"}
    rows = [
        {**here, "arm": "whole", "answer": "B", "status": "ok"},
        {**here, "arm": "second", "step": 2, "answer": None, "status": "unparsed"},
        {**here, "arm": "ninth", "step": 9, "answer": "A", "status": "ok"},
        {**here, "arm": "of another chain", "chain_index": 1, "answer": "A", "status": "ok"},
    ]
    (found,) = pick_transcripts("r", frame(ITEMS, []), frame(CHAINS, [chain]), frame(OBSERVATIONS, rows), known_words())
    assert {step: [(c.what, c.outcome) for c in changes] for step, changes in found.changes.items()} == {
        2: [("new_probe, second", "unparsed")]
    }
    assert [(c.what, c.outcome) for c in found.whole] == [("new_probe, ninth", "A"), ("new_probe, whole", "B")]
    assert found.without == "not asked"


def test_an_edit_is_shown_only_where_it_was_made():
    row = {"status": "ok", "answer": "A", "edit": " new "}
    assert edited("made", row, " old ", 1) == Remark("made", "A", 1, "old", "new")
    failed = {**row, "status": "edit_failed", "answer": None}
    assert (
        edited("made", failed, "old")
        == edited("made", {**failed, "edit": None}, "old")
        == Remark("made", "edit_failed")
    )


@pytest.mark.parametrize(
    ("low", "high", "where"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (None, None, None)]
)
def test_where_an_interval_lies(low, high, where):
    row = replace(estimate("x"), ci_low=low, ci_high=high)
    assert side(row) == where


def test_few_edits_are_a_warning():
    assert few_edits(None, "reworded", "steps") == few_edits(0.75, "reworded", "steps") == ""
    assert "The editor reworded only 74% of the steps" in few_edits(0.74, "reworded", "steps")


def test_a_plug_in_whose_sentence_fails_is_named():
    def say(rows):
        return rows["no_such_metric"].value

    for words in (Words(sentence=say), Words(warning=say)):
        with pytest.raises(
            SpecError, match=r"A sentence for the report \(module \S*test_report_words\) fails: KeyError"
        ):
            findings([estimate("x")], {}, [words])


def test_a_plug_in_whose_remarks_fail_is_named():
    def remarks(chain, rows):
        yield 1 / 0

    key = {"model": "m", "task": "t", "item_id": "i", "strategy": "cot"}
    chains = frame(CHAINS, [key | {"chain_index": 0, "steps": ["a"], "n_steps": 1, "status": "ok"}])
    rows = frame(OBSERVATIONS, [key | {"chain_index": 0, "probe": "mine", "arm": "a", "status": "ok"}])
    words = {"mine": Words(remarks=remarks)}
    with pytest.raises(SpecError, match=r"A transcript of mine .* fails: ZeroDivisionError"):
        pick_transcripts("r", frame(ITEMS, [key | {"question": "?"}]), chains, rows, words)
