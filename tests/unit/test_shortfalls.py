"""The estimates with warnings, and their worst and best cases, in the report and in the terminal."""

import io
import re
from dataclasses import replace

import pytest
from estimate_rows import estimate as made
from rich.console import Console

from cotfaith.cluster.cli.estimate_tables import shortfall_table
from cotfaith.cluster.report.columns import table_rows
from cotfaith.cluster.report.findings import findings
from cotfaith.cluster.report.shortfalls import shortfalls
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.stats.metrics.lib.words import Column


def estimate(metric="aoc", n_ok=20, n_total=20, method=None, position=None, arms=None, **more):
    row = {"method": method, "position": position, "n_ok": n_ok, "n_total": n_total, "n_items": n_ok}
    row |= {"least": 0.25, "most": 0.75, "n_arms_ok": arms and arms[0], "n_arms": arms and arms[1]}
    return made(metric, **{**row, **more})


@pytest.mark.parametrize(
    ("n_ok", "n_total", "arms", "warned"),
    [
        (20, 20, None, False),
        (19, 20, None, False),  # .95 is enough
        (18, 20, None, True),
        (0, 20, None, True),
        (20, 20, (95, 100), False),
        (20, 20, (94, 100), True),  # no chain is lost, and 6% of their arms are
        (94, 100, (500, 500), True),
        (0, 0, None, False),
        (20, 20, (0, 0), False),
    ],
)
def test_less_than_95_percent_of_rows_or_arms(n_ok, n_total, arms, warned):
    assert bool(shortfalls([estimate(n_ok=n_ok, n_total=n_total, arms=arms)])) == warned


@pytest.mark.parametrize(
    "metric",
    ["accuracy_cot", "accuracy_no_cot", "filler_accuracy", "transfer_accuracy", "order_same_letter", "new_one"],
)
def test_any_metric_is_warned_of(metric):
    (found,) = shortfalls([estimate(metric, 15, 20, "x")])
    assert (found.name, found.rests_on, found.cases, found.shown) == (f"{metric}/x", "15/20", "0.25 to 0.75", "0.50")


def test_a_curve_is_one_line_at_its_worst_position():
    rows = [estimate("c", 19 - at, 20, "linear", at / 10) for at in range(5)]
    (found,) = shortfalls(rows)
    assert (found.name, found.is_curve, found.rests_on) == ("c/linear at 0.4", True, "15/20")


def test_without_bounds_and_without_a_value():
    found = shortfalls([estimate("mean_steps", 1, 2, least=None, most=None), estimate("z", 0, 2, value=None)])
    assert [(one.cases, one.shown) for one in found] == [("no bounds", "0.50"), ("0.25 to 0.75", "–")]


def test_a_model_and_a_task_have_their_own():
    rows = [estimate(n_ok=1), estimate(n_ok=1, model="o"), estimate(task="u")]
    made = {(f.task, f.model): len(f.shortfalls) for f in findings(rows, {}, [])}
    assert made == {("t", "m"): 1, ("t", "o"): 1, ("u", "m"): 0}


def test_a_cell_shows_its_range_only_where_rows_lack():
    column = Column("AOC", "aoc", None, "%")
    cells = [table_rows([estimate(n_ok=n, arms=(9, 10))], [column])[0].cells[0] for n in (20, 10)]
    assert [cell.cases for cell in cells] == ["25.0% to 75.0%"] * 2
    assert cells[0].ok == "20/20, 9/10 arms"
    assert table_rows([estimate()], [column])[0].cells[0].cases == ""


def test_a_column_takes_the_paired_accuracy_and_else_the_other():
    column = Column("Accuracy", "accuracy_cot", "paired", "%", instead=(None,))
    both = [estimate("accuracy_cot", value=0.1), estimate("accuracy_cot", method="paired", value=0.2)]
    assert table_rows(both, [column])[0].cells[0].value == "20.0%"
    assert table_rows(both[:1], [column])[0].cells[0].value == "10.0%"
    assert not table_rows([estimate("accuracy_cot", method="by_difficulty")], [column])


def test_the_terminal_shows_them_at_80_columns():
    rows = [estimate(f"a_rather_long_name_of_a_metric_{i}", 1, 20, "with_a_method", arms=(10, 99)) for i in range(3)]
    text = io.StringIO()
    Console(width=80, file=text).print(shortfall_table(shortfalls([*rows, estimate("c", 1, 20, None, 0.5)])))
    shown = text.getvalue()
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("0.25 to 0.75") == 3
    assert shown.count("10/99 arms") == 3
    assert "And 1 by position" in re.sub(r"\s+", " ", shown)
    assert "…" not in shown


def test_the_readings_that_differ_are_named():
    base = [estimate("accuracy_cot", 40, 40)]
    row = estimate("answer_readings_differ", 150, 150, value=0.02)
    (found,) = findings([*base, row], {}, [])
    assert any("3 of 150 generated answers (2.0%) read differently" in w for w in found.warnings)
    (none,) = findings([*base, replace(row, value=0.0)], {}, [])
    assert not any("read differently" in w for w in none.warnings)


def test_accuracies_in_the_sentence_are_the_paired_ones():
    rows = [
        estimate("accuracy_cot", value=0.9),
        estimate("accuracy_no_cot", value=0.2),
        estimate("accuracy_cot", method="paired", value=0.5),
        estimate("accuracy_no_cot", method="paired", value=0.4),
        estimate("cot_gain", value=0.1, ci_low=-0.1, ci_high=0.3),
    ]
    (found,) = findings(rows, {}, list(known_words().values()))
    assert found.sentences[0].startswith("It answers 40% right without a chain and 50% with one. The difference, +10")


def test_there_is_no_negative_zero():
    (short,) = shortfalls([estimate("x", 1, 2, value=-1e-17, least=-0.001, most=0.5)])
    assert (short.shown, short.cases) == ("0.00", "0.00 to 0.50")
