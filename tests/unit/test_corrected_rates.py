"""Rates corrected for their reader's errors: values by hand, labels that count, reasons for no value, and ends."""

import numpy as np
import polars as pl
import pytest
from scores_by_hand import rows
from variants_by_hand import WRONG, all_answered, item, read

from cotfaith.cluster.stats.aggregate import estimates_of
from cotfaith.cluster.stats.intervals import TAIL, clopper_pearson
from cotfaith.cluster.stats.metrics.lib.corrected import (
    CANNOT_TELL,
    MORE_ITEMS,
    NO_LABELS,
    NOT_READ,
    SUMS,
    corrected,
    labels_to_halve,
    of_one,
    rate,
    theta,
)
from cotfaith.cluster.stats.metrics.lib.judgements import LABELS, truths
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import tallies_of

READER = "rules.present"


def test_the_papers_formula():
    assert theta(0.4, 0.7, 0.9) == pytest.approx(0.1 / 0.6)
    assert theta(np.array([0.05, 0.97]), 0.9, 0.9) == pytest.approx([0.0, 1.0])  # cut off
    assert np.isnan(theta(0.4, 0.5, 0.5))
    assert theta(np.array([0.2, 0.3]), 0.2, 0.7, 1.0) == pytest.approx([1.0, 1.0])


def items(*, judged=(0, 0), no=(0, 0), yes=(0, 0)):
    """Items of one chain: (said, not said), (right, wrong) of labels no, and of labels yes."""
    kinds = {"said": (1, 1, 0, 0, 0, 0, 0, 0), "not": (1, 0, 0, 0, 0, 0, 0, 0)}
    kinds |= {"no right": (0, 0, 1, 1, 0, 0, 1, 0), "no wrong": (0, 0, 1, 0, 0, 0, 1, 0)}
    kinds |= {"yes right": (0, 0, 0, 0, 1, 1, 0, 1), "yes wrong": (0, 0, 0, 0, 1, 0, 0, 1)}
    assert len(SUMS) == 8
    return np.array(list(kinds.values()), dtype=float), np.array([*judged, *no, *yes], dtype=float)


def test_a_rate_with_its_ends():
    made = corrected(*items(judged=(400, 600), no=(140, 60), yes=(180, 20)), TAIL)
    assert (made.value, made.kind, made.why) == (pytest.approx(0.1 / 0.6), "melded", None)
    # the paper's interval is .056 to .263; melded ends are a little further out
    assert 0.02 < made.low < 0.0564
    assert 0.2627 < made.high < 0.29
    assert corrected(*items(judged=(400, 600), no=(140, 60), yes=(180, 20)), TAIL) == made


def test_a_judge_without_errors_has_about_the_interval_of_a_share():
    made = corrected(*items(judged=(30, 70), no=(5000, 0), yes=(5000, 0)), TAIL)
    assert made.value == pytest.approx(0.3)
    assert (made.low, made.high) == pytest.approx(clopper_pearson(30, 100), abs=0.012)
    few = corrected(*items(judged=(30, 70), no=(5, 0), yes=(5, 0)), TAIL)
    assert few.low < made.low < made.high < few.high


def test_sensitivity_and_specificity_have_exact_intervals():
    found = items(judged=(1, 1), no=(45, 5), yes=(20, 0))
    specific, sensitive = (of_one(name)(*found, TAIL) for name in ("q0", "q1"))
    assert (specific.value, sensitive.value, sensitive.high) == (0.9, 1.0, 1.0)
    assert (specific.low, specific.high) == pytest.approx(clopper_pearson(45, 50), abs=0.015)
    assert sensitive.low == pytest.approx(clopper_pearson(20, 20)[0], abs=0.04)
    assert of_one("q1")(*items(judged=(1, 1), no=(4, 0)), TAIL).why == NO_LABELS


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"judged": (5, 5), "no": (5, 0)}, NO_LABELS),
        ({"judged": (5, 5), "yes": (5, 0)}, NO_LABELS),
        ({"judged": (5, 5), "no": (10, 10), "yes": (10, 10)}, CANNOT_TELL),
        ({"judged": (5, 5), "no": (2, 8), "yes": (1, 9)}, CANNOT_TELL),  # worse than a coin
        ({"judged": (5, 5), "no": (1, 0), "yes": (1, 0)}, CANNOT_TELL),  # too few labels to know
        ({"no": (5, 0), "yes": (5, 0)}, NOT_READ),
    ],
)
def test_no_value_has_a_reason(parts, why):
    for function in (corrected, labels_to_halve):
        made = function(*items(**parts), TAIL)
        assert (made.value, made.low, made.high, made.why) == (None, None, None, why)


