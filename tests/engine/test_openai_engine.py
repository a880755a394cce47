"""The openai engine against fake servers of several kinds."""

import math
from contextlib import ExitStack
from dataclasses import replace

import pytest
from fake_server import LIKELY, RARE, Fake, serving
from tiny_models import byte_tokenizer

from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.models import context_window, fingerprint
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import (
    CapabilityError,
    ContextOverflowError,
    EngineError,
    InputError,
    ModelSourceError,
    SpecError,
)
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.openai import options as openai_options
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.resolved import resolve_model
from cotfaith.workers.resolved import resolve

KEY = "sk-not-to-be-shown"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    byte_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def serve(tokenizer):
    """A function that starts a fake server and returns (spec of a model on it, the fake)."""
    with ExitStack() as stack:

        def start(fake=None, **options):
            fake = fake or Fake()
            url = stack.enter_context(serving(fake))
            options = {"base_url": url, "model": "tiny", "tokenizer": tokenizer, "max_retries": 0} | options
            return ModelSpec(id="served", source="owner/tiny", engine="openai", options=options), fake

        yield start


def make(spec):
    return find_engine(spec).make(spec, None)


def capabilities(spec):
    return find_engine(spec).capabilities(spec)


def letters(text):
    """The byte tokenizer's ids; the ids of the fake's model are the bytes themselves and unrelated."""
    return tuple(byte_tokenizer().encode(text))


def test_a_full_server(serve):
    spec, _ = serve()
    can = capabilities(spec)
    assert (can.generate, can.score, can.prefill, can.max_context) == (True, True, True, 256)
    assert make(spec).notes() == []
    assert context_window(resolve_model(spec)) == 256


def test_a_server_without_named_tokens_scores_by_echo(serve):
    spec, _ = serve(Fake(named=False))
    assert capabilities(spec).score
    (note,) = make(spec).notes()
    assert "echoed" in note


def test_a_server_that_answers_with_the_likeliest_token_alone_does_not_score(serve):
    spec, _ = serve(Fake(named=False, echo=False))
    assert not capabilities(spec).score
    with pytest.raises(EngineError, match="no log-probabilities"):
        make(spec).score([ScoreRequest((40,), ((41,),))])


def test_a_text_only_server_generates(serve):
    spec, fake = serve(Fake(ids=False, extras=False))
    can = capabilities(spec)
    assert (can.generate, can.score, can.prefill) == (True, False, True)
    engine = make(spec)
    assert len(engine.notes()) == 3
    (generation,) = engine.generate([GenerateRequest((256, *letters("abc")), 3, 0.0, 1.0, 0)])
    assert generation.tokens == letters("def")
    assert fake.posts()[-1]["prompt"] == "abc"  # the server adds the start token itself


def test_a_chat_only_server_is_refused_with_the_reason(serve):
    spec, _ = serve(Fake(completions=False))
    with pytest.raises(CapabilityError, match="assistant's turn"):
        capabilities(spec)


def test_no_server_is_said_before_anything_runs(tokenizer):
    options = {"base_url": "http://127.0.0.1:9/v1", "tokenizer": tokenizer}
    spec = ModelSpec(id="served", source="owner/tiny", engine="openai", options=options)
    with pytest.raises(ModelSourceError, match=r"models\.served\.options\.base_url.*127\.0\.0\.1:9.*Start the server"):
        capabilities(spec)


def test_the_plan_refuses_scores_that_a_server_does_not_offer(serve, tmp_path):
    spec, _ = serve(Fake(named=False, echo=False))
    task = {"name": "tracking", "generator": "tracking_objects", "n": 2}
    run = {"models": [spec.model_dump()], "tasks": [task], "output": {"path": str(tmp_path / "run")}}
    with pytest.raises(CapabilityError, match="answer_by: generate"):
        make_plan(parse_spec(run))
    plan = make_plan(parse_spec(run | {"tasks": [task | {"answer_by": "generate"}]}))
    assert plan.weights == {"served": "served:tiny"}


def test_a_run_may_move_to_another_address_but_not_to_another_model(serve):
    first, _ = serve(concurrency=3)
    moved, _ = serve(timeout_s=5, price_prompt=1, price_generated=2)
    renamed = first.model_copy(update={"options": first.options | {"model": "other"}})

    tasks = [{"name": "t", "generator": "addition"}]
    resolved = resolve(parse_spec({"models": [first.model_dump()], "tasks": tasks}))

    def identity_of(spec):
        model = replace(resolved.models["served"], spec=spec)  # the server knows no model "other"
        return identity(replace(resolved, models={"served": model}), {"served": fingerprint(model)}, {"t": ""})

    assert identity_of(first) == identity_of(moved)
    assert identity_of(first) != identity_of(renamed)


