import itertools

import polars as pl
import pyarrow as pa
import pytest

from cotfaith.cluster.cli.estimate_tables import summary_table
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.metrics.early_answering import early_curves
from cotfaith.schemas.tables import CHAINS, ESTIMATES, ITEMS, OBSERVATIONS

HEAD = {"schema_version": 2, "run_id": "r", "model": "m", "task": "t", "strategy": "cot"}


def frame(schema, rows):
    fields = {"metadata": [], "answer_status": "ok", "status": "ok", **HEAD}
    rows = [{**{k: v for k, v in fields.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def items(n=3, **extra):
    row = {"question": "?", "choices": ["x", "y"], "answer_format": "choice", "gold": "A", **extra}
    return frame(ITEMS, [{**row, "item_id": f"i{i}"} for i in range(n)])


def chain(item, index, answer, status="ok", **extra):
    good = {"answer": answer, "correct": answer == "A"} if status == "ok" else {}
    return {"item_id": item, "chain_index": index, "status": status, "n_steps": 2, **good, **extra}


def no_cot(item, answer, status="ok"):
    good = {"answer": answer, "correct": answer == "A"} if status == "ok" else {}
    return {"item_id": item, "probe": "no_cot", "arm": "no_cot", "status": status, **good}


def early(item, index, same):
    """Build the arms of one chain from its curve; None is a failed arm."""
    n = len(same) - 1
    return [
        {
            "item_id": item,
            "chain_index": index,
            "probe": "early_answering",
            "arm": f"k={k}",
            "position": k,
            "n_steps": n,
            "status": "unparsed" if s is None else "ok",
            "same_answer": None if s is None else bool(s),
        }
        for k, s in enumerate(same)
    ]


def filler(item, m, correct):
    row = {"item_id": item, "probe": "filler_tokens", "arm": f"m={m}", "position": m}
    return {**row, "answer": "A" if correct else "B", "correct": correct}


def run(chains=(), observations=(), of=None):
    table = aggregate(items() if of is None else of, frame(CHAINS, chains), frame(OBSERVATIONS, observations), "r", 7)
    assert table.schema.equals(ESTIMATES, check_metadata=True)
    return table


def get(table, metric, method=None, position=None):
    rows = [r for r in table.to_pylist() if (r["metric"], r["method"], r["position"]) == (metric, method, position)]
    assert len(rows) == 1, rows
    return rows[0]


def test_accuracy_counts_failures_but_does_not_average_them():
    chains = [chain("i0", 0, "A"), chain("i0", 1, "B"), chain("i1", 0, "A"), chain("i2", 0, None, "truncated")]
    row = get(run(chains), "accuracy_cot")
    assert row["value"] == pytest.approx(2 / 3)
    assert (row["n_ok"], row["n_total"], row["n_items"]) == (3, 4, 2)
    assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert row["interval"] == "linearised"


def test_gain_and_same_answer_are_paired_by_item():
    chains = [chain("i0", 0, "A"), chain("i0", 1, "B"), chain("i1", 0, "A"), chain("i2", 0, "A")]
    table = run(chains, [no_cot("i0", "B"), no_cot("i1", "A"), no_cot("i2", None, "unparsed")])
    gain = get(table, "cot_gain")
    assert gain["value"] == pytest.approx((1 + 0 + 0) / 3)  # i2 has no pair
    assert (gain["n_ok"], gain["n_total"], gain["n_items"]) == (3, 4, 2)
    assert get(table, "same_answer_no_cot")["value"] == pytest.approx(2 / 3)
    assert get(table, "raw_reliance")["value"] == pytest.approx(1 / 3)
    assert get(table, "accuracy_no_cot")["value"] == pytest.approx(1 / 2)
    assert get(table, "accuracy_no_cot")["n_total"] == 3


def test_aoc_by_hand():
    """0, 1, 1 over two steps: trapezoid area (0 + 1)/2/2 + (1 + 1)/2/2 = 0.75; mean 2/3."""
    table = run([chain("i0", 0, "A")], early("i0", 0, [0, 1, 1]))
    assert get(table, "aoc", "trapezoid")["value"] == pytest.approx(0.25)
    assert get(table, "aoc", "mean")["value"] == pytest.approx(1 / 3)
    assert get(table, "aoc", "trapezoid")["interval"] == "too_few_items"
    curve = [get(table, "early_answering_same_answer", "linear", j / 10)["value"] for j in range(11)]
    assert curve == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1])


def trapezoid(curve):
    return sum((a + b) / 2 for a, b in itertools.pairwise(curve)) / (len(curve) - 1)


def test_mean_over_chains_is_the_papers_sum_over_lengths():
    curves = [[0, 0, 1], [1, 0, 1], [1, 1], [0, 1, 0, 1], [0, 0, 0, 1], [0, 1, 1, 1]]
    rows = [row for i, curve in enumerate(curves) for row in early(f"i{i % 3}", i, curve)]
    expected = 0.0
    for length in {len(c) for c in curves}:  # sum over L of w_L * AOC_L, AOC_L of the mean curve of length L
        group = [c for c in curves if len(c) == length]
        mean_curve = [sum(s) / len(group) for s in zip(*group, strict=True)]
        expected += len(group) / len(curves) * (1 - trapezoid(mean_curve))
    table = run([], rows)
    assert get(table, "aoc", "trapezoid")["value"] == pytest.approx(expected)
    assert get(table, "aoc", "trapezoid_by_n_steps", 1.0)["value"] == 0.0
    assert get(table, "aoc", "trapezoid_by_n_steps", 2.0)["n_ok"] == 2


def test_accuracies_side_by_side_rest_on_the_same_items():
    """The chain of i3 (right) failed, and so did i2 without a chain: alone 2/3 and 2/3, side by side on i0 and i1."""
    chains = [chain("i0", 0, "A"), chain("i1", 0, "B"), chain("i2", 0, "A"), chain("i3", 0, None, "truncated")]
    table = run(chains, [no_cot("i0", "A"), no_cot("i1", "B"), no_cot("i2", None, "unparsed"), no_cot("i3", "A")])
    assert get(table, "accuracy_cot")["value"] == get(table, "accuracy_no_cot")["value"] == pytest.approx(2 / 3)
    with_cot, without = get(table, "accuracy_cot", "paired"), get(table, "accuracy_no_cot", "paired")
    assert (with_cot["value"], without["value"], get(table, "cot_gain")["value"]) == (0.5, 0.5, 0.0)
    assert all((row["n_ok"], row["n_total"]) == (2, 4) for row in (with_cot, without, get(table, "cot_gain")))
    assert [with_cot["least"], with_cot["most"], without["least"], without["most"]] == [0.25, 0.75] * 2
    assert [get(table, "cot_gain")["least"], get(table, "cot_gain")["most"]] == [-0.5, 0.5]


def test_the_gain_is_the_difference_of_the_accuracies_beside_it_whatever_failed():
    """Items with one, two and three chains, some failed: the accuracy without a chain has the chains' weights."""
    answers = {"i0": "A", "i1": "BA", "i2": "BAB", "i3": "?A", "i4": "?"}
    chains = [
        chain(item, j, None if a == "?" else a, "unparsed" if a == "?" else "ok")
        for item, found in answers.items()
        for j, a in enumerate(found)
    ]
    none = [no_cot("i0", "B"), no_cot("i1", "A"), no_cot("i2", None, "unparsed"), no_cot("i3", "B"), no_cot("i4", "A")]
    table = run(chains, none)
    with_cot, without, gain = (
        get(table, *name) for name in (("accuracy_cot", "paired"), ("accuracy_no_cot", "paired"), ("cot_gain",))
    )
    assert gain["value"] == pytest.approx(with_cot["value"] - without["value"])
    assert (with_cot["value"], without["value"]) == (
        pytest.approx(3 / 4),
        pytest.approx(2 / 4),
    )  # i0; i1 twice; i3 once
    assert with_cot["n_ok"] == without["n_ok"] == gain["n_ok"] == 4


def test_side_by_side_by_difficulty_and_only_where_both_were_asked():
    of = pl.concat([items(2, difficulty=1.0), items(3, difficulty=2.0)[2:]])
    chains = [chain("i0", 0, "A"), chain("i1", 0, "A"), chain("i2", 0, "A")]
    table = run(chains, [no_cot("i0", "B"), no_cot("i1", None, "unparsed"), no_cot("i2", "A")], of=of)
    assert get(table, "accuracy_no_cot", "paired_by_difficulty", 1.0)["value"] == 0.0
    assert get(table, "accuracy_cot", "paired_by_difficulty", 1.0)["n_ok"] == 1
    assert not [r for r in run(chains).to_pylist() if r["method"] == "paired"]


def test_the_worst_and_the_best_case_of_what_failed():
    """Two of four right, one wrong, one lost: between 2/4 and 3/4. Steps have no maximum, so no bounds."""
    table = run([chain("i0", 0, "A"), chain("i1", 0, "A"), chain("i2", 0, "B"), chain("i3", 0, None, "unparsed")])
    row = get(table, "accuracy_cot")
    assert [row["value"], row["least"], row["most"]] == pytest.approx([2 / 3, 0.5, 0.75])
    assert row["n_arms"] is None
    assert [get(table, "mean_steps")[name] for name in ("least", "most")] == [None, None]


def test_a_chain_with_a_failed_arm_keeps_its_aoc():
    rows = early("i0", 0, [0, None, 1]) + early("i1", 0, [1, 1])
    rows.append({**early("i2", 0, [None])[0], "arm": "chain", "position": None, "status": "truncated", "n_steps": 0})
    row = get(run([], rows), "aoc", "trapezoid")
    assert row["value"] == pytest.approx((0.5 + 0) / 2)  # 0, lost, 1: a straight line
    assert (row["n_ok"], row["n_total"], row["n_arms"], row["n_arms_ok"]) == (2, 3, 5, 4)
    assert early_curves(frame(OBSERVATIONS, rows))["curve"].to_list() == [[0.0, 1.0], [1.0, 1.0], None]


@pytest.mark.parametrize(
    ("right", "at_ten", "longest", "best"),
    [((1, None, 0), 0.5, 0.0, 5.0), ((0, None, None), 0.0, 0.0, 5.0), ((None, None, None), None, None, 5.0)],
)
def test_a_failed_filler_arm_is_read_off_its_neighbours(right, at_ten, longest, best):
    """Repeats 5, 10, 15: half-way between right and wrong; level after the last; nothing without any."""
    arms = [
        filler("i0", m, bool(r)) if r is not None else {**filler("i0", m, False), "status": "unparsed", "correct": None}
        for m, r in zip((5, 10, 15), right, strict=True)
    ]
    table = run([], [no_cot("i0", "B"), *arms])
    row = get(table, "filler_accuracy", "by_repeats", 10.0)
    assert (row["value"], row["n_total"], row["n_arms"], row["n_arms_ok"]) == (at_ten, 1, 1, 0)
    assert (row["least"], row["most"]) == (0.0, 1.0)
    assert get(table, "filler_gain", "longest")["value"] == longest
    assert [r["position"] for r in table.to_pylist() if r["method"] == "best_post_hoc"] == [best]


def test_filler_and_no_chain_side_by_side_are_the_gain():
    base = [no_cot("i0", "B"), no_cot("i1", None, "unparsed"), no_cot("i2", "A")]
    arms = [filler("i0", 5, True), filler("i1", 5, True), filler("i2", 5, False)]
    table = run([], [*base, *arms])
    found = [get(table, "filler_accuracy", method, 5.0) for method in ("by_repeats", "paired", "no_cot")]
    assert [(r["value"], r["n_ok"]) for r in found] == [(pytest.approx(2 / 3), 3), (0.5, 2), (0.5, 2)]
    assert get(table, "filler_gain", "by_repeats", 5.0)["value"] == 0.0


def said(text, strict, loose, **more):
    return {"answer_text": text, "answer_strict": strict, "answer_loose": loose, **more}


def test_how_often_the_two_readings_of_an_answer_differ():
    """Differing: 1 of 3 of the model's own generated answers; a scored one is not read, a reader's is its own."""
    chains = [chain("i0", 0, "A", **said("12", "12", "12")), chain("i1", 0, "B", **said("3 or 4", "3", "4"))]
    own = {**no_cot("i0", None, "unparsed"), **said("none", None, "7")}
    other = {**no_cot("i1", "B"), "probe": "transfer", "reader": "other", **said("1 2", "1", "2")}
    found = run(chains, [own, other, no_cot("i2", "A")]).to_pylist()
    rows = {r["model"]: (r["value"], r["n_ok"]) for r in found if r["metric"] == "answer_readings_differ"}
    assert rows == {"m": (pytest.approx(1 / 3), 3), "other": (1.0, 1)}
    assert not [r for r in run([chain("i0", 0, "A")]).to_pylist() if r["metric"] == "answer_readings_differ"]


def test_filler_by_repeats_longest_and_best():
    base = [no_cot("i0", "B"), no_cot("i1", "A")]
    arms = [filler("i0", 5, True), filler("i1", 5, True), filler("i0", 10, False), filler("i1", 10, True)]
    table = run([], [*base, *arms, filler("i1", 15, True)])
    assert get(table, "filler_accuracy", "by_repeats", 5.0)["value"] == 1.0
    assert get(table, "filler_accuracy", "by_repeats", 10.0)["value"] == 0.5
    assert get(table, "filler_gain", "by_repeats", 5.0)["value"] == 0.5
    assert get(table, "filler_gain", "longest")["value"] == 0.0
    assert get(table, "filler_gain", "best_post_hoc", 5.0)["value"] == 0.5


def test_accuracy_by_difficulty_and_statuses():
    of = pl.concat([items(2, difficulty=1.0), items(3, difficulty=2.0)[2:]])
    table = run([chain("i0", 0, "A"), chain("i1", 0, "A"), chain("i2", 0, None, "truncated")], of=of)
    assert get(table, "accuracy_cot", "by_difficulty", 1.0)["value"] == 1.0
    assert get(table, "accuracy_cot", "by_difficulty", 1.0)["interval"] == "linearised"
    assert get(table, "accuracy_cot", "by_difficulty", 2.0)["value"] is None
    assert get(table, "status_share", "truncated")["value"] == pytest.approx(1 / 3)


def test_all_failed_is_null_and_never_zero():
    table = run([chain(f"i{i}", 0, None, "truncated") for i in range(3)], [no_cot("i0", None, "engine_error")])
    for metric in ("accuracy_cot", "accuracy_no_cot", "cot_gain", "same_answer_no_cot", "raw_reliance", "mean_steps"):
        row = get(table, metric)
        assert row["value"] is row["ci_low"] is row["ci_high"] is None
        assert (row["n_ok"], row["n_items"], row["interval"]) == (0, 0, "too_few_items")
        assert row["n_total"] > 0


def test_no_rows_give_no_estimates():
    table = run()
    assert table.num_rows == 0
    assert summary_table(read_estimates(table)).row_count == 0


def test_order_of_rows_and_other_models_do_not_matter():
    chains = [chain(f"i{i}", j, "AB"[(i * j) % 2], p_gold=0.1 * (i + j)) for i in range(3) for j in range(3)]
    observations = [no_cot(f"i{i}", "AB"[i % 2]) for i in range(3)] + early("i0", 0, [0, 1]) + early("i1", 0, [1, 1])
    other = [{**row, "model": "other"} for row in chains]
    one = run(chains, observations)
    two = run(other + chains[::-1], observations[::-1])
    assert one.to_pylist() == [row for row in two.to_pylist() if row["model"] == "m"]
    assert get(one, "p_gold_cot")["value"] == pytest.approx(0.2)


def shown(table):
    """The one line that the command line prints, cell by cell."""
    found = summary_table(read_estimates(table))
    (line,) = zip(*(column.cells for column in found.columns), strict=True)
    return line


def test_the_summary_has_a_line_for_each_model_and_task():
    chains = [chain("i0", 0, "A"), chain("i1", 0, "B"), chain("i2", 0, None, "unparsed")]
    line = shown(run(chains, [no_cot("i0", "A"), *early("i0", 0, [0, 1])]))
    assert line == ("m", "t", "1.00", "1.00", "1.00", "0.50", "2/3")  # accuracies and same answer: of i0
    alone = shown(run(chains))
    assert (alone[2][:1], alone[3][:4]) == ("-", "0.50")


def test_lengths_that_only_one_item_has_stand_in_longest_and_not_in_the_curve():
    last = {"i0": 12, "i1": 13, "i2": 13}
    arms = [filler(item, m, m == end) for item, end in last.items() for m in (5, 10, end)]
    table = run([], [*(no_cot(item, "B") for item in last), *arms])
    curve = [r for r in table.to_pylist() if (r["metric"], r["method"]) == ("filler_accuracy", "by_repeats")]
    assert [(r["position"], r["value"], r["n_items"]) for r in curve] == [(5.0, 0.0, 3), (10.0, 0.0, 3), (13.0, 1.0, 2)]
    assert get(table, "filler_gain", "longest")["value"] == 1.0
