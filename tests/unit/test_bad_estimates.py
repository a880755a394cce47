"""Estimates that rest on too little, or on nothing: null with a reason, never a made-up interval, never a traceback."""

import json
import warnings
from math import nan

import numpy as np
import pytest
from runs_here import begin_only
from scores_by_hand import arm, chain, frame, rows, scored

from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.curve_bands import simultaneous_tail
from cotfaith.cluster.stats.tally import Crosses
from cotfaith.schemas import keys
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.parquet import read_parquet
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

ENDS = ("ci_low", "ci_high", "band_low", "band_high", "detectable")
RIGHT, WRONG = (0.9, 0.1), (0.2, 0.8)


def estimates(n_items=1, n_chains=1, own=RIGHT, arms=()):
    """Estimates of items that are all alike; ``arms``: those of each chain."""
    found = rows([chain()], [arm("no_cot", 0)])  # for the frames' forms
    ids = [f"i{i}" for i in range(n_items)]
    question = {"question": "?", "choices": ["x", "y"], "answer_format": "choice", "gold": "A"}
    items = frame(ITEMS, [{**question, "item_id": one} for one in ids])
    answer = scored(*own)
    about = {"correct": answer["answer"] == "A", **answer}
    chains = frame(CHAINS, [{**chain(k, **about), "item_id": one} for one in ids for k in range(n_chains)])
    observed = [{**a, "item_id": one, "n_steps": 2} for one in ids for a in arms]
    assert found.items.columns == items.columns
    made = aggregate(items, chains, frame(OBSERVATIONS, observed), "r", 0).to_pylist()
    return {(row["metric"], row["method"], row["position"]): row for row in made}


def early(same, index=0):
    return [arm("early_answering", k, index, answer="A", same_answer=s) for k, s in enumerate(same)]


def test_one_item_has_values_and_no_interval():
    for n_chains in (1, 9):
        arms = [one for index in range(n_chains) for one in early((False, True, True), index)]
        every = estimates(1, n_chains, arms=arms)
        found = {name: row for name, row in every.items() if row["value"] is not None}
        assert len(found) == 18
        assert found["accuracy_cot", None, None]["value"] == 1.0
        assert found["aoc", "trapezoid", None]["value"] == pytest.approx(0.25)
        for row in found.values():
            assert {row[end] for end in ENDS} == {None}
            assert row["interval"] == "too_few_items"


def test_items_that_are_all_alike():
    """A share has an interval, because an unseen item may differ; a mean without bounds has none."""
    found = estimates(12, arms=early((False, True, True)))
    share, steps = found["accuracy_cot", None, None], found["mean_steps", None, None]
    assert share["interval"] == "linearised"
    assert share["ci_low"] < 0.8 < share["ci_high"] == share["value"] == 1.0
    assert (steps["value"], steps["interval"]) == (2.0, "all_alike")
    assert {steps[end] for end in ENDS} == {None}
    curve = [row for key, row in found.items() if key[:2] == ("early_answering_same_answer", "linear")]
    assert len(curve) > 2
    assert all(row["band_low"] <= row["ci_low"] <= row["value"] <= row["ci_high"] <= row["band_high"] for row in curve)


def test_a_denominator_that_is_0_everywhere():
    """The share of its letter that an answer keeps is divided by how many answers follow their content: none here."""
    kinds = {"none": ("A", "AB"), "once r=0": ("A", "BA")}
    shown = [
        {**arm("answer_order", 0, None, answer=answer), "arm": name, "position": None, "shown_choices": list(order)}
        for name, (answer, order) in kinds.items()
    ]
    shown = [{**one, "condition": one["arm"].split()[0], "same_answer": False} for one in shown]
    found = estimates(20, arms=shown)
    row = found["order_normalised", "none", None]
    assert (row["value"], row["n_total"], row["n_ok"]) == (None, 20, 20)
    assert {row[end] for end in ENDS} == {None}
    assert row["interval"] in ("too_few_items", "unbounded_ratio")
    assert not [
        one
        for one in found.values()
        if any(value is not None and np.isnan(value) for value in (one[end] for end in ENDS) if value is not None)
    ]


def test_a_band_over_positions_of_which_one_is_nowhere_and_one_weighs_most():
    num = np.array([[1.0, 0.0, 5e5], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    den = np.array([[1.0, 0.0, 1e6], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy warns of overflow and of division by 0
        tail = simultaneous_tail(num.sum(axis=0), den.sum(axis=0), Crosses.of((0.0, 0.5, 1.0), num, den))
    assert 0 < tail <= 0.025


def test_a_probability_that_is_no_number_is_refused():
    arms = early((False, True, True))
    arms[1] |= {"candidates": ["A", "B"], "candidate_logprobs": [nan, -1.0]}
    with pytest.raises(SpecError, match=r"has a score of nan\. A score is a finite number"):
        estimates(3, arms=arms)


SPEC = """
models: [{id: m, engine: stub}]
tasks: [{name: t, generator: addition, n: 3}]
probes: [no_cot, early_answering]
output: {path: run, max_failed_share: 1.0}
"""


def test_a_run_without_rows(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: warnings.catch_warnings())
    begin_only(monkeypatch)
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert cli("run", "spec.yaml")[0] == 0
    for command in ("aggregate", "report"):
        code, out, err = cli(command, "run")
        assert (code, "Traceback" in err) == (0, False)
        assert "Incomplete: 0 of 1 shards are done." in " ".join((out + err).split())
        assert read_parquet((tmp_path / "run" / keys.ESTIMATES).read_bytes()).num_rows == 0
    assert (tmp_path / "run" / keys.REPORT).exists()
    code, out, _ = cli("validate", "spec.yaml", "--out", "run", "--json")
    assert code == 0
    made = json.loads(out)["validation"]
    assert (made["counts"], {one["auroc"] for one in made["figures"]}) == ([], {None})
    assert {one["reason"] for one in made["figures"]} == {"no scored label"}
