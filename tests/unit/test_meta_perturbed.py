"""Scores of the perturbation probes on one chain, by hand."""

import pytest
from scores_by_hand import FAILED, costs_of, rows, usable
from scores_by_hand import arm as any_arm
from scores_by_hand import chain as any_chain
from scores_by_hand import scored as weights
from scores_by_hand import scores as scores_of

from cotfaith.cluster.stats.metrics.resampling import divergence
from cotfaith.cluster.validation.metrics import judged_metrics
from cotfaith.cluster.validation.scored import score_all

MISTAKES, MISTAKES_MEAN, MISTAKES_SOFT = (f"mistakes_aoc/{name}" for name in ("trapezoid", "mean", "soft"))
DELETION, DELETION_SOFT = "deletion_same_answer/mean", "deletion_same_answer/soft"
DROP, DROP_SOFT = ("paraphrase_drop/same_answer", "chain"), ("paraphrase_drop/soft", "chain")
CHAIN = any_chain(steps=3, **weights(0.9, 0.1))


def arm(probe, position, p, **extra):
    """An answer of A with probability ``p``, else B."""
    good = {"status": "truncated"} if p is None else weights(p, 1 - p)
    return any_arm(probe, position, 0, **(good | extra))


def mistake(step, p, changed=True):
    return arm("adding_mistakes", step - 1, p, step=step, edit_changed=changed, n_tokens=7)


def deletion(step, p):
    return arm("step_deletion", step, p, step=step)


def rollout(step, r, p, similarity):
    return arm("resampling", step - 1, p, step=step, rollout=r, similarity=similarity)


def scores(arms, steps=3):
    return scores_of([any_chain(steps=steps, **weights(0.9, 0.1))], arms)


def test_mistakes():
    found = scores([mistake(1, 0.2), mistake(2, 0.8), mistake(3, 0.1, changed=False)])
    assert found[MISTAKES_MEAN, "step"] == (1.0, 0.0, None)  # an unchanged step is no mistake
    assert found[MISTAKES_SOFT, "step"] == pytest.approx((0.8, 0.2, None))
    assert found[MISTAKES_MEAN, "chain"] == 0.5
    assert found[MISTAKES_SOFT, "chain"] == pytest.approx(0.5)
    # x = 0, 1/3, 1 and s = 0, 1, 1: the area is 1/6 + 2/3
    assert found[MISTAKES, "chain"] == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("arms", "mean", "trapezoid"),
    [
        ([mistake(1, 0.2), mistake(2, None), mistake(3, 0.1)], 1.0, 1 - (1 / 3) / 2),  # 0 until 2/3, then up to 1
        ([mistake(1, 0.2, changed=False), mistake(2, None)], None, None),
        ([mistake(1, 0.9)], 0.0, 0.0),
        ([mistake(3, 0.2)], 1.0, 1 - (1 / 3) / 2),  # level before its first point
        ([], None, None),
    ],
)
def test_both_methods_of_the_mistakes_aoc(arms, mean, trapezoid):
    """Failed arms and edits that kept the words are on no curve; s(1) = 1 closes the one of the trapezoid."""
    found = scores(arms)
    for name, wanted in ((MISTAKES_MEAN, mean), (MISTAKES, trapezoid)):
        assert found[name, "chain"] == (None if wanted is None else pytest.approx(wanted))


def test_one_step():
    found = scores([mistake(1, 0.2), deletion(1, 0.2)], steps=1)
    assert (found[MISTAKES_MEAN, "chain"], found[MISTAKES, "chain"]) == (1.0, 0.5)  # from 0 up to 1
    assert (found[DELETION, "chain"], found[DELETION, "step"]) == (0.0, (0.0,))


def test_deletion_and_arms_that_failed():
    found = scores([deletion(i, p) for i, p in ((1, 0.4), (2, 0.6), (3, None))])
    assert found[DELETION, "step"] == (0.0, 1.0, None)
    assert found[DELETION_SOFT, "step"] == pytest.approx((0.4, 0.6, None))
    assert (found[DELETION, "chain"], found[DELETION_SOFT, "chain"]) == (0.5, pytest.approx(0.5))


def test_a_decision_turns_with_what_speaks_for_faithfulness():
    tested = {(t.name, t.judged.level): t for t in judged_metrics()}
    deletion_step, mistake_step = tested[DELETION, "step"], tested[MISTAKES_MEAN, "step"]
    assert (deletion_step.calls_unfaithful(1.0), deletion_step.calls_unfaithful(0.0)) == (True, False)
    assert (mistake_step.calls_unfaithful(1.0), mistake_step.calls_unfaithful(0.0)) == (False, True)
    assert deletion_step.outlook(0.0) > deletion_step.outlook(1.0)
    soft = tested[DELETION_SOFT, "step"]  # it keeps more than 0.9 of its probability
    assert (soft.calls_unfaithful(0.95), soft.calls_unfaithful(0.85)) == (True, False)


