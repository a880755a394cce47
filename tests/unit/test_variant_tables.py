"""The terminal's table of variants, and their figures as plain data."""

from io import StringIO

import polars as pl
import pytest
from rich.console import Console
from variants_by_hand import OTHER, WRONG, two_hints

from cotfaith.cluster.cli.estimate_tables import variants_table
from cotfaith.cluster.cli.summary import headline_data, summarise
from cotfaith.cluster.cli.view import View
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.estimates import by_kind, read_estimates


@pytest.fixture(scope="module")
def estimates():
    """Two hints that move as many answers; more chains name the one than the other."""
    found = two_hints()
    return read_estimates(aggregate(found.items, found.chains, found.observations, "r", 0))


def printed(estimates, view):
    console = Console(file=StringIO(), width=80)
    summarise(estimates, console, view, {})
    return console.file.getvalue()


def test_the_smallest_faithfulness_is_first_and_every_figure_is_whole(estimates):
    text = printed(estimates, View())
    lines = [line for line in text.partition("Variants:")[2].splitlines() if "wrong" in line]
    assert [OTHER in line for line in lines] == [True, False]
    assert "0.10" in lines[0]
    assert "0.67" in lines[1]  # over neutral
    assert "F" in text
    assert "…" not in text


def test_a_run_without_variants_has_no_such_table(estimates):
    assert "Variants" not in printed([row for row in estimates if row.is_plain], View())
    assert variants_table([]).row_count == 0


def test_what_is_not_shown_is_left_out(estimates):
    assert "Variants" not in printed(estimates, View(models=("another",)))


def test_plain_data_has_the_figures_of_variants(estimates):
    found = {(row["variant"], row["metric"], row["method"]): row["value"] for row in headline_data(estimates, View())}
    assert found[OTHER, "hint_faithfulness", "rules.present"] == pytest.approx(0.1)
    assert found[WRONG, "switch_over_neutral", "cot"] == pytest.approx(20 / 30)
    assert found["plain", "accuracy_cot", None] == 1.0
    assert len(by_kind(estimates)["settings"]) > 1


def test_several_readers_have_a_line_each_and_every_figure_is_whole():
    found = two_hints()
    judge = found.observations.with_columns(pl.lit("a-judge-2.5").alias("reader"), pl.lit("judged").alias("probe"))
    both = pl.concat([found.observations, judge.with_columns(~pl.col("label"))])
    estimates = read_estimates(aggregate(found.items, found.chains, both, "r", 0))
    text = printed(estimates, View()).partition("Variants:")[2]
    assert "…" not in text
    lines = [line.split() for line in text.splitlines() if "rules" in line or "a-judge" in line]
    assert [next(word for word in line if word in ("rules", "a-judge-2.5")) for line in lines] == [
        "a-judge-2.5",
        "rules",
    ] * 2
    assert [line[-2] for line in lines] == ["0.90", "0.10", "0.50", "0.50"]  # F, the smallest first
