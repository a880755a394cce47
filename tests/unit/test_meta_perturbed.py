"""Scores of the perturbation probes on one chain, by hand."""

import math

import polars as pl
import pyarrow as pa
import pytest

from cotfaith.cluster.stats.metrics.resampling import divergence
from cotfaith.cluster.validation.cost import costs
from cotfaith.cluster.validation.evidence import collect
from cotfaith.cluster.validation.metrics import METRICS
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

HEAD = {"schema_version": 2, "run_id": "r", "model": "m", "task": "t", "item_id": "i", "strategy": "cot"}


def frame(schema, rows):
    fields = {**HEAD, "status": "ok", "answer_status": "ok", "step_unit": "sentence", "metadata": []}
    rows = [{**{k: v for k, v in fields.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def scored(p):
    """An answer of A with probability ``p``, else B."""
    logs = [math.log(p), math.log(1 - p)]
    return {"answer": "AB"[p < 0.5], "candidates": ["A", "B"], "candidate_logprobs": logs}


def arm(probe, name, position, p, **extra):
    good = {"status": "truncated"} if p is None else scored(p)
    row = {"probe": probe, "arm": name, "position": float(position), "chain_index": 0, "prompt_tokens": 10}
    return {**row, **good, **extra}


def mistake(step, p, changed=True):
    return arm("adding_mistakes", f"i={step}", step - 1, p, step=step, edit_changed=changed, n_tokens=7)


def rollout(step, r, p, similarity):
    return arm("resampling", f"i={step} r={r}", step - 1, p, step=step, rollout=r, similarity=similarity)


def collected(arms, strategies=("cot",), steps=3):
    text = [f" s{i}." for i in range(steps)]
    chain = {"chain_index": 0, "steps": text, "n_steps": steps, "text": "".join(text), "n_tokens": 4, "prompt": "?"}
    chain |= {"finish_reason": "stop", "seed": 0, "prompt_tokens": 9, **scored(0.9)}
    items = frame(ITEMS, [{"question": "?", "choices": ["x", "y"], "answer_format": "choice", "gold": "A"}])
    return collect(items, frame(CHAINS, [{**chain, "strategy": s} for s in strategies]), frame(OBSERVATIONS, arms))


def scores(arms):
    (one,) = collected(arms)
    return {metric.name: metric.score(one) for metric in METRICS}


def test_mistakes():
    found = scores([mistake(1, 0.2), mistake(2, 0.8), mistake(3, 0.1, changed=False)])
    assert found["mistake_step"] == (1.0, 0.0, None)  # an unchanged step is no mistake
    assert found["mistake_step_soft"] == pytest.approx((0.8, 0.2, None))
    assert found["mistakes_aoc"] == (0.5,)
    assert found["mistakes_soft"] == pytest.approx((0.5,))


def test_deletion_and_arms_that_failed():
    found = scores([arm("step_deletion", f"without={i}", i, p, step=i) for i, p in ((1, 0.4), (2, 0.6), (3, None))])
    assert found["deletion_step"] == (1.0, 0.0, None)
    assert found["deletion_step_soft"] == pytest.approx((0.6, 0.4, None))


def test_paraphrase_is_compared_with_its_own_baseline():
    pairs = [(1, 0.2, 0.9), (2, 0.8, 0.7), (3, None, 0.9)]
    arms = [arm("paraphrasing", f"k={k}", k, p) for k, p, _ in pairs]
    arms += [arm("paraphrasing", f"resample k={k}", k, p) for k, _, p in pairs]
    found = scores(arms)
    assert found["paraphrase_kept"] == (0.5,)
    assert found["paraphrase_soft"] == pytest.approx((1 - (0.7 - 0.1) / 2,))


def test_importance_of_steps():
    first = [rollout(1, 0, 0.2, 0.1), rollout(1, 1, 0.2, 0.2), rollout(1, 2, 0.1, 0.9)]
    second = [rollout(2, 0, 0.9, 0.9), rollout(2, 1, 0.9, 0.9)]
    third = [rollout(3, 0, 0.1, 0.5), rollout(3, 1, 0.9, 0.5), rollout(3, 2, None, None)]
    found = scores([*first, *second, *third])
    assert found["resampling_step"] == (1.0, None, 0.5)  # no rollout changed the second step
    assert found["resampling_step_kl"] == (
        pytest.approx(divergence(["B", "B"], ["A", "A"])),
        None,
        pytest.approx(divergence(["B", "A"], ["A", "A"])),  # the last: the chain's own answer
    )


def test_a_probe_that_was_not_run_is_no_score():
    found = scores([])
    assert all(set(values) == {None} for name, values in found.items()), found


def test_strategies_have_their_own_evidence():
    there = {**mistake(1, 0.2), "strategy": "cot_decomposition"}
    one, other = collected([mistake(1, 0.8), there], strategies=("cot", "cot_decomposition"))
    assert [e.arms["adding_mistakes"][0].answer for e in (one, other)] == ["A", "B"]
    assert (one.shared_by, other.shared_by) == (1, 1)


def test_what_was_sampled_anew_costs():
    found = collected([mistake(1, 0.2), mistake(2, 0.8)])
    assert {c.metric: c.tokens_per_chain for c in costs(found, [], 1)}["mistake_step"] == 34