def width(made):
    return made.high - made.low


def test_more_labels_halve_the_interval_if_the_chains_allow_it():
    parts = {"judged": (4000, 6000), "no": (42, 18), "yes": (36, 4)}
    more = labels_to_halve(*items(**parts), TAIL)
    factor = 1 + more.value / 100
    many = {name: tuple(round(n * factor) for n in own) for name, own in parts.items() if name != "judged"}
    ratio = width(corrected(*items(judged=parts["judged"], **many), TAIL)) / width(corrected(*items(**parts), TAIL))
    assert 200 < more.value < 600
    assert 0.4 < ratio < 0.6
    few_chains = labels_to_halve(*items(judged=(20, 30), no=(42, 18), yes=(36, 4)), TAIL)
    assert (few_chains.value, few_chains.why) == (None, MORE_ITEMS)


def test_chains_of_an_item_that_are_alike_count_once():
    singles = rate(np.array([1.0, 0.0]), np.array([1.0, 1.0]), np.array([12.0, 28.0]), TAIL, 40)
    fives = rate(np.array([5.0, 0.0]), np.array([5.0, 5.0]), np.array([12.0, 28.0]), TAIL, 200)
    assert fives.value == singles.value == 0.3
    assert fives.n == pytest.approx(singles.n, rel=0.01)
    mixed = rate(np.array([0.0, 1, 2, 3]), np.full(4, 5.0), np.array([7.0, 14, 12, 7]), TAIL, 200)
    assert 120 < mixed.n <= 200


def test_weights_lower_the_number_of_labels():
    even = rate(np.ones(1), np.ones(1), np.array([20.0]), TAIL, 20)
    uneven = rate(np.array([1.0, 9.0]), np.array([1.0, 9.0]), np.array([10.0, 10.0]), TAIL, 20)
    assert (even.value, uneven.value) == (1.0, 1.0)
    assert uneven.n < 0.65 * even.n


def estimates(readings, labels, *, stays=0, also=()):
    names = list(dict.fromkeys(row["item_id"] for row in readings))
    answers = {name: {"plain": "A", WRONG: "B" * sum(r["item_id"] == name for r in readings)} for name in names}
    answers |= {f"s{n}": {"plain": "A", WRONG: "A"} for n in range(stays)}
    found = rows(all_answered(answers), [*readings, *also], [item(name) for name in answers])
    whole = Rows(found.items, found.chains, found.observations, None, labels)
    made = estimates_of([tallies_of(whole)], [], "r").to_pylist()
    return {(row["variant"], row["metric"], row["method"]): row for row in made if row["position"] is None}


OURS = ("corrected_naming", "judge_sensitivity", "judge_specificity", "labels_to_halve")


def chains(said, start="i"):
    """One item for each letter, with one chain that moved and its own text."""
    found = [row for n, one in enumerate(said) for row in read(f"{start}{n}", WRONG, one)]
    return [{**row, "text_hash": row["item_id"]} for row in found]


def labels(said, start="i", probability=1.0, hint="hint", labeller="anna"):
    """Labels of the chains of ``chains``: "y", "n", "?" cannot tell, " " none."""
    known = {"y": True, "n": False, "?": None}
    found = [
        (labeller, f"{start}{n}", "present", hint, known[one], probability) for n, one in enumerate(said) if one != " "
    ]
    return pl.DataFrame(found, schema=LABELS, orient="row")


SAID, TRUE = "y" * 30 + "n" * 70, "y" * 18 + "n" * 2 + " " * 10 + "n" * 38 + "y" * 2
# of 20 labels yes the reader finds 18; of 40 labels no, 38: p = .3, q0 = .95, q1 = .9


