import math

import polars as pl
import pyarrow as pa
import pytest
from run_records import commit

from cotfaith.cluster.stats.metrics import early_curves
from cotfaith.cluster.validation.cost import costs
from cotfaith.cluster.validation.evidence import collect
from cotfaith.cluster.validation.metrics import METRICS
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

HEAD = {"schema_version": 1, "run_id": "r", "model": "m", "task": "t", "item_id": "i"}


def frame(schema, rows):
    fields = {**HEAD, "strategy": "cot", "status": "ok", "answer_status": "ok", "metadata": []}
    rows = [{**{k: v for k, v in fields.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def scored(*p):
    """A scored answer over A, B, C..., from weights that need not sum to 1."""
    best = max(range(len(p)), key=lambda i: p[i])
    return {"answer": "ABC"[best], "candidates": list("ABC"[: len(p)]), "candidate_logprobs": [math.log(x) for x in p]}


def chain(index=0, steps=2, **answer):
    text = [f" s{i}." for i in range(steps)]
    row = {"chain_index": index, "steps": text, "n_steps": steps, "text": "".join(text), "n_tokens": 4, "prompt": "?"}
    return {**row, "finish_reason": "stop", "seed": 0, "prompt_tokens": 9, **answer}


def arm(probe, position, index=None, tokens=10, **answer):
    row = {"probe": probe, "arm": f"{position}", "position": float(position), "chain_index": index}
    return {**row, "prompt_tokens": tokens, **answer}


def evidence(chains, arms):
    items = frame(ITEMS, [{"question": "?", "choices": ["x", "y"], "answer_format": "choice", "gold": "A"}])
    return collect(items, frame(CHAINS, chains), frame(OBSERVATIONS, arms))


def scores(chains, arms):
    (one,) = evidence(chains, arms)
    return {metric.name: metric.score(one) for metric in METRICS}


EARLY = [
    arm("early_answering", 0, 0, **scored(0.2, 0.8)),
    arm("early_answering", 2, 0, **scored(0.9, 0.1)),  # rows come in any order
    arm("early_answering", 1, 0, **scored(0.6, 0.4)),
]
ITEM = [
    arm("no_cot", 0, **scored(0.3, 0.7)),
    arm("filler_tokens", 10, **scored(0.45, 0.55)),
    arm("filler_tokens", 5, **scored(0.1, 0.9)),
]
FINAL = scored(0.09, 0.01)  # not normalised: 0.9 and 0.1 over the candidates


def test_by_hand():
    found = scores([chain(**FINAL)], EARLY + ITEM)
    assert found["early_answering_aoc"] == pytest.approx((1 - (0.5 + 1) / 2,))  # same: 0, 1, 1
    assert found["early_answering_soft"] == pytest.approx((1 - (0.2 + 0.6 + 0.9) / 3,))
    assert found["no_cot_change"] == (1.0,)
    assert found["no_cot_soft"] == pytest.approx((0.7,))
    assert found["filler_tokens"] == (1.0,)
    assert found["filler_soft"] == pytest.approx((0.55,))
    assert found["chain_gain"] == pytest.approx((1 - 0.45 / 0.9,))
    assert found["early_answering_step"] == (1.0, 0.0)
    assert found["early_importance_p"] == pytest.approx((0.4, 0.3))
    assert found["early_importance_tvd"] == pytest.approx((0.4, 0.3))
    assert found["hint_admitted"] == (None,)


def test_tvd_sees_what_the_final_answers_probability_does_not():
    arms = [
        arm("early_answering", k, 0, **scored(*p))
        for k, p in enumerate([(0.2, 0.7, 0.1), (0.2, 0.1, 0.7), (0.9, 0.05, 0.05)])
    ]
    found = scores([chain(**scored(0.9, 0.05, 0.05))], arms)
    assert found["early_importance_p"] == pytest.approx((0, 0.7))
    assert found["early_importance_tvd"] == pytest.approx((0.6, 0.7))


def test_a_chain_that_gives_nothing_gains_nothing():
    better = [arm("no_cot", 0, **scored(0.95, 0.05)), arm("filler_tokens", 5, **scored(0.5, 0.5))]
    assert scores([chain(**FINAL)], better)["chain_gain"] == (0.0,)


FAILED = {"status": "engine_error", "answer": None, "candidates": None, "candidate_logprobs": None}


@pytest.mark.parametrize(
    ("lost", "aoc", "soft", "steps", "p"),
    [  # k = 0, 1, 2: s = 0, 1, 1 and p = .2, .6, .9
        (0, 0.0, 1 - (0.6 + 0.9) / 2, (None, 0.0), (None, 0.3)),
        (1, 0.5, 1 - (0.2 + 0.9) / 2, (None, None), (None, None)),
        (2, 0.25, 1 - (0.2 + 0.6) / 2, (1.0, None), (0.4, None)),
    ],
)
def test_a_lost_arm_is_read_off_the_curve_and_no_step_of_its_own(lost, aoc, soft, steps, p):
    at = {0: 0, 1: 2, 2: 1}  # EARLY is not in order
    arms = [{**a, **FAILED} if i == at[lost] else a for i, a in enumerate(EARLY)]
    found = scores([chain(**FINAL)], arms)
    assert found["early_answering_aoc"] == pytest.approx((aoc,))
    assert found["early_answering_soft"] == pytest.approx((soft,))
    assert found["early_answering_step"] == steps
    for one, wanted in zip(found["early_importance_p"], p, strict=True):
        assert one == (None if wanted is None else pytest.approx(wanted))
    assert [x is None for x in found["early_importance_tvd"]] == [x is None for x in p]
    assert found["no_cot_change"] == found["no_cot_soft"] == found["chain_gain"] == (None,)


def test_without_any_arm_there_is_no_score_and_never_zero():
    found = scores([chain(**FINAL)], [{**a, **FAILED} for a in EARLY])
    assert found["early_answering_aoc"] == found["early_answering_soft"] == (None,)
    assert found["early_answering_step"] == found["early_importance_p"] == (None, None)


def test_a_chain_asked_at_few_places_is_level_outside_them():
    assert scores([chain(**FINAL)], [EARLY[0], EARLY[2]])["early_answering_aoc"] == pytest.approx((0.25,))
    assert scores([chain(steps=4, **FINAL)], EARLY)["early_answering_aoc"] == pytest.approx((0.125,))
    assert scores([chain(steps=4, **FINAL)], EARLY)["early_answering_step"] == (1.0, 0.0, None, None)


def test_filler_is_judged_by_the_arms_that_are_ok():
    arms = [arm("filler_tokens", m, answer=a) for m, a in ((5, "A"), (10, "B"), (20, "B"))]
    lost = {**arm("filler_tokens", 15), **FAILED}
    assert scores([chain(answer="A")], [*arms, lost])["filler_tokens"] == pytest.approx((2 / 3,))
    assert scores([chain(answer="A")], [lost])["filler_tokens"] == (None,)


@pytest.mark.parametrize("lost", [(), (0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_the_score_of_a_chain_is_its_effect(lost):
    """Both come from one definition: the AOC of early answering that `report` shows, and the one that is validated."""
    arms = [
        {**a, **FAILED} if i in lost else {**a, "n_steps": 2, "same_answer": a["answer"] == "A"}
        for i, a in enumerate(EARLY)
    ]
    rows = frame(OBSERVATIONS, [{**a, "n_steps": 2} for a in arms])
    (effect,) = early_curves(rows)["over_area"].to_list()
    assert scores([chain(**FINAL)], arms)["early_answering_aoc"] == (effect,)


def test_generated_answers_have_hard_scores_alone():
    def said(answer):
        return {"answer": answer}

    arms = [arm("early_answering", k, 0, **said(a)) for k, a in enumerate("BAA")]
    arms += [arm("filler_tokens", m, **said(a)) for m, a in ((5, "A"), (10, "B"), (15, "B"), (20, "B"))]
    found = scores([chain(**said("A"))], [*arms, arm("no_cot", 0, **said("A"))])
    assert found["filler_tokens"] == (0.75,)
    assert found["early_answering_step"] == (1.0, 0.0)
    assert found["early_answering_aoc"] == pytest.approx((0.25,))
    assert found["no_cot_change"] == (0.0,)
    assert found["early_answering_soft"] == found["no_cot_soft"] == (None,)


def test_chains_that_failed_are_no_evidence_and_items_arms_are_shared():
    lost = chain(2, **{"status": "truncated", "answer_status": "truncated", "answer": None})
    found = evidence([chain(0, **FINAL), chain(1, **FINAL), lost], EARLY + ITEM)
    assert [one.chain.index for one in found] == [0, 1]
    assert [len(one.arms["early_answering"]) if "early_answering" in one.arms else 0 for one in found] == [3, 0]
    assert all(one.shared_by == 2 and len(one.arms["no_cot"]) == 1 for one in found)


def timed_commit(probe, seconds, timed_with):
    return commit(probe=probe, seconds=seconds, timed_with=timed_with)


def test_cost_by_hand():
    found = evidence([chain(0, **FINAL), chain(1, **FINAL)], EARLY + ITEM)
    timed = [
        timed_commit(None, 9.0, []),
        timed_commit("no_cot", 1.0, ["no_cot"]),
        timed_commit("no_cot", 2.0, ["no_cot"]),
    ]
    shared = [timed_commit("filler_tokens", 4.0, ["filler_tokens", "early_answering"])]
    by_name = {cost.metric: cost for cost in costs(found, timed + shared, n_chains=4)}
    assert by_name["early_answering_aoc"].tokens_per_chain == 30  # one chain has the probe: three prompts of ten
    assert by_name["no_cot_change"].tokens_per_chain == 5  # one prompt for the item's two chains
    assert by_name["chain_gain"].tokens_per_chain == 15
    assert by_name["no_cot_change"].seconds_per_chain == 0.75
    assert by_name["filler_soft"].seconds_per_chain is None  # it ran together with another probe
    assert by_name["chain_gain"].seconds_per_chain is None
    assert by_name["early_answering_aoc"].seconds_per_chain is None
    assert by_name["hint_admitted"].tokens_per_chain == 0
