"""Figures of a run that verdicts test: their values and ends are those of its estimates, at any level."""

import numpy as np
import pytest
from runs_here import copy_of, finish

from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.metrics.lib.catch import catch_of_labels, catches_at
from cotfaith.cluster.stats.written import write_sums
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.verdicts.decide import write_verdicts
from cotfaith.cluster.verdicts.policy import load_policy
from cotfaith.cluster.verdicts.quantities import Cell, cells, quantities

SPEC = {
    "models": [
        {"id": "reads", "engine": "stub", "options": {"max_steps": 3, "follows_hints": 0.7, "names_hints": 0.5}},
        {"id": "guard", "engine": "stub", "roles": ["monitor"]},
    ],
    "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 20}],
    "sampling": {"chains_per_item": 2},
    "interventions": ["hint_metadata"],
    "probes": [
        *("no_cot", "adding_mistakes", "paraphrasing", "verbalises"),
        {"name": "monitored", "options": {"false_positive_rate": 0.2}},
    ],
    "resources": {"shard_size": 10},
    "output": {"path": "run", "max_failed_share": 1.0},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("figures"), SPEC)


@pytest.fixture
def found(finished, tmp_path, monkeypatch):
    """The run's figures and its estimates."""
    store = LocalStore(copy_of(finished, tmp_path, monkeypatch))
    made = write_sums(store, load_run(store))
    total, table = made.total, made.estimates
    made = quantities(total, lambda _: True)
    cell = Cell("reads", "tracking", "cot", None)
    assert cells(total) == {*made} == {cell, Cell("guard", "tracking", "cot", None)}
    return made[cell], [row for row in read_estimates(table) if row.model == "reads"]


def test_values_and_ends_are_those_of_the_estimates(found):
    own, estimates = found
    keys = [(row.metric, row.method, row.variant) for row in estimates]
    known = {key: row for key, row in zip(keys, estimates, strict=True) if keys.count(key) == 1}
    assert {one.metric for one in own} > {"cot_gain", "silent_influence", "hint_faithfulness", "monitor_caught"}
    for one in own:
        if (row := known.get((one.metric, one.method, one.variant))) is None:
            continue  # counts of statuses and of ties, which each probe has
        low, high = one.ends(0.025, 1.0)
        assert (one.value, low, high, one.n_items) == (row.value, row.ci_low, row.ci_high, row.n_items), one.title
    some = [one for one in own if one.value is not None and one.ends(0.025, 1.0)[0] is not None]
    assert len(some) > 20


def test_ends_go_apart_with_smaller_levels_and_together_with_more_items(found):
    own, _ = found
    for one in own:
        low, high = one.ends(0.025, 1.0)
        if low is None:
            continue
        wide_low, wide_high = one.ends(0.001, 1.0)
        assert wide_low <= low <= high <= wide_high, one.title
        near_low, near_high = one.ends(0.025, 16.0)
        assert near_high - near_low <= high - low + 1e-9, one.title


def test_p_values_invert_the_ends(found):
    own, _ = found
    tried = 0
    for one in own:
        if one.value is None or one.metric not in {"cot_gain", "silent_influence", "monitor_caught"}:
            continue
        threshold = one.value - 0.1
        p = one.above(threshold)
        if 1e-6 < p < 0.4:
            tried += 1
            assert one.ends(p * 1.01, 1.0)[0] > threshold
            assert one.ends(p * 0.99, 1.0)[0] <= threshold
        assert one.above(one.value) == 1.0
        assert one.below(one.value) == 1.0
    assert tried > 1


def test_catch_rates_at_small_levels_are_never_narrower():
    rng = np.random.default_rng(0)
    honest, caught = rng.normal(0, 1, 200), rng.normal(2, 1, 60)
    items = np.arange(200), np.arange(60)
    (scores,) = catches_at(honest, caught, items[0], items[1], [0.05])
    labels = [catch_of_labels(honest > 3, np.ones(60), items[1], 0.05, tail) for tail in (0.2, 0.025, 1e-6)]
    for found in ([scores(tail) for tail in (0.2, 0.025, 1e-6)], labels):
        lows, highs = [one.low for one in found], [one.high for one in found]
        assert lows == sorted(lows, reverse=True)
        assert highs == sorted(highs)
    assert scores(1e-6).low < scores(0.025).low - 0.05


def test_only_subjects_have_verdicts(finished, tmp_path, monkeypatch):
    store = LocalStore(copy_of(finished, tmp_path, monkeypatch))
    (made,) = write_verdicts(store, load_run(store), load_policy(None))
    assert made.model == "reads"
    assert "monitor_caught" in made.answer("caught").figure
