"""What an intervention does to the answers: switch rates, Turpin's shares, accuracies, alpha. Every value by hand."""

import pytest
from scores_by_hand import rows
from variants_by_hand import CORRECT, NEUTRAL, WRONG, answered, item, without

from cotfaith.cluster.stats.aggregate import aggregate


def table(answers, items=None, arms=()):
    """Item -> variant -> answers, and the estimates of these, by (metric, method)."""
    chains = [
        row for name, by in answers.items() for variant, own in by.items() for row in answered(name, variant, own)
    ]
    found = rows(chains, list(arms), items or [item(name) for name in answers])
    made = aggregate(found.items, found.chains, found.observations, "r", 0).to_pylist()
    return {(row["variant"], row["metric"], row["method"]): row for row in made if row["position"] is None}


def values(made, metric, method="cot", variant=WRONG):
    row = made[variant, metric, method]
    return row["value"], row["n_ok"], row["n_total"]


ONE = {
    "moved": {"plain": "A", NEUTRAL: "A", WRONG: "B"},
    "other": {"plain": "A", NEUTRAL: "B", WRONG: "C"},
    "stays": {"plain": "C", NEUTRAL: "C", WRONG: "C"},
    "there": {"plain": "B", NEUTRAL: "B", WRONG: "B"},
    "back": {"plain": "B", NEUTRAL: "A", WRONG: "A"},
}


def test_one_chain_an_item():
    made = table(ONE)
    assert values(made, "switch_to_target") == (pytest.approx(1 / 3), 3, 3)  # of moved, other, stays
    assert values(made, "switch_to_other") == (pytest.approx(1 / 3), 3, 3)
    assert values(made, "neutral_to_target") == (pytest.approx(1 / 3), 3, 3)
    assert values(made, "switch_over_neutral") == (0.0, 3, 3)
    assert values(made, "follow_rate") == (pytest.approx(2 / 5), 5, 5)
    assert values(made, "prediction_changed") == (pytest.approx(3 / 5), 5, 5)
    assert values(made, "change_explained") == (pytest.approx(1 / 3), 5, 5)
    assert values(made, "accuracy_plain") == (pytest.approx(2 / 5), 5, 5)
    assert values(made, "accuracy_variant") == (pytest.approx(1 / 5), 5, 5)
    assert values(made, "accuracy_shift") == (pytest.approx(-1 / 5), 5, 5)
    assert values(made, "hint_alpha", "choices") == (pytest.approx(1 - 1 / 2), 3, 3)  # q = p, n - 2 = 2
    assert values(made, "hint_alpha", "control") == (0.0, 3, 3)


def test_one_plain_chain_says_nothing_about_resampling():
    row = table(ONE)[WRONG, "switch_over_resampling", "cot"]
    assert (row["value"], row["ci_low"], row["n_ok"], row["interval"]) == (None, None, 0, "one_plain_chain")


def test_every_pair_of_chains_counts():
    made = table(
        {
            "i": {"plain": "AAB", NEUTRAL: "AB", WRONG: "BBCA"},  # two of three can move: half of their pairs do
            "j": {"plain": "CC", NEUTRAL: "CC", WRONG: "CB"},
        }
    )
    assert values(made, "switch_to_target") == (pytest.approx((0.5 + 0.5 + 0.5 + 0.5) / 4), 4, 4)
    assert values(made, "switch_to_other") == (pytest.approx((0.25 + 0.25 + 0 + 0) / 4), 4, 4)
    assert values(made, "switch_over_neutral") == (pytest.approx((0 + 0 + 0.5 + 0.5) / 4), 4, 4)
    assert values(made, "resampled_to_target") == (pytest.approx((0.5 + 0.5 + 0 + 0) / 4), 4, 4)
    assert values(made, "switch_over_resampling") == (pytest.approx((0 + 0 + 0.5 + 0.5) / 4), 4, 4)
    changed = (0.75 + 0.75 + 0.5 + 0.5 + 0.5) / 5
    assert values(made, "prediction_changed") == (pytest.approx(changed), 5, 5)
    assert values(made, "change_explained") == (pytest.approx((0.5 * 2 + 0 + 0.5 * 2) / 5 / changed), 5, 5)
    assert values(made, "accuracy_plain") == (pytest.approx(2 / 5), 5, 5)
    assert values(made, "accuracy_variant") == (pytest.approx((3 * 0.25) / 5), 5, 5)


def test_failed_answers_are_counted_and_bounded():
    made = table(
        {
            "ok": {"plain": "A", NEUTRAL: "A", WRONG: "B"},
            "lost plain": {"plain": "-", NEUTRAL: "A", WRONG: "B"},
            "lost variant": {"plain": "A", NEUTRAL: "B", WRONG: "-"},
            "half": {"plain": "A", NEUTRAL: "-", WRONG: "B-"},
        }
    )
    p = made[WRONG, "switch_to_target", "cot"]
    assert (p["value"], p["n_ok"], p["n_total"], p["n_arms_ok"], p["n_arms"]) == (1.0, 2, 4, 3, 5)
    assert (p["least"], p["most"]) == ((1 + 0 + 0 + 0.5) / 4, 1.0)
    over = made[WRONG, "switch_over_neutral", "cot"]
    assert (over["value"], over["n_ok"]) == (1.0, 1)
    assert (over["least"], over["most"]) == (pytest.approx((1 - 1 - 1 - 0.5) / 4), (1 + 1 + 0 + 1) / 4)
    assert values(made, "prediction_changed") == (1.0, 2, 4)


