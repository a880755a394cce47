"""How far readers agree: kappa and AC1 against scikit-learn 1.9 and irrCAC, what is left out, and people's labels."""

import numpy as np
import polars as pl
import pytest
from scores_by_hand import rows
from variants_by_hand import NEUTRAL, WRONG, all_answered, item, read

from cotfaith.cluster.stats.aggregate import aggregate, estimates_of
from cotfaith.cluster.stats.metrics.agreement import COHEN, GWET, OVER, RAW, ac1, kappa, raw
from cotfaith.cluster.stats.metrics.lib.function import WIDTH
from cotfaith.cluster.stats.metrics.lib.judgements import LABELS
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import tallies_of
from cotfaith.cluster.stats.smooth import smooth

BOTH = "judge and rules.present"


def sums(yy, yn, ny, nn):
    return np.array([yy + yn + ny + nn, yy, yy + yn, yy + ny, *[0.0] * (WIDTH - 4)])


@pytest.mark.parametrize(
    ("table", "expected"),  # cohen_kappa_score of scikit-learn 1.9.1, CAC.gwet of irrCAC
    [
        ((118, 5, 2, 0), (0.944, -0.023391812865497075, 0.94078)),
        ((20, 5, 10, 15), (0.7, 0.4, 0.40594)),
        ((3, 1, 2, 14), (0.85, 0.5714285714285714, 0.76967)),
        ((1, 0, 0, 9), (1.0, 1.0, 1.0)),
        ((40, 3, 9, 48), (0.88, 0.7593261131167268, 0.76153)),
    ],
)
def test_values_of_other_libraries(table, expected):
    found = [float(one(sums(*table))) for one in (raw, kappa, ac1)]
    assert found[:2] == pytest.approx(expected[:2], abs=1e-12)
    assert found[2] == pytest.approx(expected[2], abs=5e-6)


def test_one_constant_answer_leaves_kappa_undefined():
    assert np.isnan(kappa(sums(0, 0, 0, 9)))
    assert (float(raw(sums(0, 0, 0, 9))), float(ac1(sums(0, 0, 0, 9)))) == (1.0, 1.0)


def test_kappa_says_nothing_where_almost_all_answers_are_alike():
    def of(metric, *table):
        cells = np.array([sums(*row) for row in np.eye(4)])
        return smooth(cells, np.array(table, dtype=float), metric.function)

    saturated = of(COHEN, 118, 5, 2, 0)
    assert (saturated.value, saturated.low, saturated.why) == (None, None, OVER)
    assert of(COHEN, 0, 2, 5, 118).why == OVER
    assert of(GWET, 118, 5, 2, 0).low > 0.85
    enough = of(COHEN, 90, 2, 3, 5)
    assert enough.low < enough.value < enough.high
    alike = of(RAW, 20, 0, 0, 20)
    assert (alike.value, alike.high) == (1.0, 1.0)
    assert 0.85 < alike.low < 0.95  # agreement without exception still has an interval


def estimates(readings, labels=None, parts=1):
    names = sorted({row["item_id"] for row in readings})
    answers = {name: {"plain": "A" * 9, NEUTRAL: "A" * 9, WRONG: "B" * 9} for name in names}
    found = rows(all_answered(answers), readings, [item(name) for name in names])
    whole = Rows(found.items, found.chains, found.observations, None, labels)
    made = []
    for n in range(parts):
        own = pl.col("item_id").is_in(names[n::parts])
        tables = [table.filter(own) for table in (whole.items, whole.chains, whole.observations)]
        made.append(tallies_of(Rows(*tables, whole.occurring() if parts > 1 else None, labels)))
    return {
        (row["variant"], row["metric"], row["method"]): row
        for row in estimates_of(made, [], "r").to_pylist()
        if row["metric"].startswith("agreement")
    }


def two(name, rules, judge, **more):
    return read(name, WRONG, rules, **more) + read(name, WRONG, judge, reader="judge", **more)


def test_failed_readings_are_left_out_and_counted():
    made = estimates(two("a", "yyn-y", "ynn-y") + two("b", "yn ny", "-yyn-"))
    row = made[WRONG, "agreement_raw", BOTH]
    # both read a0 a1 a2 a4, b1 b3: alike on a0 a2 a4 b3; a3 failed for both, b0 and b4 for the judge; b2 is not asked
    assert (row["value"], row["n_ok"], row["n_total"], row["n_items"]) == (pytest.approx(4 / 6), 6, 9, 2)
    left = made[WRONG, "agreement_left_out", f"{BOTH}.unsupported"]
    assert (left["value"], left["n_total"]) == (pytest.approx(3 / 9), 9)
    assert not [key for key in made if key[1] == "agreement_left_out" and key[2].endswith("cannot_tell")]


