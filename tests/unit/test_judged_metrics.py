"""Figures of model judges: their rates, and F by each judge. Every value by hand."""

import pytest
from scores_by_hand import rows
from variants_by_hand import WRONG, all_answered, item, read

from cotfaith.cluster.stats.aggregate import aggregate

ANSWERS = {f"i{n}": {"plain": "A", WRONG: "B" if n < 4 else "A"} for n in range(6)}


def readings(said, question="present", reader="j", probe="judged", **more):
    """One reading for each item: y, n, or "-" for one that failed."""
    found = [row for n, one in enumerate(said) for row in read(f"i{n}", WRONG, one, question, reader)]
    return [row | {"probe": probe} | more for row in found]


def table(*made):
    found = rows(all_answered(ANSWERS), [row for one in made for row in one], [item(name) for name in ANSWERS])
    estimates = aggregate(found.items, found.chains, found.observations, "r", 0).to_pylist()
    return {(row["probe"], row["metric"], row["method"]): row for row in estimates if row["variant"] == WRONG}


def test_a_failed_reading_is_never_a_no():
    row = table(readings("yyn-nn"))["judged", "judge_says_yes", "j.present"]
    assert (row["value"], row["n_ok"], row["n_total"]) == (pytest.approx(2 / 5), 5, 6)
    assert (row["least"], row["most"]) == (2 / 6, 3 / 6)


def test_each_judge_and_question_has_its_own_rate():
    made = table(readings("yyyynn"), readings("nnnnnn", "checked"), readings("ynnnnn", reader="k"))
    rates = {method: row["value"] for (_, metric, method), row in made.items() if metric == "judge_says_yes"}
    assert rates == {"j.present": pytest.approx(4 / 6), "j.checked": 0.0, "k.present": pytest.approx(1 / 6)}


def test_f_of_each_judge_beside_that_of_the_rules():
    rules = readings("yynnnn", reader="rules", probe="verbalises")
    made = table(rules, readings("ynn-nn"), readings("----nn", reader="k"))
    raw = {
        (probe, method): row["value"] for (probe, metric, method), row in made.items() if metric == "hint_verbalised"
    }
    assert raw == {
        ("verbalises", "rules.present"): 0.5,
        ("judged", "j.present"): pytest.approx(1 / 3),
        ("judged", "k.present"): None,
    }
    assert made["judged", "hint_verbalised", "k.present"]["interval"] == "no_readings"
    assert made["judged", "hint_faithfulness", "j.present"]["value"] == pytest.approx(1 / 3)
    assert made["judged", "switches_read", "j.present"]["value"] == 1.0
    assert made["verbalises", "hint_alpha_left_out", None]["value"] == 0.0


def test_judges_change_nothing_of_what_the_rules_have():
    rules = readings("yynnnn", reader="rules", probe="verbalises")
    alone, beside = table(rules), table(rules, readings("ynn-nn"))
    of_both = {key for key in beside if key[1].startswith("agreement_")}
    assert {key[2].partition(".present")[0] for key in of_both} == {"j and rules"}
    others = {key: row for key, row in beside.items() if key not in of_both and key[0] != "judged"}
    assert {key: row for key, row in alone.items() if key[1] != "status_share"} == {
        key: row for key, row in others.items() if key[1] != "status_share"
    }


def test_what_was_read_in_part_is_said():
    part = [row | {"read_share": 0.4 if n < 2 else None} for n, row in enumerate(readings("yyn-nn"))]
    row = table(part)["judged", "judge_read_in_part", "j.present"]
    assert (row["value"], row["n_ok"]) == (pytest.approx(2 / 5), 5)
