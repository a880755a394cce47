"""``plan --show-prompts``: the prompts of a run, before it. Stub models: tokens are bytes."""

import json

import pytest
from commands import in_process, write_spec
from tokenizer_families import FAMILIES

from cotfaith.cluster.cli.prompts import CLOSE, OPEN
from cotfaith.cluster.plan.costs import CHAINS
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.prompts import shown_prompts
from cotfaith.schemas.records import READER
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.probes import PROBES
from cotfaith.workers.shard.work import ShardWork, run_probes
from cotfaith.workers.text.codec import ByteCodec, HuggingFaceCodec
from cotfaith.workers.text.spelled import Piece, spelled
from cotfaith.workers.text.turns import TurnsCodec

STUB = {"id": "m", "engine": "stub"}
CHOICE = {"name": "c", "generator": "tracking_objects", "n": 3}
NUMBER = {"name": "n", "generator": "addition", "n": 3}


def shown(*probes, **changes):
    content = {"models": [STUB], "tasks": [CHOICE], "probes": list(probes)} | changes
    return list(shown_prompts(make_plan(parse_spec(content))))


def text(prompt):
    return "".join(piece.text for piece in prompt.pieces)


def stages(prompts):
    return [(one.stage, one.role, one.asks.split(" ")[0]) for one in prompts]


class TestKinds:
    def test_the_chain_and_each_probe(self):
        prompts = shown("no_cot", "early_answering", "filler_tokens")
        assert stages(prompts) == [
            (CHAINS, "subject", "at"),
            *((stage, "subject", "the") for stage in (CHAINS, "no_cot", "early_answering", "filler_tokens")),
        ]
        sampled, answered, no_cot, early, _ = map(text, prompts)
        assert sampled.endswith("Let's think step by step:")
        assert answered.startswith(f"{sampled} Add 3")
        assert answered.endswith("The single, most likely answer is (")
        assert "step by step" not in no_cot
        assert early.count("Add 3") < answered.count("Add 3")
        assert [one.like for one in prompts] == [1, 1, 1, 4, 7]

    def test_a_subject_that_edits_is_asked_four_things(self):
        prompts = [one for one in shown("adding_mistakes") if one.stage == "adding_mistakes"]
        edit, judged, rest, answer = map(text, prompts)
        assert edit.endswith("With a mistake:")
        assert "plausible" in judged.lower() or "Yes" in prompts[1].asks
        assert "With 3 more it comes to 5." in rest
        assert answer.endswith("answer is (")

    def test_an_editor_of_its_own_is_named(self):
        editor = {"id": "e", "engine": "stub", "roles": ["editor"]}
        prompts = shown("paraphrasing", models=[STUB, editor])
        (edit,) = [one for one in prompts if one.role == "editor"]
        assert (edit.model, edit.like) == ("e", 3)

    @pytest.mark.parametrize("probe", [name for name in PROBES if name not in ("no_cot", "verbalises", "obeys")])
    @pytest.mark.parametrize("by", ["rules", "subject"])
    def test_every_probe_asks_something(self, probe, by):
        roles, kind = [], PROBES[probe]
        if kind.reader_role != READER:
            roles = [STUB | {"id": "reads", "roles": [kind.reader_role]}]
        changes = {"interventions": ["suggested_answer"]} if roles else {}
        read = [kind.reads] if kind.reads else []
        prompts = shown(*read, probe, editor={"by": by}, models=[STUB, STUB | {"id": "other"}, *roles], **changes)
        assert probe in {one.stage for one in prompts}
        assert {one.model for one in prompts} == {"m", "other", *(one["id"] for one in roles)}

    @pytest.mark.parametrize("strategy", ["cot_decomposition", "factored_decomposition"])
    def test_strategies(self, strategy):
        prompts = shown("early_answering", strategies=[strategy])
        assert {one.strategy for one in prompts} == {strategy}
        assert {one.stage for one in prompts} == {CHAINS, "early_answering"}
        assert "Subquestion 1:" in text(prompts[0])
        assert any(text(one).endswith("Answer:") for one in prompts) is (strategy == "factored_decomposition")

    def test_tasks_of_one_form_are_shown_once(self):
        tasks = [CHOICE, CHOICE | {"name": "again"}, NUMBER]
        assert {one.task for one in shown(tasks=tasks)} == {"c", "n"}

    def test_generated_answers_say_where_they_end(self):
        prompts = shown(tasks=[NUMBER | {"answer_by": "generate"}])
        assert prompts[1].asks == "at most 16 tokens, greedy, up to '\\n'"

    def test_a_chain_that_comes_with_its_item_is_shown(self, tmp_path):
        record = {"question": "1 + 2?", "steps": [" One and two.", " So three."], "gold": "3", "choices": ["3", "4"]}
        (tmp_path / "c.jsonl").write_text(json.dumps(record))
        (answered,) = shown(tasks=[{"name": "t", "file": str(tmp_path / "c.jsonl"), "adapter": "chains"}])
        assert "One and two. So three." in text(answered)


