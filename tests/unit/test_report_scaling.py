"""The report's section about sizes, checkpoints and tasks."""

import polars as pl
import pytest
from kept_items import AOC, NO_COT, SIZES, TRAINED, VALUES, alike, entries, kept_items, tasks
from pictures import Picture

from cotfaith.cluster.report.scaling import scaling
from cotfaith.cluster.stats.scaling.comparisons import scaling_rows
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of


def shown(kept, models):
    """Return the section of rows as they are written and read."""
    told = [{"run_id": "r", "schema_version": SCHEMA_VERSION} | row for row in scaling_rows(kept, models)]
    return scaling(table_of("comparisons", told).to_pylist())


def test_a_metric_has_one_figure_with_both_lines_and_one_line_of_the_table():
    found = shown(kept_items(alike(a=0.8, b=0.7, c=0.6, d=0.5), p0=[0.3] * 40), entries())
    ((heading, (figure,)),) = found.groups
    assert (heading, figure.title) == ("f · t · cot", "aoc/trapezoid")
    drawn = Picture(figure.svg, log=True)
    ((measured,), (matched,)) = drawn.paths("solid"), drawn.paths("dotted")
    for line in (measured, matched):
        assert [x for x, _ in line] == pytest.approx([1e4, 1e5, 1e6, 1e7], rel=0.01)
        assert [y for _, y in line] == pytest.approx([0.8, 0.7, 0.6, 0.5], abs=0.002)
    assert drawn.words("x-tick") == ["10K", "100K", "1M", "10M"]
    (table,) = found.tables
    (line,) = table.lines
    assert line[:4] == ["f", "t · cot", "aoc/trapezoid", "4"]
    assert line[4].startswith("-0.100 (-0.")
    assert line[6].startswith("-0.100 (-0.")
    assert line[8] == "100%"
    assert len(line) == len(table.columns)


def test_reasons_are_told_in_words():
    sizes = {name: SIZES[name] for name in "abc"}
    few = shown(kept_items(alike(**dict.fromkeys(sizes, 0.5))), entries(sizes))
    assert few.tables[0].lines[0][4:8] == ["too few sizes: 3 of 4", "", "no answers without a chain", ""]
    one = shown(
        kept_items(alike(big=0.5, big2=0.5, small=0.5)),
        entries({}, **{n: TRAINED[n] for n in ("big", "big2", "small")}),
    )
    assert one.tables[-1].lines[0][3:5] == ["–", "one checkpoint is no line"]


def test_checkpoints_and_tasks_have_tables():
    rows = shown(kept_items(alike(**VALUES)), entries({}, **TRAINED)).tables
    assert [table.title for table in rows] == ["Against size", "At equal performance"]
    assert rows[1].lines[1][:4] == ["big minus small", "t · cot", "aoc/trapezoid", "loss 2.500"]
    assert rows[1].lines[1][4].startswith("-0.100 (")
    (plane,) = shown(pl.concat(tasks([(0.2, 0.8), (0.4, 0.65), (0.6, 0.55)])), []).tables
    (line,) = plane.lines
    assert line[:2] == ["m", "aoc/trapezoid"]
    assert plane.columns[-1] == "At the reference (0.40)"
    assert line[4] == "-0.750 to -0.500"


def test_without_sizes_checkpoints_and_tasks_there_is_no_section():
    assert shown(kept_items(alike(a=0.5, b=0.4)), []) is None
    assert shown(kept_items({"a": {NO_COT: [1.0] * 9, AOC: [0.5] * 9}}), []) is None
    assert scaling([]) is None


def test_names_are_escaped_in_figures():
    rows = [
        row | {"model_a": "<b>", "channel": None}
        for row in scaling_rows(kept_items(alike(a=0.8, b=0.7, c=0.6, d=0.5), p0=[0.3] * 40), entries())
    ]
    told = [{"run_id": "r", "schema_version": SCHEMA_VERSION} | row for row in rows]
    found = scaling(table_of("comparisons", told).to_pylist())
    ((_, (figure,)),) = found.groups
    assert "<b>" not in figure.svg
    assert "0.800 (0.735 to 0.827) as measured\n<b>, 10K parameters" in Picture(figure.svg, log=True).hovers()
