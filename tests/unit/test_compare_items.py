"""Two models compared item by item, on handwritten rows: differences, items at matched skill, flips."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from scores_by_hand import arm, chain, rows
from variants_by_hand import NEUTRAL, WRONG, all_answered, item, read

from cotfaith.cluster.stats.intervals import Sums, interval
from cotfaith.cluster.stats.inverted import two_sided_p
from cotfaith.cluster.verdicts.comparing.differences import by_item, difference
from cotfaith.cluster.verdicts.comparing.flips import flips
from cotfaith.cluster.verdicts.comparing.item_sums import ItemSums, sums_of_rows
from cotfaith.cluster.verdicts.comparing.matched import matched

ACCURACY = ("cot", "plain", "", None, "accuracy_cot", None)
P_GOLD = ("cot", "plain", "", "no_cot", "p_gold_no_cot", None)
RIGHT = ("cot", "plain", "", "no_cot", "accuracy_no_cot", None)
MOVED = ("cot", WRONG, "", None, "switch_to_target", "cot")


def sums(answers, arms=(), readings=()):
    """Item -> variant -> answers: return the sums of all metrics."""
    found = rows(all_answered(answers), [*arms, *readings], [item(name) for name in answers])
    return sums_of_rows(found, lambda _: True)


def plain(**answers):
    return sums({name: {"plain": own} for name, own in answers.items()})


def values(**of):
    """Return the sums of one metric: item -> numerator and denominator."""
    found = [(name, float(num), float(den)) for name, (num, den) in of.items()]
    return pl.DataFrame(found, schema=["item_id", "num", "den"], orient="row")


def test_items_that_failed_on_one_side_are_left_out():
    a, b = plain(i0="A", i1="B", i2="A", i3="-"), plain(i0="B", i1="A", i2="A", i3="A", i4="A")
    both = by_item(a.sums[ACCURACY], b.sums[ACCURACY])
    assert both.rows() == [("i0", 1.0, 0.0), ("i1", 0.0, 1.0), ("i2", 1.0, 1.0)]
    found = difference(both, (0.0, 1.0))
    assert (found.n_items, found.a, found.b, found.value) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3), 0.0)
    assert found.low == -found.high
    assert found.p_value == 1.0


def test_an_item_with_several_chains_counts_once():
    """i0: 1 of 3 right before, 2 of 2 after (one failed). i1: 1 of 1, 0 of 4. Means: (1/3 + 1)/2 = 2/3; (1 + 0)/2."""
    a, b = plain(i0="ABC", i1="A"), plain(i0="AA-", i1="BBCD")
    found = difference(by_item(a.sums[ACCURACY], b.sums[ACCURACY]), (0.0, 1.0))
    assert (found.a, found.b) == (pytest.approx(2 / 3), pytest.approx(1 / 2))
    assert found.value == pytest.approx(-1 / 6)


def test_the_interval_is_that_of_the_items_differences_between_opposite_bounds():
    a = values(**{f"i{n}": (n % 2, 1) for n in range(40)})
    b = values(**{f"i{n}": (n % 2 or n < 14, 1) for n in range(40)})
    found = difference(by_item(a, b), (0.0, 1.0))  # 7 of 40 are right only after
    made = interval(Sums.of([1.0] * 7 + [0.0] * 33, np.ones(40)), (-1.0, 1.0))
    assert found.value == pytest.approx(7 / 40)
    assert (found.low, found.high, found.interval) == (made.low, made.high, "linearised")
    assert found.low > 0
    assert found.p_value < 0.05
    sums_ = Sums.of([1.0] * 7 + [0.0] * 33, np.ones(40))
    assert found.p_value == two_sided_p(lambda tail: interval(sums_, (-1.0, 1.0), tail=tail))


def test_without_bounds_it_is_the_paired_t_test():
    steps_a, steps_b = [2, 5, 3, 4, 8, 1], [3, 5, 6, 4, 9, 4]
    frames = [values(**{f"i{n}": (own, 1) for n, own in enumerate(steps)}) for steps in (steps_a, steps_b)]
    found, wanted = difference(by_item(*frames), None), stats.ttest_rel(steps_b, steps_a)
    assert found.value == pytest.approx(8 / 6)
    assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-6)
    ends = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(ends.low), pytest.approx(ends.high))


def test_one_item_and_none():
    one = difference(by_item(values(i0=(1, 1)), values(i0=(0, 1))), (0.0, 1.0))
    assert (one.n_items, one.value, one.low, one.p_value, one.interval) == (1, -1.0, None, None, "too_few_items")
    none = difference(by_item(values(i0=(0, 0)), values(i0=(1, 1))), (0.0, 1.0))
    assert (none.n_items, none.a, none.value, none.interval) == (0, None, None, "no_items")


def test_only_some_items():
    both = by_item(values(i0=(1, 1), i1=(0, 1), i2=(1, 1)), values(i0=(0, 1), i1=(1, 1), i2=(1, 1)))
    found = difference(both, (0.0, 1.0), {"i1", "i2", "i9"})
    assert (found.n_items, found.a, found.b) == (2, 0.5, 1.0)
    assert difference(both, (0.0, 1.0), set()).n_items == 0


def skill(p, key=P_GOLD):
    """Return the sums of a model with these values of skill, item by item."""
    return ItemSums({key: values(**{f"i{n}": (own, 1) for n, own in enumerate(p)})})


def test_items_of_equal_skill_are_matched():
    p = [0.05 + 0.1 * n for n in range(10)]
    found = matched(skill(p), skill([*p[:5], *p[:5]]))["cot", ""]
    assert sorted(found.items) == ["i0", "i1", "i2", "i3", "i4"]
    assert (found.n_both, found.by) == (10, "p_gold_no_cot")


def test_nothing_matches():
    found = matched(skill([0.1] * 30), skill([0.9] * 30))["cot", ""]
    assert (len(found.items), found.n_both, found.a, found.b) == (0, 30, None, None)


def test_values_that_are_near_are_matched_whatever_others_are_there():
    a = [0.10 + 0.0002 * n for n in range(40)]
    b = [own + 0.004 for own in reversed(a)]
    assert len(matched(skill(a), skill(b))["cot", ""].items) == 40
    found = matched(skill([0.10, 0.10, 0.10]), skill([0.118, 0.13, 0.10]))["cot", ""]
    assert sorted(found.items) == ["i0", "i2"]
    assert (found.a, found.b) == (pytest.approx(0.10), pytest.approx(0.109))


def test_without_probabilities_the_answer_without_a_chain_is_the_skill():
    found = matched(skill([1, 0, 1, 0], RIGHT), skill([1, 1, 0, 0], RIGHT))["cot", ""]
    assert (sorted(found.items), found.by) == (["i0", "i3"], "accuracy_no_cot")
    assert matched(skill([1, 0], RIGHT), skill([0.2, 0.4])) == {}
    assert matched(ItemSums(), ItemSums()) == {}


def test_the_probability_comes_from_the_rows():
    known = {"answer": "A", "p_gold": 0.25, "correct": True}
    found = sums_of_rows(rows([chain(answer="A", correct=True)], [arm("no_cot", 0, **known)]), lambda _: True)
    assert found.sums[P_GOLD].rows() == [("i", 0.25, 1.0)]
    assert found.sums[RIGHT].rows() == [("i", 1.0, 1.0)]


def flipped(a, b, *names):
    return flips(a, b).select("kind", *names).rows()


def test_answers_flip_on_plain_items_only():
    a = sums({"i0": {"plain": "A", NEUTRAL: "A"}, "i1": {"plain": "B", NEUTRAL: "A"}, "i2": {"plain": "-"}})
    b = sums({"i0": {"plain": "C", NEUTRAL: "B"}, "i1": {"plain": "A", NEUTRAL: "A"}, "i2": {"plain": "A"}})
    assert flipped(a, b, "item_id", "answer_a", "answer_b", "gold") == [
        ("wrong_to_right", "i1", "B", "A", "A"),
        ("right_to_wrong", "i0", "A", "C", "A"),
    ]


def test_wrong_answers_that_change_do_not_flip():
    assert flips(plain(i0="B"), plain(i0="C")).is_empty()


def test_chains_are_compared_one_by_one():
    found = flips(plain(i0="AB"), plain(i0="BB-"))
    assert found.select("kind", "chain_index").rows() == [("right_to_wrong", 0)]


def test_following_a_hint_flips_on_variants():
    a = sums({"i0": {"plain": "A", WRONG: "B"}, "i1": {"plain": "A", WRONG: "A"}, "i2": {"plain": "A", WRONG: "B"}})
    b = sums({"i0": {"plain": "A", WRONG: "A"}, "i1": {"plain": "A", WRONG: "B"}, "i2": {"plain": "A", WRONG: "B"}})
    assert flipped(a, b, "item_id", "variant", "target") == [
        ("follows_to_resists", "i0", WRONG, "B"),
        ("resists_to_follows", "i1", WRONG, "B"),
    ]
    both = by_item(a.sums[MOVED], b.sums[MOVED])
    assert difference(both, (0.0, 1.0)).value == 0.0


def test_what_chains_say_flips_where_both_follow_the_hint():
    answers = {f"i{n}": {"plain": "A", WRONG: "B"} for n in range(4)}
    resists = answers | {"i3": {"plain": "A", WRONG: "A"}}
    a = sums(answers, readings=[row for n, one in enumerate("ynyy") for row in read(f"i{n}", WRONG, one)])
    b = sums(resists, readings=[row for n, one in enumerate("nyyn") for row in read(f"i{n}", WRONG, one)])
    said = [row for row in flipped(a, b, "item_id", "reader", "question") if "said" in row[0]]
    assert said == [("said_to_unsaid", "i0", "rules", "present"), ("unsaid_to_said", "i1", "rules", "present")]


def test_a_reading_that_failed_is_no_flip():
    answers = {"i0": {"plain": "A", WRONG: "B"}}
    a, b = (sums(answers, readings=read("i0", WRONG, one)) for one in "y-")
    assert flips(a, b).is_empty()


def test_a_model_compared_with_itself():
    one = plain(i0="A", i1="B", i2="AB", i3="-")
    found = difference(by_item(one.sums[ACCURACY], one.sums[ACCURACY]), (0.0, 1.0))
    assert (found.value, found.p_value, found.a) == (0.0, 1.0, found.b)
    assert flips(one, one).is_empty()