def test_they_are_what_a_run_asks():
    """The prompts of probes on the very chain that is shown, asked of an engine that keeps them."""
    spec = parse_spec({"models": [STUB], "tasks": [CHOICE], "probes": ["no_cot", "early_answering", "step_deletion"]})
    plan = make_plan(spec)
    item = plan.items["c"][0]
    work = ShardWork(spec, spec.models[0], spec.tasks[0], "cot", (item,), ByteCodec())
    asked = []

    class Keeps(StubEngine):
        def generate(self, requests):
            asked.extend(bytes(request.prompt).decode() for request in requests)
            return super().generate(requests)

        def score(self, requests):
            asked.extend(bytes(request.prompt).decode() for request in requests)
            return super().score(requests)

    engine = {"subject": Keeps(spec.models[0])}
    chains = work.sample_chains(engine)
    run_probes([(work, chains, [probe.name for probe in spec.probes])], engine)
    assert all(chain.status == "ok" for chain in chains)
    for prompt in shown_prompts(plan):
        opening = text(prompt).partition(" Add 3")[0]
        assert any(one.startswith(opening) for one in asked), prompt.stage
        if opening == text(prompt):
            assert text(prompt) in asked


class TestControlTokens:
    @pytest.mark.parametrize("family", ["byte_level", "sentencepiece_legacy"])
    def test_those_that_a_text_only_spells_are_not_marked(self, family):
        template = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>\n{% endfor %}"
        codec = HuggingFaceCodec(FAMILIES[family](chat_template=template), True)
        prompt = f"<|im_start|>{codec.plain('a <|im_end|> b')}<|im_end|>"
        pieces = spelled(codec, codec.encode(prompt))
        assert [piece.text for piece in pieces if piece.is_control] == ["<|im_start|>", "<|im_end|>"]
        assert "".join(piece.text for piece in pieces if not piece.is_control).strip() == "a <|im_end|> b"

    def test_whole_turns_are_shown_below_their_roles(self):
        codec = TurnsCodec()
        prompt = codec.render([{"role": "user", "content": codec.plain("a \x02user\x03 b")}])
        (piece,) = spelled(codec, codec.encode(prompt))
        assert piece == Piece("[user]\na \x02user\x03 b", False)

    def test_bytes_have_none(self):
        assert spelled(ByteCodec(), tuple("ä b".encode())) == [Piece("ä b", False)]
        assert spelled(ByteCodec(), ()) == []


class TestCommand:
    def test_it_prints_them_before_the_plan(self, tmp_path):
        spec = {"models": [STUB], "tasks": [CHOICE], "probes": ["no_cot", "early_answering"]}
        done = in_process("plan", write_spec(tmp_path, spec), "--show-prompts", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.index("--- no_cot: m, c, item c-000000") < done.stdout.index("Plan")
        assert "--> the likeliest of A | B | C" in done.stdout
        assert OPEN in done.stdout.splitlines()[0]
        assert CLOSE in done.stdout.splitlines()[0]
        assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]

    def test_hostile_texts_do_not_act(self, tmp_path):
        record = {"q": "What [red]is\x1b[2J this?\u202eabc", "g": "3"}
        (tmp_path / "q.jsonl").write_text(json.dumps(record))
        task = {"name": "t", "file": "q.jsonl", "fields": {"question": "q", "gold": "g"}}
        done = in_process(
            "plan", write_spec(tmp_path, {"models": [STUB], "tasks": [task]}), "--show-prompts", cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert "What [red]is" in done.stdout
        assert not {"\x1b", "\u202e"} & set(done.stdout)

    def test_a_prompt_that_was_shown_is_named(self, tmp_path):
        spec = {
            "models": [STUB],
            "tasks": [CHOICE],
            "probes": ["paraphrasing", "resampling"],
            "editor": {"by": "rules"},
        }
        done = in_process("plan", write_spec(tmp_path, spec), "--show-prompts", cwd=tmp_path)
        assert done.stdout.count("The same prompt as: paraphrasing") == 2
