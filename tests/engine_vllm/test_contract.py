"""The contract of engines for vLLM in this process, and tests of vLLM's own features."""

import itertools

import pytest
from contract import ids
from contract_models import ModelEngine

from cotfaith.schemas.errors import EngineError, EngineLostError, ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.noise import measure_noise
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest


def engine_of(source, dtype="float32", **options):
    spec = ModelSpec(id="tiny", source=str(source), engine="vllm", dtype=dtype, options=options)
    return find_engine(spec).make(spec, 1)


@pytest.fixture(scope="module")
def engine(folder):
    return engine_of(folder, cache_gib=0.25)


class TestVllm(ModelEngine):
    pass


def test_shared_prefixes_are_computed_once(engine):
    chain = ids(200, 9)
    before = engine.usage()
    engine.score([ScoreRequest(chain[:n], ((40,), (41,))) for n in range(100, 200)])
    after = engine.usage()
    computed = after.computed_tokens - before.computed_tokens
    # Whole blocks of 32 are reused, so no prompt costs more than a block and its own last token.
    assert computed < (after.prompt_tokens - before.prompt_tokens) / 4
    assert computed < 200 + 100 * 33


def test_it_says_how_finely_prefixes_are_shared(engine):
    (note,) = engine.notes()
    assert note.startswith("vLLM 0.")
    assert "blocks of 32 tokens" in note


class TestOrder:
    @staticmethod
    def prompts():
        trunk = ids(120, 5)
        return [trunk[:n] for n in (40, 120, 70, 33, 100)] + [trunk[:50] + ids(30, 6), ids(90, 7)]

    def test_results_do_not_depend_on_the_order_of_the_requests(self, engine):
        scored = [ScoreRequest(prompt, ((40,), (41, 42))) for prompt in self.prompts()]
        written = [GenerateRequest(prompt, 6, 1.0, 1.0, seed=n) for n, prompt in enumerate(self.prompts())]
        for requests, ask, near in ((scored, engine.score, 1e-4), (written, engine.generate, 0)):
            found = {}
            for order in (requests, requests[::-1], requests[3:] + requests[:3]):
                engine.forget()
                found[order[0]] = dict(zip(order, ask(order), strict=True))
            first, *others = found.values()
            assert len({str(result) for result in first.values()}) == len(requests)
            for other in others:
                for request, result in other.items():
                    assert result == (pytest.approx(first[request], abs=near) if near else first[request])

    def test_a_prompt_runs_directly_after_those_that_it_extends(self, engine, monkeypatch):
        sent = []
        generate = engine.llm.generate

        def record(batch, *args, **kwargs):
            sent.append([tuple(one["prompt_token_ids"]) for one in batch])
            return generate(batch, *args, **kwargs)

        monkeypatch.setattr(engine.llm, "generate", record)
        engine.score([ScoreRequest(prompt, ((40,), (41, 42))) for prompt in self.prompts()])
        engine.generate([GenerateRequest(prompt, 2, 0.0, 1.0, seed=0) for prompt in self.prompts()])
        assert [batch == sorted(batch) for batch in sent] == [True, True]

    def test_what_is_forgotten_is_computed_again(self, engine):
        request = ScoreRequest(ids(200, 11), ((40,),))
        engine.score([request])

        def computed():
            before = engine.usage().computed_tokens
            engine.score([request])
            return engine.usage().computed_tokens - before

        assert computed() <= 32
        engine.forget()
        assert computed() == 200


def test_the_noise_floor_in_float32_is_below_the_assumed_resolution(engine, folder):
    spec = ModelSpec(id="tiny", source=str(folder), engine="vllm", chat="never")
    before = engine.usage().prompt_tokens
    floor = measure_noise(engine, lambda: load_codec(spec))
    assert (floor.assumed, floor.prompts, floor.error) == (0.001, 2, None)
    assert 0 <= floor.nats < 1e-4
    assert engine.usage().prompt_tokens > before


def test_an_error_in_a_step_loses_the_engine(engine, monkeypatch):
    def fail():
        raise RuntimeError("out of memory")

    inner = engine.llm.llm_engine
    monkeypatch.setattr(inner, "step", fail)
    with pytest.raises(EngineLostError, match="RuntimeError: out of memory"):
        engine.score([ScoreRequest((40,), ((41,),))])
    inner.abort_request(list(inner.output_processor.request_states), internal=True)


def test_a_token_outside_the_vocabulary_costs_its_batch_alone(engine):
    with pytest.raises(EngineError, match="vocab") as caught:
        engine.score([ScoreRequest((40,), ((41,),)), ScoreRequest((41,), ((100_000,),))])
    assert not isinstance(caught.value, EngineLostError)
    ((score,),) = engine.score([ScoreRequest((40,), ((41,),))])
    assert score < 0


def test_pickled_weights_are_refused(folder, tmp_path):
    import torch

    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelSourceError, match="safetensors"):
        engine_of(tmp_path, cache_gib=0.25)


# From here on other engines are loaded in this process: their end ends what vLLM's engines share.
def test_seeded_prompts_that_do_not_fit_in_one_pass(folder):
    small = engine_of(folder, cache_gib=0.25, max_context=64, token_budget=64, max_rows=8)
    requests = [GenerateRequest(tuple(range(10 + n, 34 + n)), 4, 1.0, 1.0, seed=n) for n in range(8)]
    assert [small.generate([request])[0] for request in requests] == small.generate(requests)


def ties(scores):
    """The number of pairs of neighbouring log-probabilities that are equal."""
    return sum(a == b for row in scores for a, b in itertools.pairwise(sorted(row)))


def test_a_head_in_float32_makes_no_ties_in_bfloat16(folder):
    requests = [ScoreRequest(ids(9, n), tuple((token,) for token in range(33, 122))) for n in range(4)]
    fine = engine_of(folder, "bfloat16", cache_gib=0.25)
    scores = fine.score(requests)
    assert ties(scores) == 0
    assert {row.resolution for row in scores} == {0.125}
    assert len(fine.notes()) == 1

    coarse = engine_of(folder, "bfloat16", cache_gib=0.25, float32_head=False)
    rounded = coarse.score(requests)
    assert ties(rounded) > 5
    assert "may tie" in coarse.notes()[-1]
    for a, b in zip(scores, rounded, strict=True):
        assert a == pytest.approx(b, abs=0.5)