@pytest.mark.parametrize("named", [True, False], ids=["named", "echo"])
def test_scores(serve, named):
    spec, fake = serve(Fake(named=named))
    engine = make(spec)
    before = len(fake.posts())
    requests = [ScoreRequest((40, 41), ((42,), (42, 43), (42, 50), (7, 8))), ScoreRequest((41,), ((42,),))] * 3
    first, second = [(LIKELY, 2 * LIKELY, LIKELY + RARE, RARE + LIKELY), (LIKELY,)]
    scores = engine.score(requests)
    assert scores[::2] == [pytest.approx(first)] * 3
    assert scores[1::2] == [pytest.approx(second)] * 3
    # named: 3 prefixes and one more; echo: 4 pairs and one more
    assert len(fake.posts()) - before == (4 if named else 5)


@pytest.mark.parametrize(
    ("options", "resolution"),
    [({}, 0.125), ({"dtype": "bfloat16"}, 0.125), ({"dtype": "float16"}, 0.125), ({"dtype": "float32"}, 1e-3)],
)
def test_a_server_of_unknown_precision_is_taken_to_round(serve, options, resolution):
    spec, _ = serve(**options)
    (row,) = make(spec).score([ScoreRequest(letters("ab"), (letters("c"), letters("d")))])
    assert row.resolution == resolution


def test_a_run_may_not_go_on_in_another_precision(serve):
    spec, _ = serve(dtype="bfloat16")
    assert "dtype" not in find_engine(spec).execution_options
    assert "float32_head" not in find_engine(spec.model_copy(update={"engine": "vllm"})).execution_options


def test_many_wanted_tokens_are_several_requests(serve):
    spec, fake = serve()
    engine = make(spec)
    before = len(fake.posts())
    (scores,) = engine.score([ScoreRequest((40,), tuple((t,) for t in range(256)))])
    assert sum(map(math.exp, scores)) == pytest.approx(1)
    assert len(fake.posts()) - before == 2


def test_what_is_sent(serve):
    spec, fake = serve()
    make(spec).generate([GenerateRequest((40, 41), 3, 0.7, 0.9, 2**62 + 5, ("\n",))])
    sent = fake.posts()[-1]
    expected = {"prompt": [40, 41], "max_tokens": 3, "temperature": 0.7, "top_p": 0.9, "seed": 5, "stop": ["\n"]}
    assert {name: sent[name] for name in expected} == expected
    assert "min_tokens" not in sent  # servers without this field would refuse it
    # whatever the model's own defaults
    assert (sent["top_k"], sent["min_p"], sent["repetition_penalty"]) == (-1, 0.0, 1.0)


def test_stop_strings_and_ends_are_cut(serve):
    spec, fake = serve()
    engine = make(spec)
    hello = [*letters("one."), *letters("\nHuman:")]

    def generation(ids, **fields):
        choice = {"text": "", "token_ids": ids, **fields}
        fake.plan = [(200, {"choices": [choice]}, {})]
        return engine.generate([GenerateRequest((40,), 20, 0.0, 1.0, 0, ("\nHuman:",))])[0]

    assert generation(hello, finish_reason="stop", stop_reason="\nHuman:").tokens == letters("one.")
    assert generation([*letters("one."), 257], finish_reason="stop").tokens == letters("one.")
    assert generation([*letters("one."), 256], finish_reason="stop", stop_reason=256).tokens == letters("one.")
    cut = generation(letters("one."), finish_reason="length")
    assert (cut.tokens, cut.finish_reason) == (letters("one."), "length")
    with pytest.raises(EngineError, match="'abort'"):
        generation([65], finish_reason="abort")
    fake.plan = [(200, {"choices": []}, {})]
    with pytest.raises(EngineError, match="choices"):
        engine.generate([GenerateRequest((40,), 20, 0.0, 1.0, 0)])


def test_a_server_that_ignores_the_least_number_of_tokens_is_noticed(serve):
    spec, fake = serve()
    engine = make(spec)
    request = GenerateRequest((40,), 20, 0.0, 1.0, 0, ("\n",), min_tokens=4)
    assert len(engine.generate([request])[0].tokens) == 20
    assert fake.posts()[-1]["min_tokens"] == 4
    for ids, usage in [([65, 66, 257], {}), ([], {"completion_tokens": 3})]:
        fake.plan = [(200, {"choices": [{"text": "", "token_ids": ids, "finish_reason": "stop"}], "usage": usage}, {})]
        with pytest.raises(EngineError, match=r"wrote 3 tokens, expected 4.*min_tokens"):
            engine.generate([request])
    fake.plan = [(400, {"error": {"message": "unknown field min_tokens"}}, {})]
    with pytest.raises(EngineError, match="unknown field min_tokens"):
        engine.generate([request])
    # An allowed stop string removes more than the text's last tokens.
    allowed = {"token_ids": [*letters("abc"), *letters("d\n")], "finish_reason": "stop", "stop_reason": "\n"}
    fake.plan = [(200, {"choices": [{"text": "", **allowed}]}, {})]
    assert engine.generate([request])[0].tokens == letters("abcd")


def test_missing_log_probabilities_are_an_error_and_no_number(serve):
    spec, fake = serve()
    engine = make(spec)
    for logprobs in (None, {}, {"top_logprobs": [{"token_id:7": -1.0}]}):
        fake.plan = [(200, {"choices": [{"text": "", "logprobs": logprobs}]}, {})]
        with pytest.raises(EngineError, match="left out"):
            engine.score([ScoreRequest((40,), ((41,),))])