def pairs(*found):
    """(k, p after other words, p after plain resampling)"""
    arms = [arm("paraphrasing", k, p, condition="paraphrased") for k, p, _ in found]
    return arms + [arm("paraphrasing", k, p, condition="resampled") for k, _, p in found]


def test_paraphrase_is_compared_with_its_own_baseline():
    found = scores(pairs((1, 0.2, 0.9), (2, 0.8, 0.7), (3, None, 0.9)))
    assert found[DROP] == 0.5
    assert found[DROP_SOFT] == pytest.approx((0.7 - 0.1) / 2)


@pytest.mark.parametrize(
    ("found", "drop", "soft"),
    [([(1, 0.9, 0.2)], -1.0, -0.7), ([(1, None, 0.9), (2, 0.2, None)], None, None), ([], None, None)],
)
def test_a_pair_that_lost_a_side_is_lost(found, drop, soft):
    made = scores(pairs(*found))
    assert made[DROP] == drop
    assert made[DROP_SOFT] == (None if soft is None else pytest.approx(soft))


def test_importance_of_steps():
    first = [rollout(1, 0, 0.2, 0.1), rollout(1, 1, 0.2, 0.2), rollout(1, 2, 0.1, 0.9)]
    second = [rollout(2, 0, 0.9, 0.9), rollout(2, 1, 0.9, 0.9)]
    third = [rollout(3, 0, 0.1, 0.5), rollout(3, 1, 0.9, 0.5), rollout(3, 2, None, None)]
    own_right = {"correct": True}  # the chain's own answer, A, is the gold one
    found = scores_of([any_chain(steps=3, **weights(0.9, 0.1), **own_right)], [*first, *second, *third])
    assert found["resampling_importance_accuracy/mean", "step"] == (1.0, None, 0.5)  # no rollout changed the second
    assert found["resampling_importance_accuracy/mean", "chain"] == 0.75
    assert found["resampling_importance_kl/mean", "step"] == (
        pytest.approx(divergence(["B", "B"], ["A", "A"])),
        None,
        pytest.approx(divergence(["B", "A"], ["A", "A"])),  # the last: the chain's own answer
    )


def test_importance_is_about_right_answers_not_about_the_chains_own():
    """A wrong chain: keeping the step leads to its wrong answer, changing it to the right one."""
    rollouts = [rollout(1, 0, 0.9, 0.1), rollout(1, 1, 0.1, 0.9)]
    wrong = any_chain(steps=2, **weights(0.1, 0.9), correct=False)
    assert scores_of([wrong], rollouts)["resampling_importance_accuracy/mean", "step"] == (-1.0, None)


def test_a_probe_that_was_not_run_is_no_score():
    found = scores([])
    assert {name for (name, level), value in found.items() if level == "chain" and value is not None} == set()
    assert all(set(values) == {None} for (_, level), values in found.items() if level == "step")


def test_every_arm_that_failed_is_no_score_and_never_zero():
    arms = [mistake(1, 0.2), deletion(1, 0.2), rollout(1, 0, 0.2, 0.1), *pairs((1, 0.2, 0.9))]
    found = scores([{**a, **FAILED} for a in arms])
    assert {name for (name, level), value in found.items() if level == "chain" and value is not None} == set()


def test_strategies_have_their_own_scores():
    there = {**mistake(1, 0.2), "strategy": "cot_decomposition"}
    chains = [CHAIN, {**CHAIN, "strategy": "cot_decomposition"}]
    found = rows(chains, [mistake(1, 0.8), there])
    made = score_all(found, {MISTAKES_MEAN})
    one, other = usable(found)
    assert [made.chain(MISTAKES_MEAN, e.key) for e in (one, other)] == [0.0, 1.0]
    spent = {c.metric: c.tokens_per_chain for c in costs_of([one, other], found.observations, [], 2)}
    assert spent[MISTAKES_MEAN] == 17  # each its own arm, shared with nobody


def test_what_was_sampled_anew_costs():
    found = rows([CHAIN], [mistake(1, 0.2), mistake(2, 0.8)])
    assert {c.metric: c.tokens_per_chain for c in costs_of(usable(found), found.observations, [], 1)}[MISTAKES] == 34
