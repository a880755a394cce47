"""Shapes of answers under perturbation, every value by hand; a missing row is a missing feature, never 0."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scores_by_hand import FAILED, ITEM, arm, chain, rows, scored

from cotfaith.cluster.stats.metrics.lib.shapes import FEATURES, probe_of, shapes

ALL = [name for level in FEATURES.values() for names in level.values() for name in names]
EARLY = [
    arm("early_answering", 0, 0, **scored(0.2, 0.8)),
    arm("early_answering", 2, 0, **scored(0.9, 0.1)),  # rows come in any order
    arm("early_answering", 1, 0, **scored(0.6, 0.4)),
]
WHOLE = chain(**scored(0.9, 0.1))


def bits(p, q):
    """The Jensen-Shannon divergence by its definition."""
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return sum(a * math.log2(a / m) / 2 for side in (p, q) for a, m in zip(side, middle, strict=True) if a > 0)


def entropy(*p):
    return -sum(x * math.log(x) for x in p if x > 0) / math.log(len(p))


def of_chain(arms, chains=(WHOLE,), items=(ITEM,)):
    return shapes(rows(list(chains), arms, items)).chains.row(0, named=True)


def of_steps(arms, chains=(WHOLE,)):
    return {row["step"]: row for row in shapes(rows(list(chains), arms)).steps.sort("step").iter_rows(named=True)}


def deleted(step, **answer):
    return arm("step_deletion", step, 0, **answer) | {"step": step, "position": None}


def mistaken(step, changed=True, **answer):
    return arm("adding_mistakes", step - 1, 0, **answer) | {"step": step, "edit_changed": changed}


def test_early_answering_by_hand():
    found = of_chain(EARLY)
    assert (found["early_start"], found["early_last"], found["early_end"]) == pytest.approx((0.2, 0.6, 0.9))
    assert found["early_area"] == pytest.approx(1 - (0.2 + 0.6) / 4 - (0.6 + 0.9) / 4)
    assert found["early_jump"] == pytest.approx(0.4)
    assert found["early_settle"] == 0.5  # answers: B, A, A
    assert found["early_entropy"] == pytest.approx(entropy(0.2, 0.8))
    end = (0.9, 0.1)
    assert found["early_distance"] == pytest.approx((bits((0.2, 0.8), end) + bits((0.6, 0.4), end)) / 2)


@pytest.mark.parametrize(("answers", "settled"), [("AAA", 0.0), ("BAA", 0.5), ("ABA", 1.0), ("BBB", 1.0)])
def test_where_the_answer_settles(answers, settled):
    arms = [
        arm("early_answering", k, 0, **scored(*((0.7, 0.3) if answer == "A" else (0.3, 0.7))))
        for k, answer in enumerate(answers)
    ]
    assert of_chain(arms)["early_settle"] == settled


def test_other_probes_by_hand():
    arms = [
        *(arm("no_cot", 0, **scored(0.3, 0.7)), arm("filler_tokens", 10, **scored(0.45, 0.55))),
        *(arm("filler_tokens", 5, **scored(0.1, 0.9)), deleted(1, **scored(0.5, 0.5)), deleted(2, **scored(0.8, 0.2))),
        *(mistaken(1, **scored(0.2, 0.8)), mistaken(2, **scored(0.4, 0.6)), mistaken(1, False, **scored(0.9, 0.1))),
    ]
    found = of_chain(arms)
    assert (found["no_cot_p"], found["filler_p"]) == pytest.approx((0.3, 0.45))
    assert (found["deletion_mean"], found["deletion_least"]) == pytest.approx((0.65, 0.5))
    whole = (0.9, 0.1)
    assert found["deletion_distance"] == pytest.approx((bits((0.5, 0.5), whole) + bits((0.8, 0.2), whole)) / 2)
    assert (found["mistakes_mean"], found["mistakes_least"]) == pytest.approx((0.3, 0.2))


def test_steps_by_hand():
    found = of_steps([*EARLY, deleted(1, **scored(0.5, 0.5))])
    first, second = found[1], found[2]
    assert (first["step_before"], first["step_rise"]) == pytest.approx((0.2, 0.4))
    assert first["step_distance"] == pytest.approx(bits((0.2, 0.8), (0.6, 0.4)))
    assert first["step_entropy"] == pytest.approx(entropy(0.2, 0.8) - entropy(0.6, 0.4))
    assert first["step_lost"] == pytest.approx(0.4)
    assert first["step_missed"] == pytest.approx(bits((0.5, 0.5), (0.9, 0.1)))
    assert (second["step_before"], second["step_rise"]) == pytest.approx((0.6, 0.3))
    assert second["step_lost"] is second["step_missed"] is None


def test_without_rows_every_feature_is_missing_and_none_is_zero():
    found = of_chain([])
    assert {name: found[name] for name in ALL if name in found} == {
        name: None for names in FEATURES["chain"].values() for name in names
    }
    assert of_steps([]) == {}


@pytest.mark.parametrize("lost", range(3))
def test_a_lost_end_takes_early_answering_away_and_a_lost_middle_does_not(lost):
    arms = [row | FAILED if row["position"] == lost else row for row in EARLY]
    found = of_chain(arms)
    assert (found["early_start"] is None) == (lost != 1)
    if lost == 1:
        assert found["early_area"] == pytest.approx(1 - (0.2 + 0.9) / 2)
        assert found["early_jump"] == pytest.approx(0.7)
        assert of_steps(arms)[1]["step_rise"] is None


def test_sampled_answers_have_no_shapes():
    generated = {"answer": "A", "candidates": None, "candidate_logprobs": None}
    arms = [arm(probe, k, at, **generated) for probe, k, at in (("early_answering", 0, 0), ("no_cot", 0, None))]
    found = of_chain([*arms, arm("early_answering", 2, 0, **generated), deleted(1, **generated)])
    assert all(found[name] is None for name in found if name in ALL)
    assert of_steps([deleted(1, **generated)])[1]["step_lost"] is None


def test_a_chain_that_failed_has_no_row():
    assert shapes(rows([chain(**FAILED)], EARLY)).chains.is_empty()
    assert shapes(rows([chain(**FAILED)], EARLY)).steps.is_empty()


def test_whether_an_item_has_a_hint():
    hinted = ITEM | {"hint": "A", "hint_style": "suggestion"}
    assert not of_chain([])["hinted"]
    assert of_chain([], items=[hinted])["hinted"]
    assert of_chain([], [chain(**scored(0.9, 0.1), variant="hint.wrong", target="A")])["hinted"]


def test_no_feature_has_two_probes():
    assert len(set(ALL)) == len(ALL)
    assert probe_of("step_lost") == "step_deletion"


shares = st.floats(0.01, 0.99)


@given(st.lists(shares, min_size=3, max_size=7), shares)
def test_ranges_hold_for_every_curve(curve, end):
    arms = [arm("early_answering", k, 0, **scored(p, 1 - p)) for k, p in enumerate([*curve, end])]
    found = of_chain(arms, [chain(steps=len(curve), **scored(end, 1 - end))])
    p = [*curve, end] if end >= 0.5 else [1 - x for x in [*curve, end]]
    assert found["early_start"] == pytest.approx(p[0])
    assert found["early_jump"] == pytest.approx(max(b - a for a, b in itertools.pairwise(p)))
    for name in ("early_area", "early_settle", "early_entropy", "early_distance"):
        assert -1e-9 <= found[name] <= 1 + 1e-9
    rises = [row["step_rise"] for row in of_steps(arms, [chain(steps=len(curve), **scored(end, 1 - end))]).values()]
    assert sum(rises) == pytest.approx(p[-1] - p[0])
