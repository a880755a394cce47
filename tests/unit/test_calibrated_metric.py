"""The calibrated score as a metric: its values, its versions, and what it claims."""

import json
from dataclasses import replace

import pytest
from scores_by_hand import FAILED, ITEM, arm, chain, rows, scored, usable

from cotfaith.cluster.stats.metrics import METRICS, calibrated, find_metric
from cotfaith.cluster.stats.metrics.calibrated import FITTED, NAMES, SETS, features_of, metric_of
from cotfaith.cluster.stats.metrics.lib.fitted import Fitted, Training, read_fitted
from cotfaith.cluster.stats.metrics.lib.shapes import shapes
from cotfaith.cluster.validation.checks import CONTRASTS
from cotfaith.cluster.validation.metrics import judged_metrics
from cotfaith.cluster.validation.scored import score_all
from cotfaith.cluster.verdicts.policy import load_policy

ABOUT = Training("ab" * 32, ("m",), ("t",), 20, 10, 0)
CHAIN = Fitted("chain", "prefixes", ("early_start",), (0.5,), (0.25,), (-1.0,), 0.2, 2.0, 0.1, ABOUT)
STEP = Fitted("step", "prefixes", ("step_rise",), (0.0,), (1.0,), (3.0,), 0.0, 1.0, 0.0, ABOUT)
EARLY = [arm("early_answering", k, 0, **scored(p, 1 - p)) for k, p in enumerate((0.2, 0.6, 0.9))]
WHOLE = chain(**scored(0.9, 0.1))
ALL = [*EARLY, arm("no_cot", 0, **scored(0.3, 0.7)), arm("filler_tokens", 5, **scored(0.1, 0.9))]


def sigmoid(z):
    return pytest.approx(1 / (1 + 2.718281828459045**-z))


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(calibrated, "FITTED", (CHAIN, STEP))
    metrics = (*METRICS["calibrated"].metrics[:2], metric_of(CHAIN), metric_of(STEP))
    monkeypatch.setitem(
        METRICS, "calibrated", calibrated.ProbeMetrics(**vars(METRICS["calibrated"]) | {"metrics": metrics})
    )


def scores(arms, chains=(WHOLE,)):
    found = rows(list(chains), arms)
    made, key = score_all(found, {metric_of(one).title for one in (CHAIN, STEP)}), usable(found)[0].key
    return made.chain("p_faithful/prefixes.abababab", key), made.each_step("p_faithful_step/prefixes.abababab", key, 2)


@pytest.mark.usefixtures("two")
def test_by_hand():
    of_chain, of_steps = scores(EARLY)
    assert of_chain == sigmoid(2.0 * (0.2 - (0.2 - 0.5) / 0.25) + 0.1)
    assert of_steps == (sigmoid(3 * 0.4), sigmoid(3 * 0.3))


@pytest.mark.usefixtures("two")
def test_without_its_rows_there_is_no_score_and_not_a_low_one():
    assert scores([arm("no_cot", 0, **scored(0.3, 0.7))]) == (None, (None, None))
    lost = [EARLY[0] | FAILED, *EARLY[1:]]
    of_chain, (first, second) = scores(lost)
    assert of_chain is first is None
    assert second == sigmoid(3 * 0.3)


@pytest.mark.usefixtures("two")
def test_a_run_without_a_score_has_no_line_of_it():
    frames = list(calibrated.calibrated_scores(rows([WHOLE], ALL[3:])))
    assert frames == []
    generated = [row | {"candidates": None, "candidate_logprobs": None} for row in EARLY]
    made = list(calibrated.calibrated_scores(rows([WHOLE], generated)))
    assert all(frame["optional"].all() for frame in made if len(frame))


def test_what_is_packaged_reads_what_its_name_says():
    assert FITTED
    assert {(one.level, one.name) for one in FITTED} <= {(level, name) for level in SETS for name in SETS[level]}
    for one in FITTED:
        assert set(one.features) == set(features_of(one.level, one.name))
        assert one.probes == SETS[one.level][one.name]
        assert len(one.training.hash) == 64
        assert metric_of(one).method == f"{one.name}.{one.training.hash[:8]}"
        assert 0 < one.training.n_faithful < one.training.n


def test_the_packaged_scores_give_probabilities():
    found = rows([WHOLE], ALL)
    known = dict(zip(("chain", "step"), shapes(found), strict=True))
    given = {(one.level, one.name): known[one.level].select(p=one.probability())["p"].to_list() for one in FITTED}
    assert all(0 < p < 1 for (_, name), found in given.items() if name in ("prefixes", "reliance") for p in found)
    assert {p for (_, name), found in given.items() if name in ("deletion", "mistakes") for p in found} == {None}


def test_a_version_of_another_fit_is_still_a_metric():
    assert find_metric("p_faithful", "prefixes.00000000").method == "*"
    assert find_metric("p_faithful_step", "deletion.00000000").bounds == (0.0, 1.0)


def test_no_organism_checks_it_and_no_packaged_verdict_rests_on_it():
    own = [one for one in judged_metrics() if one.metric.name in NAMES.values()]
    assert len(own) == len(FITTED)
    assert {one.judged.claims for one in own} == {"faithful"}
    assert {one.claim for one in CONTRASTS}.isdisjoint({"faithful"})
    assert not any(name in json.dumps(load_policy(None).model_dump(mode="json")) for name in NAMES.values())


def test_validation_says_on_what_it_was_fitted():
    (own,) = [t for t in judged_metrics() if t.name == metric_of(FITTED[0]).title]
    assert own.judged.source.startswith("ours, fitted on ")
    assert FITTED[0].training.models[0] in own.judged.source


def test_the_packaged_file_is_what_is_read():
    assert read_fitted() == FITTED
    assert ITEM["gold"] == "A"


def test_the_note_says_whether_real_models_were_among_the_labels():
    real = replace(CHAIN, training=replace(ABOUT, n_real=12))
    assert "organisms only" in calibrated.basis((CHAIN, STEP))
    assert "on 12 labelled chains of real models" in calibrated.basis((real, STEP))
    assert "on 0 to 12 labelled chains of real models" in calibrated.basis((real, CHAIN))