@pytest.mark.parametrize("gone", [NEUTRAL, WRONG, "plain"])
def test_a_missing_arm_gives_no_figure(gone):
    made = table({name: {arm: own for arm, own in by.items() if arm != gone} for name, by in ONE.items()})
    if gone == NEUTRAL:
        assert values(made, "switch_to_target")[0] == pytest.approx(1 / 3)
        over = made[WRONG, "switch_over_neutral", "cot"]
        assert (over["value"], over["interval"]) == (None, "no_neutral_arm")
        assert made[WRONG, "hint_alpha", "control"]["interval"] == "no_neutral_arm"
    else:
        assert not any(metric.startswith(("switch", "hint")) for _, metric, _ in made)


def test_an_arm_of_which_every_answer_failed():
    made = table({name: {**by, WRONG: "-"} for name, by in ONE.items()})
    p = made[WRONG, "switch_to_target", "cot"]
    assert (p["value"], p["n_ok"], p["n_total"], p["interval"]) == (None, 0, 3, "too_few_items")
    assert (p["least"], p["most"]) == (0.0, 1.0)
    assert made[WRONG, "hint_alpha", "choices"]["value"] is None


def test_no_switches_leave_alpha_undefined():
    made = table({name: {"plain": "A", NEUTRAL: "A", WRONG: "A"} for name in "ij"})
    assert values(made, "switch_to_target") == (0.0, 2, 2)
    row = made[WRONG, "hint_alpha", "choices"]
    assert (row["value"], row["ci_low"], row["interval"]) == (None, None, "no_switches")
    explained = made[WRONG, "change_explained", "cot"]
    assert (explained["value"], explained["interval"]) == (None, "no_changes")


def test_alpha_with_varying_numbers_of_choices():
    answers = {
        "four": {"plain": "A", WRONG: "B"},
        "also four": {"plain": "A", WRONG: "C"},
        "three": {"plain": "C", WRONG: "B"},
        "two": {"plain": "A", WRONG: "B"},  # left out, and counted
        "open": {"plain": "A", WRONG: "B"},
    }
    sizes = {"four": 4, "also four": 4, "three": 3, "two": 2}
    items = [item(name, n) for name, n in sizes.items()] + [item("open", answer_format="text", choices=None)]
    made = table(answers, items)
    assert values(made, "hint_alpha", "choices") == (pytest.approx(1 - (1 / 2) / 2), 3, 5)
    only = table({"two": answers["two"]}, [item("two", 2)])
    assert only[WRONG, "hint_alpha", "choices"]["interval"] == "two_choices"


def test_turpins_subsets_and_the_kept_items():
    answers = {
        "against": {"plain": "A", WRONG: "B", CORRECT: "A"},
        "against too": {"plain": "C", WRONG: "C", CORRECT: "A"},
        "invalid": {"plain": "-", WRONG: "B", CORRECT: "A"},
    }
    arms = [
        *(without(name, "plain", own) for name, own in (("against", "A"), ("against too", "A"), ("invalid", "A"))),
        *(without(name, WRONG, own) for name, own in (("against", "B"), ("against too", "-"), ("invalid", "B"))),
    ]
    made = table(answers, arms=arms)
    assert values(made, "prediction_changed", "cot_contradicting") == (0.5, 2, 3)
    assert (WRONG, "prediction_changed", "cot_consistent") not in made
    assert values(made, "prediction_changed", "cot_consistent", CORRECT) == (0.5, 2, 3)
    assert values(made, "change_explained", "cot_consistent", CORRECT) == (1.0, 2, 3)
    assert values(made, "prediction_changed", "no_cot") == (1.0, 1, 3)  # "invalid" has no valid chain: dropped
    assert values(made, "switch_to_target", "no_cot") == (1.0, 2, 3)
    assert values(made, "accuracy_plain", "no_cot") == (1.0, 1, 3)
    assert values(made, "accuracy_shift", "no_cot_contradicting") == (-1.0, 1, 3)


def test_one_item_has_no_interval_and_plain_runs_have_no_such_figures():
    row = table({"i": {"plain": "A", NEUTRAL: "A", WRONG: "B"}})[WRONG, "switch_to_target", "cot"]
    assert (row["value"], row["ci_low"], row["interval"]) == (1.0, None, "too_few_items")
    assert not any(metric.startswith("switch") for _, metric, _ in table({"i": {"plain": "A"}}))


def test_figures_are_of_one_channel():
    told = [{**row, "channel": "body"} for row in answered("i", "plain", "A") + answered("i", WRONG, "B")]
    other = [{**row, "chain_index": 1, "channel": "reasoning"} for row in answered("i", "plain", "B")]
    found = rows([*told, *other], [], [item("i")])
    made = aggregate(found.items, found.chains, found.observations, "r", 0).to_pylist()
    (p,) = (row for row in made if row["metric"] == "switch_to_target")
    assert (p["channel"], p["value"], p["n_total"]) == ("body", 1.0, 1)
