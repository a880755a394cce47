"""The share of near ties, and estimates with and without them, by hand on a few rows."""

import io
import re

import polars as pl
import pyarrow as pa
import pytest
from rich.console import Console
from run_records import run_record

from cotfaith.cluster.cli.estimate_tables import summary_table
from cotfaith.cluster.report.columns import table_rows
from cotfaith.cluster.report.findings import findings
from cotfaith.cluster.report.page import render
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.metrics.lib.words import Column
from cotfaith.cluster.stats.near_ties import without_near_ties
from cotfaith.schemas.tables import CHAINS, ESTIMATES, ITEMS, OBSERVATIONS

HEAD = {"schema_version": 3, "run_id": "r", "model": "m", "task": "t", "strategy": "cot"}
NEAR = {"gap": 0.01, "near_tie": True, "tied": False}
TIED = {"gap": 0.0, "near_tie": True, "tied": True}
FAR = {"gap": 2.0, "near_tie": False, "tied": False}


def frame(schema, rows):
    fields = {"metadata": [], "answer_status": "ok", "status": "ok", "step_unit": "sentence", **HEAD}
    rows = [{**{k: v for k, v in fields.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def items(n):
    row = {"question": "?", "choices": ["x", "y"], "answer_format": "choice", "gold": "A"}
    return frame(ITEMS, [{**row, "item_id": f"i{i}"} for i in range(n)])


def said(answer, tie=FAR, own=None):
    same = {} if own is None else {"reference_answer": own, "same_answer": answer == own}
    return {"answer": answer, "correct": answer == "A", "p_gold": 0.5, **tie, **same}


def chain(n, answer="A", tie=FAR, **extra):
    return {"item_id": f"i{n}", "chain_index": 0, "n_steps": 2, **said(answer, tie), **extra}


def arm(n, probe, name, answer="A", tie=FAR, own=None, **extra):
    return {"item_id": f"i{n}", "probe": probe, "arm": name, **said(answer, tie, own), **extra}


def estimates(chains, observations=(), n=4):
    table = aggregate(items(n), frame(CHAINS, chains), frame(OBSERVATIONS, observations), "r", 7)
    assert table.schema.equals(ESTIMATES, check_metadata=True)
    return table


def get(table, metric, method=None, position=None, **more):
    wanted = {"metric": metric, "method": method, "position": position, **more}
    (row,) = [row for row in table.to_pylist() if wanted.items() <= row.items()]
    return row


def clear(row):
    return row["clear_value"], row["clear_n_ok"]


CHAINS_WITH_TIES = [chain(0), chain(1, "B", NEAR), chain(2, "B", TIED), chain(3)]


def test_the_share_of_near_and_of_exact_ties():
    observations = [arm(n, "no_cot", "no_cot", tie=TIED if n else FAR) for n in range(4)]
    table = estimates(CHAINS_WITH_TIES, observations)
    assert get(table, "near_tie_share")["value"] == 5 / 8
    assert get(table, "tied_share")["value"] == 4 / 8
    assert get(table, "near_tie_share", "chains")["value"] == 2 / 4
    assert get(table, "tied_share", "chains")["value"] == 1 / 4
    assert get(table, "near_tie_share", "arms", probe="no_cot")["value"] == 3 / 4
    row = get(table, "near_tie_share")
    assert (row["n_ok"], row["n_total"], row["n_items"], row["clear_value"]) == (8, 8, 4, None)


def test_answers_that_were_not_scored_are_in_neither_share():
    generated = {"gap": None, "near_tie": None, "tied": None}
    failed = {"item_id": "i1", "chain_index": 0, "status": "truncated"}
    table = estimates([chain(0, tie=NEAR), failed, chain(2, tie=generated), chain(3)])
    assert (get(table, "near_tie_share")["value"], get(table, "near_tie_share")["n_total"]) == (0.5, 2)
    none = estimates([chain(n, tie=generated) for n in range(4)]).to_pylist()
    assert not [row for row in none if row["metric"] in ("near_tie_share", "tied_share")]


def test_an_estimate_stands_beside_itself_without_near_ties():
    row = get(estimates(CHAINS_WITH_TIES), "accuracy_cot")
    assert (row["value"], row["n_ok"], row["n_total"]) == (0.5, 4, 4)
    assert clear(row) == (1.0, 2)


def test_where_there_are_none_nothing_stands_beside():
    for row in estimates([chain(n) for n in range(4)]).to_pylist():
        assert (row["clear_value"], row["clear_low"], row["clear_high"], row["clear_n_ok"]) == (None,) * 4


def test_the_figures_of_one_model_do_not_stand_beside_another_s():
    table = estimates([*CHAINS_WITH_TIES, *(chain(n, model="other") for n in range(4))])
    assert clear(get(table, "accuracy_cot", model="m")) == (1.0, 2)
    assert clear(get(table, "accuracy_cot", model="other")) == (None, None)


def test_a_figure_of_near_ties_only_is_none_and_not_zero():
    row = get(estimates([chain(n, "B", NEAR) for n in range(4)]), "accuracy_cot")
    assert (row["value"], row["clear_value"], row["clear_n_ok"]) == (0.0, None, 0)


def test_shares_of_statuses_and_lengths_rest_on_no_answer():
    table = estimates(CHAINS_WITH_TIES)
    for metric, method in (("status_share", "ok"), ("mean_steps", None), ("near_tie_share", None)):
        assert clear(get(table, metric, method)) == (None, None)
    assert {row["method"] for row in table.to_pylist() if row["metric"] == "status_share"} == {"ok"}


def test_an_answer_compared_with_a_near_tie_has_no_comparison():
    chains = [chain(0), chain(1, "A", NEAR), chain(2), chain(3)]
    arms = [
        arm(n, "step_deletion", "without=1", "B" if n == 1 else "A", own="A", chain_index=0, n_steps=2, step=1)
        for n in range(4)
    ]
    row = get(estimates(chains, arms), "deletion_same_answer", "mean")
    assert (row["value"], clear(row)) == (0.75, (1.0, 3))
    table = estimates(chains, arms)
    assert clear(get(table, "deletion_accuracy")) == (None, None)  # right or wrong independently


def test_no_cot_answers_that_are_near_ties_take_their_pairs_along():
    no_cot = [arm(n, "no_cot", "no_cot", "B" if n == 3 else "A", NEAR if n == 3 else FAR) for n in range(4)]
    table = estimates([chain(n) for n in range(4)], no_cot)
    for metric, value in (("same_answer_no_cot", 0.75), ("accuracy_no_cot", 0.75), ("cot_gain", 0.25)):
        assert get(table, metric)["value"] == value
    assert clear(get(table, "same_answer_no_cot")) == (1.0, 3)
    assert clear(get(table, "accuracy_no_cot")) == (1.0, 3)
    assert clear(get(table, "cot_gain")) == (0.0, 3)
    assert clear(get(table, "accuracy_cot")) == (None, None)


def test_shuffled_arms_compare_with_the_chain_of_their_own_shuffle():
    def shuffle(n, r, tie):
        common = {"rollout": r, "shown_choices": ["B", "A"]}
        return [
            arm(n, "answer_order", "none", condition="none", shown_choices=["A", "B"]) if r == 0 else None,
            arm(n, "answer_order", f"once r={r}", "A", own="B", condition="once", **common),
            arm(n, "answer_order", f"once r={r} cot", "B", tie, condition="once_cot", **common),
        ]

    rows = [row for n in range(4) for r in (0, 1) for row in shuffle(n, r, NEAR if (n, r) == (0, 1) else FAR) if row]
    chains, kept = without_near_ties(frame(CHAINS, [chain(n) for n in range(4)]), frame(OBSERVATIONS, rows))
    lost = kept.filter(pl.col("same_answer").is_null(), pl.col("arm").str.contains(r"^once r=\d$"))
    assert lost.select("item_id", "rollout").rows() == [("i0", 1)]
    assert kept.select("item_id", "arm").rows() == [(row["item_id"], row["arm"]) for row in rows]
    assert chains["status"].to_list() == ["ok"] * 4


def test_a_chain_is_read_from_its_other_arms_where_one_is_a_near_tie():
    arms = [
        arm(0, "step_deletion", f"without={i}", "B" if i == 1 else "A", NEAR if i == 1 else FAR, "A", chain_index=0)
        | {"n_steps": 2, "step": i}
        for i in (1, 2)
    ]
    row = get(estimates([chain(n) for n in range(4)], arms), "deletion_same_answer", "mean")
    assert (row["value"], row["n_ok"]) == (0.5, 1)
    assert clear(row) == (1.0, 1)  # as many chains, another figure


def test_tables_of_runs_before_there_were_ties_give_what_they_gave():
    new = [pl.col(name) for name in CHAINS.names if name not in NEAR]
    chains = frame(CHAINS, CHAINS_WITH_TIES).select(new)
    observations = frame(OBSERVATIONS, [arm(n, "no_cot", "no_cot") for n in range(4)]).drop(*NEAR)
    table = aggregate(items(4), chains, observations, "r", 7)
    assert get(table, "accuracy_cot")["value"] == 0.5
    assert not [row for row in table.to_pylist() if "tie" in row["metric"] or row["clear_n_ok"] is not None]


def test_rows_are_only_hidden_in_the_copy():
    chains = frame(CHAINS, CHAINS_WITH_TIES)
    kept, _ = without_near_ties(chains, frame(OBSERVATIONS, []))
    assert chains["status"].to_list() == ["ok"] * 4
    assert kept["answer"].to_list() == ["A", None, None, "A"]
    assert kept.schema == chains.schema


def test_the_report_s_cells_have_both_figures():
    table = estimates(CHAINS_WITH_TIES)
    column = Column("x", "accuracy_cot", None, "%")
    ((cell,),) = [row.cells for row in table_rows(read_estimates(table), [column])]
    assert (cell.value, cell.without) == ("50.0%", "100.0% without near ties (2/4)")
    only = read_estimates(estimates([chain(n, "B", NEAR) for n in range(4)]))
    ((cell,),) = [row.cells for row in table_rows(only, [column])]
    assert cell.without == "all near ties"


def test_the_page_says_so():
    table = estimates(CHAINS_WITH_TIES)
    chains = frame(CHAINS, [{**row, "text": "", "steps": []} for row in CHAINS_WITH_TIES])
    page = render(run_record(), items(4), chains, frame(OBSERVATIONS, []), table)
    assert "100.0% without near ties (2/4)" in page
    assert "50.0% of the scored answers are near ties, 25.0% exact ties broken by a draw" in page


@pytest.mark.parametrize(("near", "warns"), [(0, False), (1, True)])
def test_a_warning_where_many_answers_are_near_ties(near, warns):
    rows = read_estimates(estimates([chain(n, tie=NEAR if n < near else FAR) for n in range(4)]))
    (finding,) = findings(rows, {}, [])
    assert any("near ties" in warning for warning in finding.warnings) == warns


def test_the_terminal_shows_both_lines():
    shown = summary_table(read_estimates(estimates(CHAINS_WITH_TIES)))
    assert shown.row_count == 2
    assert str(next(iter(shown.columns[3].cells))).startswith("0.50")
    assert "without near ties (50%" in str(list(shown.columns[1].cells)[1])
    assert list(shown.columns[3].cells)[1] == "1.00"
    assert summary_table(read_estimates(estimates([chain(n) for n in range(4)]))).row_count == 1


def test_a_figure_of_which_nothing_is_left_says_so():
    """p(gold) and the readings are left out if there are none; leaving out near ties must not look like that."""
    observations = [arm(n, "no_cot", "no_cot", tie=NEAR) for n in range(4)]
    observations += [arm(n, "transfer", "reader=m", own="A", chain_index=0, reader="m", tie=NEAR) for n in range(4)]
    table = estimates([chain(n, tie=NEAR) for n in range(4)], observations)
    for metric, method in (
        ("p_gold_no_cot", None),
        ("p_gold_cot", None),
        ("accuracy_cot", None),
        ("cot_gain", None),
        ("transfer_accuracy_paired", "m"),
        ("transfer_gain", "m"),
    ):
        row = get(table, metric, method)
        assert row["n_ok"] == 4, metric
        assert clear(row) == (None, 0), metric
    assert clear(get(table, "near_tie_share")) == (None, None)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary_table(read_estimates(table)))
    cells = re.sub(r"\s+", " ", console.export_text())
    assert "without near ties (100%) - - - " in cells


def test_the_filler_that_turned_out_best_is_compared_at_its_own_length():
    """Without near ties another number of repeats is best: the figure beside it is still of the same one."""
    said_at = {5.0: "BAAA", 10.0: "AABB"}
    fillers = [
        arm(n, "filler_tokens", f"m={m:.0f}", answers[n], NEAR if n and m == 5 else FAR, position=m)
        for n in range(4)
        for m, answers in said_at.items()
    ]
    table = estimates([chain(n) for n in range(4)], [arm(n, "no_cot", "no_cot", "B") for n in range(4)] + fillers)
    row, same = get(table, "filler_gain", "best_post_hoc", 5.0), get(table, "filler_gain", "by_repeats", 5.0)
    assert row["value"] == same["value"] == 0.75
    assert clear(row) == clear(same) == (0.25, 4)


def test_what_rests_on_no_answer_is_the_same_without_near_ties():
    at = {"chain_index": 0, "step": 1, "n_steps": 2}
    rollouts = [
        arm(n, "resampling", f"i=1 r={r}", tie=NEAR, own="A", **at, rollout=r, similarity=0.2)
        for n in range(4)
        for r in range(2)
    ]
    table = estimates([chain(n) for n in range(4)], rollouts)
    assert clear(get(table, "resampling_changed")) == (None, None)
