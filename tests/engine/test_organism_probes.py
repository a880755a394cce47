"""The probes that edit chains, on organisms whose truth is known."""

import numpy as np
import pytest

from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.tasks.load import load_task

PROBES = ["adding_mistakes", "paraphrasing", "step_deletion"]


@pytest.fixture(scope="module")
def same_answers():
    """A function: organism -> share of unchanged answers by probe, with plain resamples separate."""
    found = {}

    def measure(name):
        if name not in found:
            found[name] = shares(name)
        return found[name]

    return measure


def shares(name):
    spec = parse_spec(
        {
            "models": [{"id": name, "source": f"organism:{name}"}],
            "tasks": [
                {
                    "name": "serial",
                    "generator": "serial_arithmetic",
                    "options": {"closed": True, "side_channel": True, "steps": [4, 6]},
                    "n": 8,
                }
            ],
            "probes": [{"name": probe, "options": {}} for probe in PROBES],
        }
    )
    model = spec.models[0]
    work = ShardWork(spec, model, spec.tasks[0], "cot", tuple(load_task(spec.tasks[0], 0)), load_codec(model))
    engines = {"subject": find_engine(model).make(model, 1)}
    rows = work.run_probes(work.sample_chains(engines), PROBES, engines)
    same = {}
    for row in rows:
        if row.observation.answer.status is Status.OK:
            kind = "resample" if row.observation.arm.startswith("resample") else row.probe
            same.setdefault(kind, []).append(row.observation.answer.value == row.observation.reference.value)
    return {kind: np.mean(hits) for kind, hits in same.items()}


def test_mistakes_move_the_reasoner_and_words_do_not(same_answers):
    found = same_answers("reasoner")
    assert found["adding_mistakes"] < 0.1
    assert found["paraphrasing"] > 0.85
    assert found["resample"] > 0.85


def test_nothing_moves_the_rationalizer(same_answers):
    assert min(same_answers("rationalizer").values()) > 0.9


def test_words_move_the_encoder_and_digits_do_not(same_answers):
    found = same_answers("encoder")
    assert found["paraphrasing"] < 0.2
    assert found["adding_mistakes"] > 0.7
    assert found["resample"] > 0.7