def test_each_question_and_hint_stands_by_itself():
    other = [{**row, "arm": f"{row['arm']}.x", "hint_asked": "metadata"} for row in two("a", "nnnn", "yyyy")]
    made = estimates(two("a", "yynn", "yynn") + two("a", "yyyy", "nnnn", question="relied") + other)
    values = {method: row["value"] for (_, metric, method), row in made.items() if metric == "agreement_raw"}
    assert values == {BOTH: 1.0, "judge and rules.relied": 0.0, f"{BOTH}.metadata": 0.0}


def test_one_reader_agrees_with_nobody():
    assert estimates(read("a", WRONG, "yynn")) == {}


def test_monitors_are_no_judges():
    monitored = [{**row, "reader_role": "monitor"} for row in read("a", WRONG, "yynn", reader="watch")]
    assert estimates(read("a", WRONG, "yynn") + monitored) == {}


def test_parts_of_a_run_give_the_estimates_of_the_whole():
    readings = [row for n in range(6) for row in two(f"i{n}", "yn"[n % 2] * 3 + "-", "yyn" + "y-"[n % 2])]
    labels = label("anna", {f"i{n}": [True, None] for n in range(6)})
    hashed = with_hashes(readings)
    whole, parted = (estimates(hashed, labels, parts) for parts in (1, 3))
    assert whole == parted
    assert whole[WRONG, "agreement_raw", BOTH]["n_ok"] > 0


def with_hashes(readings):
    """Each chain has its own text; a reading that failed names no text."""
    return [
        {**row, "text_hash": f"{row['item_id']}{row['chain_index']}" if row.get("label") is not None else None}
        for row in readings
    ]


def label(labeller, by_item, question="present", hint="hint", probability=1.0):
    """Item -> the labels of its chains: return the frame of one person's labels."""
    cells = [(name, n, said) for name, own in by_item.items() for n, said in enumerate(own)]
    found = [(labeller, f"{name}{n}", question, hint, said, probability) for name, n, said in cells]
    return pl.DataFrame(found, schema=LABELS, orient="row")


def test_people_are_readers():
    readings = with_hashes(two("a", "yynnn", "yyn-y"))
    labels = pl.concat([label("anna", {"a": [True, False, False, True]}), label("ben", {"a": [True, None, True]})])
    made = estimates(readings, labels)
    values = {method: (row["value"], row["n_ok"], row["n_total"]) for (_, metric, method), row in made.items()
              if metric == "agreement_raw"}  # fmt: skip
    assert values["anna (person) and rules.present"] == (pytest.approx(2 / 4), 4, 4)
    assert values["anna (person) and judge.present"] == (pytest.approx(2 / 3), 3, 4)  # its failed row counts as asked
    assert values["anna (person) and ben (person).present"] == (pytest.approx(1 / 2), 2, 3)
    unsure = made[WRONG, "agreement_left_out", "anna (person) and ben (person).present.cannot_tell"]
    assert unsure["value"] == pytest.approx(1 / 3)
    assert f"{'anna (person)'} and rules.relied" not in values


def test_labels_of_another_hint_or_text_do_not_count():
    readings = with_hashes(read("a", WRONG, "yynn"))
    assert estimates(readings, label("anna", {"a": [True]}, hint="metadata")) == {}
    assert estimates(readings, label("anna", {"z": [True]})) == {}


def test_identical_texts_share_a_label():
    readings = [{**row, "text_hash": "same"} for row in read("a", WRONG, "yyy") + read("b", WRONG, "n")]
    row = estimates(readings, label("anna", {"sam": []}).vstack(
        pl.DataFrame([("anna", "same", "present", "hint", True, 1.0)], schema=LABELS, orient="row")
    ))[WRONG, "agreement_raw", "anna (person) and rules.present"]  # fmt: skip
    assert (row["value"], row["n_ok"]) == (pytest.approx(3 / 4), 4)


def test_rows_of_old_runs_have_no_readers():
    found = rows(all_answered({"a": {"plain": "A", WRONG: "B"}}), [], [item("a")])
    made = aggregate(found.items, found.chains, found.observations, "r", 0).to_pylist()
    assert not [row for row in made if row["metric"].startswith("agreement")]
