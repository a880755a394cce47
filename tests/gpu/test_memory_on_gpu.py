"""A GPU that is too small for a batch: the batch is halved until it fits, and the engine works as before."""

import random
from contextlib import contextmanager, suppress

import pytest
import torch

from cotfaith.schemas.errors import EngineMemoryError
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.shard.loop import dispatch
from cotfaith.workers.shard.request import Request

pytestmark = pytest.mark.gpu

ROWS, LENGTH = 32, 3000
LARGE_CACHE = {"hidden_size": 1024, "head_dim": 128, "num_attention_heads": 8, "num_key_value_heads": 8}
"""With four layers in float32, the keys and values of a row of ``LENGTH`` tokens take 94 MiB: of all rows, 2.9 GiB."""
SHARED = 1600
"""Tokens that all prompts to score begin with, so that one pass takes them all."""


def ids(count, seed):
    return tuple(random.Random(seed).choices(range(256), k=count))


@pytest.fixture(scope="module")
def folder(folder_of):
    return folder_of("llama", **LARGE_CACHE, num_hidden_layers=4, max_position_embeddings=4096)


@contextmanager
def memory(spare_gib):
    """A GPU with only ``spare_gib`` of free memory."""
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties().total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + spare_gib * 2**30) / whole)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


class Watched:
    """An engine that counts its calls that run out of memory."""

    def __init__(self, engine):
        self.engine, self.capabilities, self.failures = engine, engine.capabilities, 0

    def __getattr__(self, name):
        def call(requests):
            try:
                return getattr(self.engine, name)(requests)
            except EngineMemoryError:
                self.failures += 1
                raise

        return call


def replies(engine, payloads):
    """The shard loop's replies to the requests: the results, or the errors' texts."""
    requests = [Request(p, interpret=lambda result: result, failed=lambda _, error: error) for p in payloads]
    return dispatch(requests, {"subject": engine})


def test_rows_that_do_not_fit_are_generated_in_smaller_batches(folder, engine_of):
    engine = Watched(engine_of(folder, max_rows=ROWS))
    payloads = [GenerateRequest(ids(LENGTH, n), 2, 0.0, 1.0, 0) for n in range(ROWS)]
    with memory(1.5):
        got = replies(engine, payloads)
    assert engine.failures > 0
    assert got == [engine.engine.generate([p])[0] for p in payloads]


def test_passes_that_do_not_fit_are_scored_in_smaller_ones(folder, engine_of, largest):
    engine = Watched(engine_of(folder, token_budget=ROWS * LENGTH))
    shared = ids(SHARED, ROWS)
    payloads = [ScoreRequest(shared + ids(LENGTH - SHARED, n), ((1,), (2, 3))) for n in range(ROWS)]
    with memory(0.5):
        got = replies(engine, payloads)
    assert engine.failures > 0
    assert largest(got, engine_of(folder).score(payloads)) < 1e-3


def test_an_engine_that_ran_out_of_memory_goes_on_as_before(folder, engine_of):
    engine = Watched(engine_of(folder, max_rows=ROWS))
    payloads = [GenerateRequest(ids(LENGTH, n), 2, 0.0, 1.0, 0) for n in range(ROWS)]
    expected = engine.generate(payloads[:2])
    with memory(1.5):
        with suppress(EngineMemoryError):
            engine.generate(payloads)
        assert engine.failures == 1
        assert engine.generate(payloads[:2]) == expected
    assert engine.engine.notes() == []