def test_concurrency_is_used_and_kept(serve):
    spec, fake = serve(concurrency=4)
    engine = make(spec)
    fake.delay_s, fake.most_under_way = 0.05, 0
    engine.generate([GenerateRequest((40 + n,), 2, 0.0, 1.0, 0) for n in range(24)])
    assert fake.most_under_way == 4


def test_after_a_failure_nothing_more_is_sent(serve):
    spec, fake = serve(concurrency=1)
    engine = make(spec)
    before = len(fake.posts())
    fake.plan = [(400, {"error": "no"}, {})]
    with pytest.raises(EngineError, match="no"):
        engine.generate([GenerateRequest((40 + n,), 2, 0.0, 1.0, 0) for n in range(50)])
    assert len(fake.posts()) - before < 5


def test_overflow_is_seen_here_or_told_by_the_server(serve):
    spec, fake = serve(max_context=100_000)
    with pytest.raises(ContextOverflowError, match="maximum context length is 256"):
        make(spec).generate([GenerateRequest((40,) * 300, 2, 0.0, 1.0, 0)])
    spec, fake = serve()
    engine = make(spec)
    before = len(fake.posts())
    with pytest.raises(ContextOverflowError, match=r"300 tokens.*\(256\)"):
        engine.generate([GenerateRequest((40,) * 300, 2, 0.0, 1.0, 0)])
    assert len(fake.posts()) == before


def test_cost(serve):
    spec, _ = serve(price_prompt=2, price_generated=10)
    engine = make(spec)
    assert engine.usage().cost is None
    engine.generate([GenerateRequest((40,) * 50, 20, 0.0, 1.0, 0)] * 5)
    assert engine.usage().cost == pytest.approx((250 * 2 + 100 * 10) / 1e6)
    spec, _ = serve()
    engine = make(spec)
    engine.generate([GenerateRequest((40,), 2, 0.0, 1.0, 0)])
    assert engine.usage().cost is None


def test_the_key_is_sent_and_never_shown(serve, monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)
    spec, _ = serve(Fake(key=KEY), api_key_env="TEST_KEY")
    assert capabilities(spec).score
    assert KEY not in spec.model_dump_json()
    spec, _ = serve(Fake(key="another"), api_key_env="TEST_KEY")
    with pytest.raises(InputError, match="refused the key in TEST_KEY") as caught:
        capabilities(spec)
    assert KEY not in str(caught.value)
    spec, _ = serve(Fake(key="another"))
    with pytest.raises(InputError, match="without a key"):
        capabilities(spec)


def test_a_variable_that_is_not_set(serve, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    spec, _ = serve(api_key_env="NO_SUCH_KEY")
    with pytest.raises(InputError, match="NO_SUCH_KEY is not set"):
        capabilities(spec)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api_key_env": KEY}, "never the key itself"),
        ({"base_url": f"http://user:{KEY}@127.0.0.1/v1"}, "user or password"),
        ({"api_key": KEY}, "Unknown key 'api_key'"),
        ({"base_url": "127.0.0.1:8000"}, "expected a URL"),
        ({"base_url": "https://..."}, "expected a URL"),
        ({"base_url": "http://host:port/v1"}, "expected a URL"),
        ({"price_prompt": 1}, "got one price"),
    ],
)
def test_wrong_options_are_named_without_their_secrets(serve, options, said):
    spec, fake = serve(**options)
    with pytest.raises(SpecError, match=said) as caught:
        capabilities(spec)
    assert KEY not in str(caught.value)
    assert not fake.seen


def test_missing_packages_are_an_input_error(serve, monkeypatch):
    spec, _ = serve()
    monkeypatch.setattr(openai_options, "find_spec", lambda name: None)
    for use in (capabilities, make):
        with pytest.raises(InputError, match=r"pip install 'cotfaith\[openai\]'"):
            use(spec)


@pytest.mark.parametrize("named", [True, False], ids=["named", "echo"])
def test_prompts_are_sent_in_prefix_order_and_results_are_those_of_any_order(serve, named):
    prompts = [(50, 51, 52), (40,), (50,), (40, 41), (50, 51), (40, 41, 42), (60, 7)]
    scored = [ScoreRequest(prompt, ((53,) * (n + 1), (9,))) for n, prompt in enumerate(prompts)]
    written = [GenerateRequest(prompt, 3, 0.0, 1.0, seed=n) for n, prompt in enumerate(prompts)]
    for requests in (scored, written):
        found = {}
        for ordered in (requests, requests[::-1], requests[3:] + requests[:3]):
            spec, fake = serve(Fake(named=named), concurrency=1)
            engine = make(spec)
            before = len(fake.posts())
            results = engine.score(ordered) if requests is scored else engine.generate(ordered)
            sent = [tuple(body["prompt"]) for body in fake.posts()[before:]]
            assert sent == sorted(sent)
            found[tuple(ordered)] = dict(zip(ordered, results, strict=True))
        first, *others = found.values()
        assert all(other == first for other in others)
        assert len({str(result) for result in first.values()}) > 3, "if all were alike, any order would do"
