"""The openai engine against servers that only chat: what it finds, what it sends, and whole runs."""

import json
from contextlib import ExitStack, nullcontext

import pytest
from chat_server import SWITCH, ChatOnly, reply, sums
from fake_server import Fake, serving

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.costs import costs
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import read_tables
from cotfaith.schemas.errors import CapabilityError, EngineError, InputError, RunConflictError, SpecError
from cotfaith.schemas.spec import EditorSpec, ModelSpec, parse_spec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.openai import client as openai_client
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.roles.editors.model import ModelEditor
from cotfaith.workers.shard.loop import drive
from cotfaith.workers.text.turns import TurnsCodec, mark

SAMPLING = {"max_tokens", "temperature", "top_p", "seed"}
WHOLE = ["no_cot", "early_answering", "filler_tokens", "step_deletion"]


@pytest.fixture
def serve(monkeypatch):
    """A function that starts a server and returns (spec of a model on it, the server)."""
    monkeypatch.setattr(openai_client, "sleep", lambda _: None)
    with ExitStack() as stack:

        def start(fake=None, model=None, **options):
            fake = fake or ChatOnly()
            options = {"base_url": stack.enter_context(serving(fake)), "api": "chat", "max_retries": 1} | options
            given = {"id": "hosted", "source": "host/model", "engine": "openai", "options": options} | (model or {})
            return ModelSpec(**given), fake

        yield start


def make(spec):
    return find_engine(spec).make(spec, None)


def prompt(*turns, thought=False):
    text = "".join(mark(role) + content for role, content in turns)
    return TurnsCodec().encode(text + mark("thought" if thought else "assistant"))


