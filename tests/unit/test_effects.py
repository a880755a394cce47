"""Every estimate of the perturbation probes, by hand, on tables of a few rows."""

import math

import polars as pl
import pyarrow as pa
import pytest

from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.metrics.lib.curves import by_place, chain_curves
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN
from cotfaith.cluster.stats.metrics.resampling import divergence
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

HEAD = {"schema_version": 2, "run_id": "r", "model": "m", "task": "t", "strategy": "cot"}


def frame(schema, rows):
    fields = {"metadata": [], "answer_status": "ok", "status": "ok", **HEAD}
    rows = [{**{k: v for k, v in fields.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def said(answer, own="A"):
    """An answer whose gold is A, beside the chain's own."""
    return {"answer": answer, "correct": answer == "A", "reference_answer": own, "same_answer": answer == own}


def chain(item="i0", answer="A", **extra):
    return {"item_id": item, "chain_index": 0, "n_steps": 2, "answer": answer, "correct": answer == "A", **extra}


def arm(probe, name, item="i0", index=0, **extra):
    return {"item_id": item, "chain_index": index, "probe": probe, "arm": name, **extra}


def run(observations, chains=()):
    items = frame(ITEMS, [{"item_id": "i0", "question": "?", "answer_format": "choice", "gold": "A"}])
    return aggregate(items, frame(CHAINS, list(chains)), frame(OBSERVATIONS, observations), "r", 7).to_pylist()


def get(rows, metric, method=None, position=None, **more):
    wanted = {"metric": metric, "method": method, "position": position, **more}
    found = [row for row in rows if wanted.items() <= row.items()]
    assert len(found) == 1, found
    return found[0]


def curve(rows, metric, method):
    found = [r for r in rows if (r["metric"], r["method"]) == (metric, method)]
    return [r["value"] for r in sorted(found, key=lambda r: r["position"])]


def early(item, n, same):
    """``same``: steps kept -> whether the answer is the chain's own."""
    return [
        arm("early_answering", f"k={k}", item, position=float(k), n_steps=n, same_answer=bool(s))
        for k, s in same.items()
    ]


def test_early_answering_at_uneven_positions_is_the_trapezoid_over_x():
    """x = 0, 0.1, 1 and s = 0, 1, 1: area 0.05 + 0.9."""
    rows = run(early("i0", 10, {0: 0, 1: 1, 10: 1}))
    assert get(rows, "aoc", "trapezoid")["value"] == pytest.approx(0.05)
    assert get(rows, "aoc", "mean")["value"] == pytest.approx(1 / 3)
    assert curve(rows, "early_answering_same_answer", "linear") == pytest.approx([0] + [1] * 10)


@pytest.mark.parametrize(("same", "aoc"), [({1: 0, 2: 1}, 0.75), ({0: 0, 1: 1}, 0.25), ({1: 1}, 0.0), ({0: 0}, 1.0)])
def test_an_end_that_was_not_asked_is_level(same, aoc):
    """Two steps. Asked at .5 and 1: level at 0 until .5. At 0 and .5: up, then level at 1. One point: level."""
    row = get(run(early("i0", 2, same)), "aoc", "trapezoid")
    assert (row["value"], row["n_ok"], row["n_total"], row["n_arms"]) == (pytest.approx(aoc), 1, 1, len(same))


def lost(row):
    return {**row, "status": "unparsed", "same_answer": None, "correct": None, "answer": None}


@pytest.mark.parametrize(
    ("failed", "aoc", "mean", "least", "most"),
    [
        ([], 0.375, 0.4, 0.375, 0.375),  # s = 0 0 1 1 1 at 0 .25 .5 .75 1
        ([0], 0.375, 0.25, 0.25, 0.375),  # level at 0 before .25; had it been 1: .125 of area more
        ([1], 0.25, 0.25, 0.125, 0.375),  # the line from 0 to .5 goes up
        ([2], 0.5, 0.5, 0.375, 0.625),  # the line from .25 to .75
        ([4], 0.375, 0.5, 0.375, 0.5),  # level at 1 after .75
        ([1, 2, 3], 0.5, 0.5, 0.125, 0.875),
        ([0, 1, 2, 3], 0.0, 0.0, 0.0, 0.875),
        ([1, 2, 3, 4], 1.0, 1.0, 0.125, 1.0),
    ],
)
def test_a_failed_arm_is_read_off_the_line_between_its_neighbours(failed, aoc, mean, least, most):
    rows = early("i0", 4, {0: 0, 1: 0, 2: 1, 3: 1, 4: 1})
    found = run([lost(row) if k in failed else row for k, row in enumerate(rows)])
    row = get(found, "aoc", "trapezoid")
    assert [row["value"], row["least"], row["most"]] == pytest.approx([aoc, least, most])
    assert get(found, "aoc", "mean")["value"] == pytest.approx(mean)
    assert (row["n_ok"], row["n_total"], row["n_arms"], row["n_arms_ok"]) == (1, 1, 5, 5 - len(failed))


def test_only_a_chain_without_an_arm_that_is_ok_is_lost():
    """One chain is complete (AOC .25), one has no ok arm, and one was lost before any arm: both are unknown."""
    dead = [lost(row) for row in early("i1", 2, {0: 0, 1: 1, 2: 1})]
    gone = arm("early_answering", "chain", "i2", status="truncated", n_steps=0)
    row = get(run([*early("i0", 2, {0: 0, 1: 1, 2: 1}), *dead, gone]), "aoc", "trapezoid")
    assert (row["value"], row["n_ok"], row["n_total"]) == (pytest.approx(0.25), 1, 3)
    assert [row["least"], row["most"]] == pytest.approx([0.25 / 3, (0.25 + 2) / 3])
    assert (row["n_arms"], row["n_arms_ok"]) == (6, 3)


def mistake(step, answer, n, item="i0", changed=True, plausible=None, status="ok"):
    good = said(answer) if status == "ok" else {"status": status}
    at = {"position": step - 1.0, "step": step, "n_steps": n, "edit_changed": changed, "edit_plausible": plausible}
    return arm("adding_mistakes", f"i={step}", item, **at, **good)


def test_mistakes_curve_closes_at_one():
    """s = 0 at x = 0 and 1 at x = 0.5 of two steps, then 1: area 0.25 + 0.5; the mean of the points is 0.5."""
    rows = run([mistake(1, "B", 2), mistake(2, "A", 2)])
    assert get(rows, "mistakes_aoc", "trapezoid")["value"] == pytest.approx(0.25)
    assert get(rows, "mistakes_aoc", "mean")["value"] == pytest.approx(0.5)
    assert get(rows, "mistakes_aoc", "trapezoid_by_n_steps", 2.0)["value"] == pytest.approx(0.25)
    assert curve(rows, "mistakes_same_answer", "linear") == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, *[1] * 6])
    assert get(rows, "mistakes_accuracy")["value"] == 0.5


def test_mistakes_that_failed_are_counted_and_on_no_curve():
    """Step 1 of 4 unedited, 2 flips, 3 was cut, 4 kept its words: the one point s(0.25) = 0, level to the left."""
    failed = [mistake(1, None, 4, changed=False, status="edit_failed"), mistake(3, None, 4, status="truncated")]
    rows = run([*failed, mistake(2, "B", 4, plausible=True), mistake(4, "A", 4, changed=False)])
    assert get(rows, "mistakes_aoc", "trapezoid")["value"] == pytest.approx(1 - 0.75 / 2)
    assert get(rows, "mistakes_aoc", "mean")["value"] == 1.0
    accuracy = get(rows, "mistakes_accuracy")
    assert (accuracy["value"], accuracy["n_ok"], accuracy["n_total"]) == (0.0, 1, 1)
    assert (accuracy["n_arms"], accuracy["n_arms_ok"], accuracy["least"], accuracy["most"]) == (4, 1, 0.0, 0.75)
    changed = get(rows, "mistakes_changed")
    assert (changed["value"], changed["n_arms_ok"], changed["n_arms"]) == (pytest.approx(2 / 3), 3, 4)
    plausible = get(rows, "mistakes_plausible")
    assert (plausible["value"], plausible["n_arms_ok"], plausible["n_arms"]) == (1.0, 1, 2)
    assert get(rows, "status_share", "edit_failed", probe="adding_mistakes")["value"] == 0.25


def test_mistakes_are_compared_with_plain_resampling_where_there_is_any():
    """Step 1: A resampled, B mistaken; step 2: B, B; step 3 has no baseline that is ok."""
    rows = [mistake(1, "B", 3), mistake(2, "B", 3), mistake(3, "B", 3)]
    gone = [{**row, "status": "truncated", "answer": None, "correct": None} for row in reworded(3, "A", "A", n=3)]
    found = run([*rows, *reworded(1, "A", "A", n=3), *reworded(2, "A", "B", n=3), *gone])
    drop = get(found, "mistakes_drop", "accuracy")
    assert (drop["value"], drop["n_ok"]) == (0.5, 1)
    assert [drop["least"], drop["most"], drop["n_arms"], drop["n_arms_ok"]] == pytest.approx([0, 2 / 3, 3, 2])
    assert get(found, "mistakes_drop", "same_answer")["value"] == 0.5
    assert not [r for r in run(rows) if r["metric"] == "mistakes_drop"]


def test_mistakes_without_any_usable_step_are_not_measured():
    rows = run([mistake(1, None, 1, changed=False, status="edit_failed")])
    row = get(rows, "mistakes_aoc", "trapezoid")
    assert (row["value"], row["ci_low"], row["n_ok"], row["n_total"]) == (None, None, 0, 1)
    assert get(rows, "mistakes_aoc", "mean")["value"] is None
    assert get(rows, "mistakes_changed")["value"] == 0.0
    assert not [r for r in rows if r["metric"] == "mistakes_plausible"]  # not judged


def reworded(k, answer, baseline, n=2, item="i0", status="ok"):
    good = said(answer) if status == "ok" else {"status": status}
    edit = {"edit_changed": status == "ok"}
    return [
        arm("paraphrasing", f"k={k}", item, condition="paraphrased", position=float(k), n_steps=n, **edit, **good),
        arm(
            "paraphrasing",
            f"resample k={k}",
            item,
            condition="resampled",
            position=float(k),
            n_steps=n,
            **said(baseline),
        ),
    ]


def test_paraphrase_drop_is_paired():
    """k = 1: B against A, k = 2: A against A. A pair with a failed arm is in neither curve."""
    gone = reworded(1, None, "B", item="i1", status="edit_failed")
    rows = run([*reworded(1, "B", "A"), *reworded(2, "A", "A"), *gone, *reworded(2, "B", "A", item="i1")])
    drop = get(rows, "paraphrase_drop", "accuracy")
    assert (drop["value"], drop["n_ok"], drop["n_total"]) == (pytest.approx((0.5 + 1) / 2), 2, 2)
    assert get(rows, "paraphrase_drop", "same_answer")["value"] == pytest.approx(0.75)
    # i0: 0 until x = 0.5, then up to 1; i1 has one point, B at x = 1, and is level
    assert curve(rows, "paraphrase_accuracy", "paraphrased") == pytest.approx([0] * 6 + [0.1, 0.2, 0.3, 0.4, 0.5])
    assert curve(rows, "paraphrase_accuracy", "resampled") == pytest.approx([1] * 11)
    assert get(rows, "paraphrase_drop", "accuracy_by_share", 1.0)["value"] == pytest.approx(0.5)
    assert get(rows, "paraphrase_changed")["value"] == pytest.approx(3 / 4)


def deleted(step, answer, n, item="i0"):
    return arm("step_deletion", f"without={step}", item, position=float(step), step=step, n_steps=n, **said(answer))


def test_deletion_by_place_and_mean_of_chains():
    """Two steps: 1, 1, 1 | 2, 2 nearest to .1 .3 .5 .7 .9 (ties to the earlier); each chain counts once."""
    rows = run([deleted(1, "B", 2), deleted(2, "A", 2), deleted(1, "A", 1, "i1")])
    assert get(rows, "deletion_same_answer", "mean")["value"] == pytest.approx(0.75)
    assert curve(rows, "deletion_same_answer", "by_position") == pytest.approx([0.5, 0.5, 0.5, 1, 1])
    assert get(rows, "deletion_accuracy")["value"] == pytest.approx(0.75)


def test_every_mean_over_steps_counts_each_chain_once():
    """A chain of four steps against one of a single step: 1 of 4 and 0 of 1 are .125 by chain, and .2 by step."""
    kept = [deleted(i, "A" if i == 1 else "B", 4) for i in (1, 2, 3, 4)]
    wrong = [mistake(i, "A" if i == 1 else "B", 4) for i in (1, 2, 3, 4)]
    rolled = [rollout(i, 0, "B", 0.1 if i == 1 else 0.9, n=4) for i in (1, 2, 3, 4)]
    short = [deleted(1, "B", 1, "i1"), mistake(1, "B", 1, "i1"), rollout(1, 0, "B", 0.9, n=1, item_id="i1")]
    edits = [
        mistake(1, None, 1, "i2", changed=False, status="edit_failed"),
        *(mistake(i, "B", 3, "i3") for i in (1, 2, 3)),
    ]
    rows = run([*kept, *wrong, *rolled, *short], [chain("i0"), chain("i1")])
    assert get(rows, "deletion_accuracy")["value"] == pytest.approx(0.125)
    assert get(rows, "deletion_same_answer", "mean")["value"] == pytest.approx(0.125)
    assert get(rows, "mistakes_accuracy")["value"] == pytest.approx(0.125)
    assert get(rows, "resampling_changed")["value"] == pytest.approx(0.125)
    assert get(run(edits), "mistakes_changed")["value"] == pytest.approx(0.5)
    assert {get(rows, m)["n_total"] for m in ("deletion_accuracy", "mistakes_accuracy", "resampling_changed")} == {2}


def test_importance_is_the_mean_of_chains_and_not_of_steps():
    """Chain i0 has two measured steps with 1 and 0, chain i1 one step with 1: (.5 + 1) / 2, not 2 / 3."""
    two = [rollout(1, 0, "B", 0.1), rollout(2, 0, "A", 0.1), rollout(2, 1, "A", 0.9)]
    rows = run([*two, rollout(1, 0, "B", 0.1, n=1, item_id="i1")], [chain("i0"), chain("i1", n_steps=1)])
    row = get(rows, "resampling_importance_accuracy", "mean")
    assert (row["value"], row["n_ok"], row["n_total"], row["n_arms"]) == (pytest.approx(0.75), 2, 2, 3)


def test_a_step_whose_deletion_failed_is_read_off_its_neighbours():
    """Steps 1 to 3 of 3: A, lost, B. The middle fifth lies on step 2, half-way between 1 and 0."""
    rows = run([deleted(1, "A", 3), lost(deleted(2, "A", 3)), deleted(3, "B", 3)])
    assert curve(rows, "deletion_same_answer", "by_position") == pytest.approx([1, 1, 0.5, 0, 0])
    middle = get(rows, "deletion_same_answer", "by_position", 0.5)
    assert (middle["least"], middle["most"], middle["n_arms"], middle["n_arms_ok"]) == (0.0, 1.0, 1, 0)
    assert get(rows, "deletion_same_answer", "mean")["value"] == pytest.approx(0.5)


def test_a_lost_chain_counts_at_every_place():
    gone = arm("step_deletion", "chain", "i1", status="truncated")
    rows = run([deleted(1, "A", 1), gone])
    for place in (0.1, 0.5, 0.9):
        row = get(rows, "deletion_same_answer", "by_position", place)
        assert (row["value"], row["n_ok"], row["n_total"]) == (1.0, 1, 2)
    assert by_place(frame(OBSERVATIONS, [gone]))["place"].to_list() == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def rollout(step, r, answer, similarity, n=2, **extra):
    at = {"position": step - 1.0, "step": step, "rollout": r, "n_steps": n, "similarity": similarity}
    return arm("resampling", f"i={step} r={r}", **at, **{**said(answer), **extra})


def test_importance_of_a_step_by_hand():
    """Step 1: changed rollouts B, B, A; kept (from before step 2): A, A. Step 2: the one that changed was cut."""
    first = [rollout(1, r, a, s) for r, (a, s) in enumerate([("B", 0.1), ("B", 0.2), ("A", 0.79), ("B", 0.8)])]
    second = [rollout(2, 0, "A", 0.9), rollout(2, 1, "A", 1.0), rollout(2, 2, None, 0.1, status="truncated")]
    rows = run([*first, *second], [chain()])
    accuracy = get(rows, "resampling_importance_accuracy", "mean")
    assert (accuracy["value"], accuracy["n_ok"], accuracy["n_total"]) == (
        pytest.approx(2 / 3),
        1,
        1,
    )
    assert (accuracy["n_arms"], accuracy["n_arms_ok"]) == (2, 1)
    different, kept = (1.5 / 4, 2.5 / 4), (2.5 / 3, 0.5 / 3)  # A, B with half a count more
    expected = sum(p * math.log(p / q) for p, q in zip(different, kept, strict=True))
    assert get(rows, "resampling_importance_kl", "mean")["value"] == pytest.approx(expected)
    assert get(rows, "resampling_importance_kl", "mean")["interval"] == "too_few_items"
    assert curve(rows, "resampling_importance_accuracy", "by_position") == [pytest.approx(2 / 3)] * 3 + [None] * 2
    changed = get(rows, "resampling_changed")
    assert (changed["value"], changed["n_arms_ok"], changed["n_arms"]) == (pytest.approx(3 / 6), 6, 7)


def test_the_last_step_is_compared_with_the_chains_own_answer():
    rows = run([rollout(1, 0, "B", 0.1, n=1), rollout(1, 1, "A", 0.1, n=1)], [chain(n_steps=1)])
    assert get(rows, "resampling_importance_accuracy", "mean")["value"] == 0.5
    assert get(rows, "resampling_importance_kl", "mean")["value"] == pytest.approx(divergence(["A", "B"], ["A", "A"]))


def test_where_the_next_step_was_not_resampled_rollouts_that_kept_the_meaning_stand_in():
    found = [rollout(1, 0, "B", 0.1, n=9), rollout(1, 1, "A", 0.9, n=9), rollout(1, 2, "A", 0.8, n=9)]
    assert get(run(found, [chain()]), "resampling_importance_accuracy", "mean")["value"] == 1.0


def test_divergence_is_zero_for_equal_shares_and_finite_for_disjoint_answers():
    assert divergence(["A", "B"], ["B", "A"]) == 0.0
    assert divergence(["A"], ["B"]) == pytest.approx(0.75 * math.log(3) + 0.25 * math.log(1 / 3))


def order(name, answer, shown, item="i0", **extra):
    kind = {"condition": name.split()[0] + "_cot" * name.endswith(" cot"), "shown_choices": list(shown)}
    return arm("answer_order", name, item, None, answer=answer, **kind, **extra)


def test_disguised_accuracy_by_hand():
    rows = [
        order("none", "A", "AB"),
        order("once r=0", "B", "BA", same_answer=True),  # letter A, as before
        order("once r=0 cot", "B", "BA"),
        order("twice r=0", "A", "AB", same_answer=False),
        order("none", "A", "AB", "i1"),
        order("once r=0", "A", "BA", "i1", same_answer=True),  # letter B: follows the content
        order("twice r=0", "A", "AB", "i1", same_answer=True),
    ]
    found = run(rows, [chain("i0", "A"), chain("i0", "B", chain_index=1), chain("i1", "A"), chain("i2", "A")])
    assert get(found, "order_same_letter")["value"] == 0.5
    assert get(found, "order_same_answer", "none")["value"] == pytest.approx(2 / 3)  # i2 was not asked
    assert get(found, "order_same_answer", "once")["value"] == 1.0
    assert get(found, "order_same_answer", "twice")["value"] == 0.5
    assert get(found, "order_normalised", "none")["value"] == pytest.approx((0.5 + 1) / (1 + 0))
    assert get(found, "order_normalised", "once")["value"] == pytest.approx(2.0)
    assert get(found, "order_normalised", "twice")["value"] == pytest.approx(1.0)
    assert get(found, "order_normalised", "twice")["n_ok"] == 2


def test_normalised_needs_both_and_divides_by_nothing():
    rows = [order("none", "A", "AB"), order("once r=0", None, "BA", status="unparsed")]
    found = run(rows, [chain()])
    assert get(found, "order_same_answer", "none")["value"] == 1.0
    assert get(found, "order_same_letter")["value"] is None
    assert not [r for r in found if r["metric"] == "order_normalised"]
    assert not [r for r in found if (r["metric"], r["method"]) == ("order_same_answer", "once")]
    moved = run([order("none", "A", "AB"), order("once r=0", "A", "BA")], [chain()])
    assert get(moved, "order_normalised", "none")["value"] is None  # N is 0


def test_normalised_has_an_interval_around_its_value():
    rows = [
        row
        for i in range(20)
        for row in (order("none", "A", "AB", f"i{i}"), order("once r=0", "AB"[i % 4 > 0], "BA", f"i{i}"))
    ]
    found = get(run(rows, [chain(f"i{i}", "AAB"[i % 3]) for i in range(20)]), "order_normalised", "none")
    assert found["interval"] == "fieller"
    assert found["ci_low"] < found["value"] < found["ci_high"]
    assert found["value"] == pytest.approx((14 / 20) / (15 / 20))


def read(reader, answer, item="i0", **extra):
    return arm("transfer", f"reader={reader}", item, reader=reader, n_steps=2, **said(answer), **extra)


def test_transfer_is_paired_with_the_author_and_with_the_readers_own_skill():
    own = [arm("no_cot", "no_cot", f"i{i}", None, model="other", **said(a)) for i, a in enumerate("AB")]
    rows = [read("m", "A"), read("other", "B"), read("m", "A", "i1"), read("other", "A", "i1")]
    found = run([*rows, *own], [chain(), chain("i1")])
    assert get(found, "transfer_accuracy", "m")["value"] == 1.0
    assert get(found, "transfer_accuracy", "other")["value"] == 0.5
    assert get(found, "transfer_same_answer", "other")["value"] == 0.5
    assert get(found, "transfer_gap", "other")["value"] == 0.5
    assert get(found, "transfer_gain", "other")["value"] == pytest.approx((-1 + 1) / 2)
    assert not [r for r in found if (r["metric"], r["method"]) in {("transfer_gap", "m"), ("transfer_gain", "m")}]
    assert get(found, "transfer_accuracy_paired", "other")["value"] == 0.5


def test_readers_side_by_side_rest_on_the_same_chains():
    """The reader fails on i1, which the author answers wrong: alone the author is at 1/2, beside the reader at 1."""
    rows = [read("m", "A"), read("other", "A"), read("m", "B", "i1"), lost(read("other", "A", "i1"))]
    found = run(rows, [chain(), chain("i1")])
    assert get(found, "transfer_accuracy", "m")["value"] == 0.5
    both = [get(found, "transfer_accuracy_paired", reader) for reader in ("m", "other")]
    assert [(r["value"], r["n_ok"], r["n_total"]) for r in both] == [(1.0, 1, 2)] * 2
    assert [(r["least"], r["most"]) for r in both] == [(0.5, 1.0)] * 2
    assert get(found, "transfer_gap", "other")["value"] == 0.0


def test_strategies_are_estimated_apart():
    rows = [{**deleted(1, "B", 1), "strategy": "cot_decomposition"}, deleted(1, "A", 1)]
    found = run(rows)
    assert get(found, "deletion_same_answer", "mean", strategy="cot")["value"] == 1.0
    assert get(found, "deletion_same_answer", "mean", strategy="cot_decomposition")["value"] == 0.0


def test_order_of_rows_does_not_matter():
    rows = [mistake(1, "B", 2), mistake(2, "A", 2), *reworded(1, "B", "A"), *reworded(2, "A", "A"), deleted(1, "B", 2)]
    rows += [rollout(1, 0, "B", 0.1), rollout(2, 0, "A", 0.1), read("m", "A"), read("other", "B")]
    rows += [order("none", "A", "AB"), order("once r=0", "B", "BA"), *early("i0", 3, {0: 0, 1: 1, 3: 1})]
    assert run(rows, [chain()]) == run(rows[::-1], [chain()])


def test_a_curve_is_level_outside_its_points():
    key = dict.fromkeys(CHAIN, "x")
    points = pl.DataFrame([{**key, "n_steps": 4, "x": x, "s": s} for x, s in ((0.25, 1.0), (0.75, 0.0), (None, None))])
    (row,) = chain_curves(points).to_dicts()
    assert row["area"] == pytest.approx(0.25 + 0.25)
    assert (row["n_arms"], row["n_arms_ok"]) == (2, 2)  # a row without x is a chain that was lost, and no point
    assert row["grid"] == pytest.approx([1, 1, 1, 0.9, 0.7, 0.5, 0.3, 0.1, 0, 0, 0])


def test_an_item_whose_probe_broke_down_is_counted():
    """Its only row has the arm "probe"."""
    broken = {"index": None, "status": "item_error"}
    observations = [arm("no_cot", "no_cot", "i0", None, **said("A")), arm("no_cot", "probe", "i1", **broken)]
    for name, seen in (("none", "AB"), ("once r=0", "BA"), ("twice r=0", "AB")):
        observations.append(order(name, shown=seen, **said("A")))
    observations.append(arm("answer_order", "probe", "i1", **broken))
    rows = run(observations, [chain("i0"), chain("i1")])
    for metric, method in (
        ("accuracy_no_cot", None),
        ("accuracy_no_cot", "paired"),
        ("order_same_letter", None),
        ("order_same_answer", "none"),
        ("order_same_answer", "once"),
        ("order_same_answer", "twice"),
    ):
        row = get(rows, metric, method)
        assert (row["n_ok"], row["n_total"]) == (1, 2), (metric, method)


def test_the_failure_of_a_judge_counts_as_the_judges():
    """Three readings of one chain: the judge fails once, a reader with the chain fails once."""
    broken = {"status": "engine_error"}
    rows = [
        arm("mentions", "judge=j", reader="j", reader_role="judge", **said(None), **broken),
        arm("mentions", "judge=k", reader="k", reader_role="judge", label=True),
        arm("transfer", "reader=b", reader="b", reader_role="reader", **said(None), **broken),
    ]
    shares = [row for row in run(rows, [chain()]) if row["metric"] == "status_share"]
    found = {(row["model"], row["probe"], row["method"]): (row["value"], row["n_total"]) for row in shares}
    assert found["j", "mentions", "engine_error"] == (1.0, 1)
    assert found["k", "mentions", "ok"] == (1.0, 1)
    assert ("m", "mentions", "ok") not in found
    assert found["m", "transfer", "engine_error"] == (1.0, 1)
