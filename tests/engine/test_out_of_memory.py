"""Engines that run out of memory, with real models whose forward pass has no room for large batches."""

from unittest import mock

import pytest
import torch

from cotfaith.schemas.errors import EngineMemoryError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.merging import Merger
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.transformers.engine import TransformersEngine


def engine_of(folder, **options):
    return TransformersEngine(ModelSpec(id="tiny", source=str(folder), options=options), threads=1)


def limited(engine, most):
    """A patch: the model's passes have room for ``most`` positions."""
    plain = engine.model.forward

    def forward(*args, input_ids=None, **rest):
        if input_ids.numel() > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the docs.")
        return plain(*args, input_ids=input_ids, **rest)

    return mock.patch.object(engine.model, "forward", forward)


def scores(count):
    return [ScoreRequest((n, n + 1, n + 2, 7), ((1,), (2,))) for n in range(count)]


def generations(count):
    return [GenerateRequest((n, n + 1, n + 2, 7), 3, 0.0, 1.0, n) for n in range(count)]


@pytest.mark.parametrize(("method", "make"), [("score", scores), ("generate", generations)])
def test_a_batch_without_room_is_halved_and_its_results_stay(tiny_model, method, make):
    engine = engine_of(tiny_model())
    expected = getattr(engine, method)(make(12))
    engine.forget()
    merger = Merger(lambda: engine)
    with limited(engine, 14):
        got = merger.submit(method, make(12)).result(60)
    flat = [value for row in got for value in (row if method == "score" else row.tokens)]
    assert flat == pytest.approx([v for row in expected for v in (row if method == "score" else row.tokens)], abs=1e-4)
    assert merger.notes() == [f"{method}: halved to 3 requests a call after running out of memory."]


def test_a_request_without_room_says_so_in_one_line(tiny_model):
    engine = engine_of(tiny_model())
    with limited(engine, 2), pytest.raises(EngineMemoryError) as caught:
        engine.score(scores(1))
    assert str(caught.value) == "Out of memory: CUDA out of memory. Tried to allocate 2.00 GiB."


def test_a_model_that_has_no_room_for_its_self_test_does_not_load(tiny_model):
    """It would be wrong to conclude that the model takes no tree."""
    error = torch.OutOfMemoryError("CUDA out of memory.")
    with mock.patch.object(TransformersEngine, "_by_trees", side_effect=error), pytest.raises(EngineMemoryError):
        engine_of(tiny_model())