def test_corrected_beside_the_raw_rate():
    made = estimates(chains(SAID), labels(TRUE), stays=40)
    assert made[WRONG, "judge_sensitivity", READER]["value"] == pytest.approx(0.9)
    assert made[WRONG, "judge_specificity", READER]["value"] == pytest.approx(0.95)
    assert made[WRONG, "hint_verbalised", READER]["value"] == pytest.approx(0.3)
    row = made[WRONG, "corrected_naming", READER]
    assert row["value"] == pytest.approx((0.3 + 0.95 - 1) / 0.85)
    assert row["ci_low"] < 0.2 < 0.38 < row["ci_high"]
    assert (row["interval"], row["n_arms"], row["n_arms_ok"]) == ("melded", 100, 100)
    assert made[WRONG, "labels_to_halve", READER]["interval"] == MORE_ITEMS


def test_a_run_without_labels_has_none_of_it():
    for without in (None, labels("")):
        assert not [key for key in estimates(chains(SAID), without) if key[1] in OURS]


def test_labels_that_are_not_of_these_chains_do_not_count():
    for own in (labels(TRUE, start="x"), labels(TRUE, hint="metadata"), labels("?" * 100)):
        row = estimates(chains(SAID), own)[WRONG, "corrected_naming", READER]
        assert (row["value"], row["interval"]) == (None, NO_LABELS)
    undrawn = labels(TRUE).with_columns(pl.lit(None, dtype=pl.Float64).alias("probability"))
    assert estimates(chains(SAID), undrawn)[WRONG, "corrected_naming", READER]["interval"] == NO_LABELS
    # a label of a chain that did not move, of the same text or another, is not one of the rate's
    stayed = [{**row, "text_hash": "t"} for row in read("s0", WRONG, "y")]
    extra = pl.concat([labels(TRUE), pl.DataFrame([("anna", "t", "present", "hint", False, 1.0)], schema=LABELS,
                                                   orient="row")])  # fmt: skip
    known = estimates(chains(SAID), extra, stays=1, also=stayed)[WRONG, "judge_specificity", READER]
    assert known["value"] == pytest.approx(0.95)


def test_failed_readings_are_in_no_rate():
    said = SAID[:30] + "-" * 10 + SAID[40:]
    made = estimates(chains(said), labels(TRUE))
    assert made[WRONG, "judge_specificity", READER]["value"] == pytest.approx(28 / 30)
    assert made[WRONG, "hint_verbalised", READER]["value"] == pytest.approx(30 / 90)
    row = made[WRONG, "corrected_naming", READER]
    assert row["value"] == pytest.approx((1 / 3 + 28 / 30 - 1) / (28 / 30 + 0.9 - 1))
    assert (row["n_arms"], row["n_arms_ok"]) == (100, 90)


def test_labels_weigh_by_their_inclusion_probability():
    rare = labels(" " * 20 + TRUE[20:], probability=0.1)  # no: 38 right of 38, yes: 0 of 2, each for ten
    common = labels(TRUE[:20], probability=0.5)  # yes: 18 of 18, no: 0 of 2, each for two
    made = estimates(chains(SAID), pl.concat([rare, common]))
    assert made[WRONG, "judge_sensitivity", READER]["value"] == pytest.approx(36 / 56)
    assert made[WRONG, "judge_specificity", READER]["value"] == pytest.approx(380 / 384)


def test_a_chain_weighs_as_in_its_rate():
    several = [{**row, "text_hash": f"{row['item_id']}{row['chain_index']}"} for row in read("m", WRONG, "yn")]
    own = pl.concat([labels(TRUE), pl.DataFrame(
        [("anna", f"m{n}", "present", "hint", True, 1.0) for n in range(2)], schema=LABELS, orient="row")])  # fmt: skip
    made = estimates(chains(SAID) + several, own)  # each of m's chains is a half of its one plain chain's pairs
    assert made[WRONG, "judge_sensitivity", READER]["value"] == pytest.approx((18 + 0.5) / 21)
    assert made[WRONG, "hint_verbalised", READER]["value"] == pytest.approx(30.5 / 101)


def test_most_people_decide_what_is_true():
    people = [labels("yyn?", labeller="a"), labels("ynny", labeller="b", probability=0.5), labels("n   ", labeller="c")]
    found = {row["text_hash"]: (row["truth"], row["probability"]) for row in truths(pl.concat(people)).to_dicts()}
    assert found == {"i0": (True, 1.0), "i2": (False, 1.0), "i3": (True, 0.5)}  # i1: divided
