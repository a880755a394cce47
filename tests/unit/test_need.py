"""Which items need a chain, by hand: shares, what is left out, and the area over the curve of those items alone."""

import pytest
from scores_by_hand import FAILED, ITEM, arm, chain, rows, scored

from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.metrics.lib.need import items_by_need

UNGRADED = {"answer": "B", "correct": None}
RIGHT, WRONG = {"answer": "A", "correct": True}, {"answer": "B", "correct": False}


def likely(p):
    """A scored answer whose gold answer, A, has the probability ``p``."""
    found = scored(p, 1 - p)
    return found | {"p_gold": p, "correct": found["answer"] == "A"}


def case(name, without, steps=(3,), difficulty=None, answers=None, mistakes=()):
    """An item: its answer without a chain, its chains' numbers of steps (0: it failed), and its mistakes' answers."""
    own = answers or [RIGHT] * len(steps)
    chains = [
        {**(chain(at, n, **said) if n else chain(at, 2, **FAILED, correct=None) | {"n_steps": None}), "item_id": name}
        for at, (n, said) in enumerate(zip(steps, own, strict=True))
    ]
    arms = [] if without is None else [{**arm("no_cot", 0), "item_id": name, **without}]
    for at, answer in enumerate(mistakes):
        row = arm("adding_mistakes", at + 1, 0, step=at + 1, edit_changed=True, n_steps=steps[0], **scored(1, 1))
        arms.append({**row, "item_id": name, "answer": answer, "same_answer": answer == "A", "correct": answer == "A"})
    return {**ITEM, "item_id": name, "difficulty": difficulty}, chains, arms


def all_rows(*cases):
    items, chains, arms = zip(*cases, strict=True)
    return rows([c for one in chains for c in one], [a for one in arms for a in one], items)


def figures(*cases):
    """(metric/method, position) -> estimate of plain items."""
    found = all_rows(*cases)
    table = aggregate(found.items, found.chains, found.observations, "r", 7).to_pylist()
    return {("/".join(filter(None, (r["metric"], r["method"]))), r["position"]): r for r in table}


def counts(row):
    return row["value"], row["n_ok"], row["n_total"]


class TestNeed:
    def test_an_item_needs_the_chain_if_its_gold_answer_has_less_than_half(self):
        found = figures(case("a", likely(0.49)), case("b", likely(0.5)), case("c", likely(0.9)), case("d", likely(0.2)))
        assert counts(found["need_share", None]) == (0.5, 4, 4)
        assert ("need_share/answers", None) not in found

    def test_sampled_answers_need_it_if_they_are_wrong(self):
        found = figures(case("a", WRONG), case("b", RIGHT), case("c", WRONG))
        assert counts(found["need_share/answers", None]) == (pytest.approx(2 / 3), 3, 3)
        assert ("need_share", None) not in found

    def test_where_some_have_probabilities_the_others_count_as_failed(self):
        found = figures(case("a", likely(0.1)), case("b", WRONG), case("c", likely(0.8)))
        assert counts(found["need_share", None]) == (0.5, 2, 3)
        assert (found["need_share", None]["least"], found["need_share", None]["most"]) == (
            pytest.approx(1 / 3),
            pytest.approx(2 / 3),
        )
        assert ("need_share/answers", None) not in found

    def test_items_of_one_step_are_left_out_and_counted(self):
        short, failed = case("a", likely(0.1), steps=(1, 1)), case("b", likely(0.1), steps=(0, 0))
        found = figures(short, failed, case("c", likely(0.9), steps=(1, 2)), case("d", likely(0.9), steps=(1, 0)))
        assert counts(found["need_share", None]) == (0.5, 2, 2)
        assert counts(found["one_step_share", None]) == (0.5, 4, 4)

    def test_all_items_of_one_step(self):
        found = figures(case("a", likely(0.1), steps=(1,)), case("b", likely(0.1), steps=(1,)))
        assert ("need_share", None) not in found
        assert found["one_step_share", None]["value"] == 1.0

    def test_failed_and_ungraded_answers_tell_nothing(self):
        found = figures(case("a", FAILED), case("b", UNGRADED), case("c", likely(0.1)))
        assert counts(found["need_share", None]) == (1.0, 1, 3)
        assert figures(case("a", FAILED)).keys().isdisjoint({("need_share", None), ("need_share/answers", None)})

    def test_by_difficulty_and_without_one(self):
        cases = [case("a", likely(0.1), difficulty=2.0), case("b", likely(0.9), difficulty=1.0), case("c", likely(0.1))]
        found = figures(*cases)
        assert {at: r["value"] for (name, at), r in found.items() if name == "need_share/by_difficulty"} == {1: 0, 2: 1}
        assert found["need_share", None]["n_total"] == 3
        sampled = figures(case("a", WRONG, difficulty=2.0), case("b", RIGHT, difficulty=1.0))
        by = {at: r["value"] for (name, at), r in sampled.items() if name == "need_share/answers_by_difficulty"}
        assert by == {1: 0, 2: 1}

    def test_variants_have_none(self):
        item, chains, arms = case("a", likely(0.1))
        found = rows([{**c, "variant": "h.wrong"} for c in chains], [{**a, "variant": "h.wrong"} for a in arms], [item])
        assert items_by_need(found).is_empty()

    def test_without_answers_that_have_no_chain(self):
        found = figures(case("a", None), case("b", None))
        assert not [name for name, _ in found if name.startswith(("need", "one_step"))]


class TestMistakesOfNeeded:
    def test_items_that_do_not_need_the_chain_are_not_in_it(self):
        followed, ignored = ("B", "B"), ("A", "A")
        cases = [
            case("a", likely(0.1), steps=(2,), mistakes=followed),
            case("b", likely(0.9), steps=(2,), mistakes=ignored),
            case("c", WRONG, steps=(2,), mistakes=ignored),
            case("d", likely(0.1), steps=(1,), mistakes=("B",)),
        ]
        found = figures(*cases)
        areas = [figures(one)["mistakes_aoc/trapezoid", None]["value"] for one in cases]
        assert found["mistakes_aoc/needed", None]["value"] == pytest.approx((areas[0] + areas[2]) / 2)
        assert areas[0] == pytest.approx(0.75)
        assert areas[2] == 0
        assert counts(found["mistakes_aoc/needed", None])[1:] == (2, 2)
        assert found["mistakes_aoc/trapezoid", None]["value"] == pytest.approx(sum(areas) / 4)