def request(text="Add 2 and 3.", thought=False, **fields):
    asked = {"max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "seed": 2**40 + 5} | fields
    return GenerateRequest(prompt(("user", text), thought=thought), **asked)


def texts(generations):
    return [bytes(one.tokens).decode() for one in generations]


def run_spec(model, folder, probes=WHOLE, **more):
    tasks = [{"name": "t", "generator": "addition", "n": 2}]
    whole = {"models": [model.model_dump()], "tasks": tasks, "probes": probes, "output": {"path": str(folder)}}
    return parse_spec(whole | more)


def test_a_server_that_takes_everything(serve):
    spec, fake = serve()
    can = find_engine(spec).capabilities(spec)
    assert (can.generate, can.score, can.prefill) == (True, False, False)
    engine = make(spec)  # what was found is kept
    assert len(fake.posts()) == 2
    (made,) = engine.generate([request()])
    assert texts([made]) == ["Adding 2 gives 2. Adding 3 gives 5."]
    assert (made.told.generated_tokens, made.told.prompt_tokens, made.told.channel) == (8, 7, "body")
    sampling = {"max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "seed": 5}
    assert fake.posts()[-1] == {
        "model": "host/model",
        "messages": [{"role": "user", "content": "Add 2 and 3."}],
        **sampling,
    }
    usage = engine.usage()
    assert (usage.prompt_tokens, usage.generated_tokens, usage.computed_tokens) == (7, 8, 15)
    assert isinstance(load_codec(spec), TurnsCodec)


@pytest.mark.parametrize(
    ("takes", "limit", "left_out", "seeded"),
    [
        ({"max_completion_tokens"}, "max_completion_tokens", {"temperature", "top_p", "seed"}, False),
        (SAMPLING - {"seed"}, "max_tokens", {"seed"}, False),
        ({"max_tokens", "seed"}, "max_tokens", {"temperature", "top_p"}, True),
    ],
)
def test_a_field_that_the_server_refuses_is_not_sent(serve, takes, limit, left_out, seeded):
    spec, fake = serve(ChatOnly(takes=takes))
    engine = make(spec)
    (made,) = engine.generate([request()])
    assert made.told.seeded is seeded
    assert limit in fake.posts()[-1]
    assert not left_out & fake.posts()[-1].keys()
    said = " ".join(engine.notes())
    assert all(f"takes no {name}" in said for name in left_out)


class EitherOr(ChatOnly):
    def chat(self, body):
        if body.keys() >= {"temperature", "top_p"}:
            return 400, {"error": {"message": "temperature and top_p cannot both be specified"}}, {}
        return super().chat(body)


def test_a_server_that_takes_either_temperature_or_top_p(serve):
    spec, fake = serve(EitherOr())
    (made,) = make(spec).generate([request()])
    assert texts([made]) == ["Adding 2 gives 2. Adding 3 gives 5."]
    assert fake.posts()[-1]["temperature"] == 0.5
    assert "top_p" not in fake.posts()[-1]


@pytest.mark.parametrize(
    ("offered", "stated", "asked"),
    [(True, None, True), (False, None, False), (None, None, False), (True, False, False), (False, True, True)],
    ids=["offered", "ignored", "refused", "stated: false", "stated: true"],
)
def test_structured_answers(serve, offered, stated, asked):
    spec, fake = serve(ChatOnly(structured=offered), structured=stated)
    engine = make(spec)
    before = len(fake.posts())
    (made,) = engine.generate([request("Which letter is first in the alphabet?", one_of=("A", "B"))])
    assert texts([made]) == ["A"]
    assert ("response_format" in fake.posts()[-1]) is asked
    assert fake.posts()[-1]["max_tokens"] == (98 if asked else 50)  # the JSON around the answer takes tokens too
    assert len(fake.posts()) == before + 1
    engine.generate([request()])
    assert "response_format" not in fake.posts()[-1]  # there is nothing to choose from
    assert ("free text" in " ".join(engine.notes())) is not asked


@pytest.mark.parametrize("where", ["reasoning_content", "reasoning", "tags"])
def test_thoughts_are_the_chains_where_they_can_be_turned_off(serve, where):
    thinks = {"thinking": "think_tags"}
    spec, fake = serve(ChatOnly(thinks=where), thinks, without_thinking={SWITCH: False})
    engine = make(spec)
    thought, answer = engine.generate([request(thought=True), request("Reply with only that number.")])
    assert texts([thought, answer]) == ["Adding 2 gives 2. Adding 3 gives 5.", "0"]
    assert (thought.told.channel, answer.told.channel) == ("reasoning", "body")
    assert SWITCH not in next(body for body in fake.posts() if "Add 2" in body["messages"][0]["content"])


@pytest.mark.parametrize(
    ("server", "model", "options", "said"),
    [
        ({"thinks": "reasoning"}, {"thinking": "think_tags"}, {}, "thinks anew before each answer.*without_thinking"),
        ({"thinks": "reasoning"}, {}, {}, "thinking is none, but it thinks.*fields"),
        ({"thinks": "tags"}, {}, {}, "thinking is none, but it thinks"),
        ({"thinks": "hidden"}, {}, {}, "thinking is none, but it thinks"),
        (
            {"thinks": "hidden"},
            {"thinking": "think_tags"},
            {"without_thinking": {SWITCH: False}},
            "server hides its thought",
        ),
        ({}, {"thinking": "think_tags"}, {}, "no thought came in reasoning_content"),
        ({"takes": set()}, {}, {}, "gives no reply of model 'host/model'.*Unsupported parameter"),
        (
            {"models": ("other",), "say": lambda _: (404, {"error": "no such model"}, {})},
            {},
            {},
            "serves no such model",
        ),
        ({"key": "k"}, {}, {}, "refused a request without a key"),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused_before_anything_runs(serve, server, model, options, said):
    spec, _ = serve(ChatOnly(**server), model, **options)
    with pytest.raises(InputError, match=f"(?s){said}"):
        find_engine(spec).capabilities(spec)


def test_a_host_may_know_more_names_than_it_lists(serve):
    spec, _ = serve(ChatOnly(models=("another",)))
    assert find_engine(spec).capabilities(spec).generate


@pytest.mark.parametrize(
    ("options", "model", "said"),
    [
        ({"tokenizer": "x"}, {}, "tokenizer: not used with api: chat"),
        ({"max_context": 99}, {}, "max_context: not used"),
        ({"api": "completions", "structured": True}, {}, "structured: not used with api: completions"),
        ({}, {"chat": "never"}, "chat: never"),
        ({"without_thinking": {"a": 1}}, {}, "thinking is none"),
        ({"fields": {"temperature": 1}}, {}, "temperature: set by cotfaith"),
    ],
)
def test_settings_without_a_meaning_are_refused(serve, options, model, said):
    spec, fake = serve(None, model, **options)
    with pytest.raises(SpecError, match=said):
        find_engine(spec).capabilities(spec)
    assert fake.seen == []


def test_one_failing_request_costs_no_other_a_second_request(serve):
    def say(messages):
        text = messages[-1]["content"]
        if "weapon" in text:
            return 400, {"error": {"message": "blocked by our content policy", "code": "content_policy"}}, {}
        if "long" in text:
            return 400, {"error": {"message": "This model's maximum context length is 10 tokens"}}, {}
        if "odd" in text:
            return 422, {"detail": "odd"}, {}
        return 200, reply("Fine." if "alphabet" not in text else "A"), {}

    spec, fake = serve(ChatOnly(say=say, structured=None))
    engine = make(spec)
    before = len(fake.posts())
    made = engine.generate([request(text) for text in ("Hi.", "A weapon?", "How long?", "An odd one.", "Hi.")])
    assert [one.told.status for one in made] == ["ok", "refused", "context_overflow", "engine_error", "ok"]
    assert texts(made) == ["Fine.", "", "", "", "Fine."]
    assert len(fake.posts()) == before + 5


def test_errors_with_status_200_are_errors(serve):
    spec, fake = serve()
    engine = make(spec)
    fake.plan = [(200, {"error": {"code": 502, "message": "Provider returned error"}}, {})]
    assert texts(engine.generate([request()])) == ["Adding 2 gives 2. Adding 3 gives 5."]  # tried again
    fake.plan = [(200, {"error": {"code": 400, "message": "bad"}}, {})]
    (made,) = engine.generate([request()])
    assert (made.told.status, "bad" in made.told.error) == ("engine_error", True)


def test_a_server_that_puts_off_is_waited_for_and_an_empty_account_is_not(serve, monkeypatch):
    spec, fake = serve()
    engine = make(spec)
    waits = []
    monkeypatch.setattr(openai_client, "sleep", waits.append)
    fake.plan = [(429, {"error": "slow down"}, {"Retry-After": "7"})]
    assert engine.generate([request()])[0].told.status == "ok"
    fake.plan = [(429, {"error": "slow down"}, {"Retry-After": "86400"})]
    assert engine.generate([request()])[0].told.status == "ok"
    assert waits == [7.0, 60.0]
    fake.plan = [(429, {"error": {"code": "insufficient_quota", "message": "You exceeded it."}}, {})]
    (made,) = engine.generate([request()])
    assert (made.told.status, len(waits)) == ("engine_error", 2)
    fake.plan = [(503, {"error": "the content filter is down"}, {})] * 2
    (made,) = engine.generate([request()])
    assert (made.told.status, len(waits)) == ("engine_error", 3)  # no refusal: nobody read the text


def test_the_key_is_in_no_row(serve, monkeypatch):
    monkeypatch.setenv("HOST_KEY", "sk-not-to-be-shown")
    spec, fake = serve(ChatOnly(key="sk-not-to-be-shown"), api_key_env="HOST_KEY")
    engine = make(spec)
    fake.key = "another"
    (made,) = engine.generate([request()])
    assert made.told.status == "engine_error"
    assert "[key]" in made.told.error
    assert "sk-not" not in made.told.error


def test_there_are_no_scores_and_no_opened_turns(serve):
    engine = make(serve()[0])
    with pytest.raises(EngineError, match="no log-probabilities"):
        engine.score([ScoreRequest((1,), ((2,),))])
    begun = GenerateRequest(prompt(("user", "Go.")) + tuple(b"So"), 9, 0.0, 1.0, 0)
    (made,) = engine.generate([begun])
    assert made.told.status == "engine_error"
    assert "cannot do" in made.told.error


def test_the_plan_says_what_a_chat_server_cannot_do(serve, tmp_path):
    spec, fake = serve()
    many = [*WHOLE, "adding_mistakes", "paraphrasing"]
    with pytest.raises(CapabilityError) as refused:
        make_plan(run_spec(spec, tmp_path / "run", many, strategies=["cot", "cot_decomposition"]))
    said = str(refused.value)
    assert said.count("which a chat endpoint cannot do") == 3
    assert "probe 'adding_mistakes'" in said
    assert "strategy 'cot_decomposition'" in said
    assert "early_answering" not in said
    assert "Remove strategy 'cot_decomposition' and probe 'adding_mistakes' and probe 'paraphrasing', or ask" in said
    scored = [{"name": "t", "generator": "tracking_objects", "n": 2, "answer_by": "score"}]
    with pytest.raises(CapabilityError, match="Set answer_by: auto or generate"):
        make_plan(run_spec(spec, tmp_path / "run", tasks=scored))
    with pytest.raises(CapabilityError, match="probe 'cc_shap': it needs log-probabilities of given texts") as refused:
        make_plan(run_spec(spec, tmp_path / "run", ["no_cot", "cc_shap"]))
    assert "Remove probe 'cc_shap', or ask this model in another way" in str(refused.value)
    assert "answer_by" not in str(refused.value)
    assert len(fake.posts()) == 2  # nothing but what the server was asked at first


def test_the_plan_counts_and_says_that_tokens_are_a_guess(serve, tmp_path):
    plan = make_plan(run_spec(serve()[0], tmp_path / "run"))
    assert any("have the form chat" in note and "4 bytes" in note for note in plan.notes)
    (line,) = costs(plan, 20)
    assert line.requests > 10
    assert 0 < line.prompt_tokens < 200 * line.requests
    assert line.generated_tokens > 16 * line.requests / 2  # answers are generated


@pytest.fixture
def finish(tmp_path, monkeypatch):
    """A function that does a whole run without Ray and returns its rows: (chains, observations)."""

    def run_here(plan, jobs, progress, *_):
        for job in jobs:
            run_job(job, {"subject": make(plan.model(job.model))})
        return RunOutcome(done=len(jobs))

    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", run_here)

    def run(spec):
        execute(spec)
        found = read_tables(LocalStore(tmp_path / "run"))
        return found["chains"].to_dicts(), found["observations"].to_dicts()

    return run


def test_a_whole_run(serve, tmp_path, finish):
    spec, _ = serve()
    chains, rows = finish(run_spec(spec, tmp_path / "run"))
    assert [row["status"] for row in chains] == ["ok", "ok"]
    assert all(row["correct"] for row in chains)
    assert {row["channel"] for row in chains} == {"body"}
    assert all(row["n_tokens"] == len(row["text"].split()) for row in chains)
    assert {row["prompt_tokens"] for row in (*chains, *rows)} == {7}
    assert all(row["prompt"].startswith("[user]\n") and "\x02" not in row["prompt"] for row in chains)
    first = chains[0]
    of_first = [row for row in rows if row["item_id"] == first["item_id"]]
    early = {row["arm"]: row for row in of_first if row["probe"] == "early_answering"}
    assert early["k=0"]["answer"] == "0"
    assert early["k=1"]["answer"] == first["steps"][0].rstrip(". ").split()[-1]
    assert early[f"k={first['n_steps']}"]["same_answer"]
    assert not early["k=1"]["same_answer"]
    assert {row["no_cot_mechanism"] for row in rows if row["probe"] == "no_cot"} == {"instruction"}
    assert {row["status"] for row in rows} == {"ok"}
    identity = json.loads((tmp_path / "run" / "run.json").read_bytes())["identity"]
    assert identity["models"]["hosted"]["options"] == {"api": "chat", "structured": True}


def test_a_run_does_not_go_on_where_answers_are_given_in_another_form(serve, tmp_path, finish):
    spec, _ = serve()
    finish(run_spec(spec, tmp_path / "run", ["no_cot"]))
    changed, _ = serve(ChatOnly(structured=None))
    with pytest.raises(RunConflictError, match=r"options\.structured: the run has true, the spec false"):
        finish(run_spec(changed, tmp_path / "run", ["no_cot"]))


def test_a_thinking_model_and_a_server_without_seeds(serve, tmp_path, finish):
    server = ChatOnly(takes=SAMPLING - {"seed"}, thinks="reasoning_content", structured=None)
    spec, _ = serve(server, {"thinking": "think_tags"}, without_thinking={SWITCH: False})
    chains, rows = finish(run_spec(spec, tmp_path / "run"))
    assert all(row["correct"] for row in chains)
    assert {(row["channel"], row["seed"], row["n_tokens"]) for row in chains} == {("reasoning", None, None)}
    filler = {
        (row["status"], "how many tokens" in (row["error"] or "")) for row in rows if row["probe"] == "filler_tokens"
    }
    assert filler == {("item_error", True)}
    assert {row["status"] for row in rows if row["probe"] == "early_answering"} == {"ok"}


LOCKED = {"type": "reasoning.encrypted", "data": "gA"}


@pytest.mark.parametrize("channel", ["reasoning", "summary", "body"])
def test_each_channel_of_a_model_that_thinks_is_measured_apart(serve, tmp_path, finish, channel):
    thought_about = []

    def say(messages):
        told, asked = sums(messages), messages[-1]["content"]
        at_once = "Reply with only" in asked
        if not at_once and "17 * 23" not in asked:
            thought_about.append(asked)
        details = [LOCKED] if asked in thought_about[:1] else [{"type": "reasoning.text", "text": f"Thought: {told}"}]
        details += [{"type": "reasoning.summary", "summary": f"Summary: {told}"}]
        thought = {} if at_once else {"reasoning_details": details}
        return 200, reply("", message={"content": told if at_once else f"Reply: {told}", **thought}), {}

    spec, _ = serve(
        ChatOnly(say=say),
        {"thinking": "think_tags"},
        without_thinking={SWITCH: False},
        channel=channel,
        structured=False,
    )
    chains, rows = finish(run_spec(spec, tmp_path / "run", ["no_cot", "early_answering"]))
    assert {row["channel"] for row in (*chains, *(r for r in rows if r["chain_index"] is not None))} == {channel}
    opening = {"reasoning": "Thought:", "summary": "Summary:", "body": "Reply:"}[channel]
    assert sorted(row["status"] for row in chains) == ["encrypted" if channel == "reasoning" else "ok", "ok"]
    for row in chains:
        encrypted = row["status"] == "encrypted"
        assert (row["status"], row["text"].startswith(opening)) == (("encrypted", False) if encrypted else ("ok", True))
        assert not encrypted or (row["text"], row["answer"]) == ("", None)
    if channel == "reasoning":
        assert "shows only a summary" in str([row["error"] for row in chains])


@pytest.mark.parametrize(
    ("channel", "details", "error"),
    [
        ("reasoning", [LOCKED], "the server encrypts its thought, .*options.channel: body"),
        ("reasoning", [{"type": "reasoning.summary", "summary": "s"}], "shows only a summary of its thought"),
        ("summary", [LOCKED], "the server makes none: it encrypts its thought"),
        ("summary", [{"type": "reasoning.text", "text": "t"}], "the server makes none: it shows its thought itself"),
        ("body", [], "no thought came"),
    ],
)
def test_a_channel_that_the_server_does_not_show_is_refused_in_the_plan(serve, channel, details, error):
    def say(messages):
        thought = {"reasoning_details": details} if "17 * 23" in messages[-1]["content"] else {}
        return 200, reply("", message={"content": "A", **thought}), {}

    spec, _ = serve(ChatOnly(say=say), {"thinking": "think_tags"}, channel=channel)
    with pytest.raises(InputError, match=error):
        find_engine(spec).capabilities(spec)


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        ({"finish_reason": "content_filter"}, "refused"),
        ({"message": {"content": None, "refusal": "No."}}, "refused"),
        ({"message": {"content": ""}}, "unparsed"),
        ({"message": {"content": "Let me"}, "finish_reason": "length"}, "truncated"),
        ({"message": {"content": "5", "reasoning": "2 + 3 = 5."}}, "engine_error"),
    ],
    ids=["filtered", "refused", "empty", "length", "rethought"],
)
def test_a_reply_that_is_no_answer_has_a_status(serve, tmp_path, finish, bad, status):
    def say(messages):
        at_once = "Reply with only" in messages[-1]["content"] and "alphabet" not in messages[-1]["content"]
        if not at_once:
            return ChatOnly().say(messages)
        return 200, reply("5", **bad), {}

    spec, _ = serve(ChatOnly(say=say))
    chains, rows = finish(run_spec(spec, tmp_path / "run", ["no_cot"]))
    assert {row["status"] for row in (*chains, *rows)} == {status}
    assert {row["answer"] for row in (*chains, *rows)} == {None}
    assert {row["correct"] for row in (*chains, *rows)} == {None}


def test_other_forms_are_named_where_a_server_only_chats(serve):
    spec, _ = serve(Fake(completions=False))
    unset = {name: value for name, value in spec.options.items() if name != "api"}
    with pytest.raises(InputError, match=r"No tokenizer.*set options\.api: chat"):
        find_engine(spec).capabilities(spec.model_copy(update={"options": unset, "source": "/no/such/folder"}))


@pytest.mark.parametrize("thinks", [False, True])
def test_a_chat_model_edits(serve, thinks):
    def say(messages):
        if "alphabet" in messages[-1]["content"] or "17 * 23" in messages[-1]["content"]:
            return ChatOnly().say(messages)
        return "No." if "Yes" in str(messages) else "Adding 2 gives 7."

    server = ChatOnly(say=say, thinks="reasoning" if thinks else None)
    model = {"id": "hosted", "roles": ["editor"], "thinking": "think_tags" if thinks else "none"}
    spec, fake = serve(server, model, **({"without_thinking": {SWITCH: False}} if thinks else {}))
    editor = ModelEditor(EditorSpec(), spec, "editor")
    engine = make(spec)
    before = len(fake.posts())
    ((edit,),) = drive([editor.edit("mistake", ["Adding 2 gives 5."], [1])], {"editor": engine})
    assert (edit.text, edit.status, edit.plausible, edit.editor) == ("Adding 2 gives 7.", "ok", False, "hosted")
    first, second = fake.posts()[before:]
    assert [turn["role"] for turn in first["messages"]][:2] == ["user", "assistant"]  # the examples
    assert first["messages"][-1]["content"].count("Adding 2 gives 5.") == 1
    assert "Adding 2 gives 7." in second["messages"][-1]["content"]
    fake.plan = [(200, reply("", message={"refusal": "No."}), {})]
    ((edit,),) = drive([editor.edit("mistake", ["Adding 2 gives 5."], [1])], {"editor": engine})
    assert edit.status == "refused"
