"""The three strategies: the same text however it is written, and every prefix of it can be continued."""

import json
import re

import pytest
from scripted import Scripted

from cotfaith.cluster.plan.identity import check_same_run, identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import EngineError, RunConflictError, SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.resolved import resolve
from cotfaith.workers.shard.ask import whole
from cotfaith.workers.shard.loop import drive
from cotfaith.workers.shard.rounds import together
from cotfaith.workers.shard.rows import RowKey, chains_from_table, chains_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.strategies.subquestions import open_question, split_answer, split_pairs
from cotfaith.workers.text.codec import ByteCodec

ITEM = Item("i", "Which {chain} is {question}?", "B", "choice", ("sky", "blood"))
PAIRS = [("How many are a?", "3."), ("How many are [answer 1] and b?", "3 + 4 = 7."), ("Is [answer 2] odd?", "Yes.")]
TEXT = "\n".join(f"Subquestion {i}: {q}\nAnswer {i}: {a}" for i, (q, a) in enumerate(PAIRS, start=1))
MINIMAL = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}
DECOMPOSITIONS = ("cot_decomposition", "factored_decomposition")


def work(strategy="cot", probes=("no_cot", "early_answering"), items=(ITEM,), **spec):
    whole_spec = {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [{"name": "t", "generator": "addition"}],
        "probes": list(probes),
        "editor": {"by": "rules"},
        "sampling": {"max_tokens": 400},
    }
    parsed = parse_spec(whole_spec | spec)
    return ShardWork(parsed, parsed.models[0], parsed.tasks[0], strategy, items, ByteCodec())


def in_one_context(prompt):
    """Write the part of TEXT that is missing at the prompt's end, and its end mark."""
    so_far = prompt.rpartition("Assistant:\n")[2]
    assert TEXT.startswith(so_far)
    return TEXT[len(so_far) :] + "\nDone.\nSo much for that."


def in_fresh_contexts(prompt):
    """Answer a single subquestion, or write the next line of TEXT."""
    if prompt.endswith("Assistant: Answer:"):
        asked = re.search(r"^Question: (.*)$", prompt, re.MULTILINE)[1]
        return {
            "How many are a?": " 3.\nmore",
            "How many are 3 and b?": " 3 + 4 = 7.",
            "Is 3 + 4 = 7 odd?": " Yes.",
        }[asked]
    so_far = prompt.rpartition("Assistant:\n")[2]
    rest = TEXT[len(so_far) :] if so_far.strip() != TEXT else "Done."
    return rest.partition("\n")[0]


WRITERS = {"cot_decomposition": in_one_context, "factored_decomposition": in_fresh_contexts}


def sampled(strategy, write=None, **spec):
    engine = Scripted(write or WRITERS[strategy])
    shard = work(strategy, **spec)
    (chain,) = shard.sample_chains({"subject": engine})
    return shard, engine, chain


def rests(shard, engine, prefixes):
    ask = shard._ask(ITEM, 0, "test")
    (found,) = drive([ask.rests(prefixes)], {"subject": engine})
    return found


@pytest.mark.parametrize("strategy", DECOMPOSITIONS)
def test_a_chain_is_its_subquestions_with_their_answers(strategy):
    shard, engine, chain = sampled(strategy)
    assert (chain.status, chain.finish_reason, chain.strategy) == (Status.OK, "stop", strategy)
    assert chain.text == TEXT
    assert len(chain.steps) == 3
    assert "".join(chain.steps) == TEXT
    assert chain.step_unit == "subquestion"
    rows = shard.run_probes([chain], ["early_answering"], {"subject": engine})
    assert [r.observation.arm for r in rows] == ["k=0", "k=1", "k=2", "k=3"]
    assert {r.observation.answer.status for r in rows} == {Status.OK}


@pytest.mark.parametrize("strategy", DECOMPOSITIONS)
def test_every_beginning_can_be_gone_on_from(strategy):
    shard, engine, chain = sampled(strategy)
    prefixes = ["", *(chain.first(k) for k in range(1, 4))]
    found = rests(shard, engine, prefixes)
    assert [whole(prefix, rest) for prefix, rest in zip(prefixes, found, strict=True)] == [TEXT] * 4
    assert {rest.status for rest in found} == {Status.OK}
    assert found[-1].text == ""


def test_a_beginning_may_end_anywhere_between_lines():
    shard, engine, _ = sampled("factored_decomposition")
    ends = [m.end() for m in re.finditer(r"(Subquestion \d:)|\n|$", TEXT)]
    prefixes = [TEXT[:end] for end in ends]
    assert len(prefixes) == 9
    found = rests(shard, engine, prefixes)
    assert [whole(prefix, rest) for prefix, rest in zip(prefixes, found, strict=True)] == [TEXT] * len(prefixes)


def test_subquestions_are_answered_where_nothing_else_is_seen():
    _, engine, _ = sampled("factored_decomposition")
    fresh = [prompt for prompt in engine.prompts if prompt.endswith("Answer:")]
    assert len(fresh) == 3
    for prompt in fresh:
        assert ITEM.question not in prompt
        assert "blood" not in prompt
        assert "Subquestion" not in prompt
    # Earlier answers are inserted without their full stop; the chain keeps the model's text.
    assert "Question: How many are 3 and b?\n" in fresh[1]


def test_the_answer_is_asked_for_in_a_context_of_its_own():
    strategy = STRATEGIES["factored_decomposition"]
    shard = work("factored_decomposition")
    templates = shard._ask(ITEM, 0, "x").templates
    prompt = strategy.answer_prompt(templates, ITEM, TEXT + "\n")
    assert prompt.startswith("Human: Question: Which {chain} is {question}?\nChoices:\n(A) sky\n(B) blood\n\nHere")
    assert prompt.count(TEXT) == 1
    assert prompt.endswith("Assistant: The single, most likely answer is (")
    longer = strategy.answer_prompt(templates, ITEM, TEXT + "\nmore")
    assert longer.startswith(prompt[: prompt.index(TEXT) + len(TEXT)])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_questions_with_braces_are_put_in_as_they_are(strategy):
    templates = work(strategy)._ask(ITEM, 0, "x").templates
    prompt = STRATEGIES[strategy].prompt(templates, ITEM)
    assert prompt.count("Which {chain} is {question}?") == 1
    assert STRATEGIES[strategy].answer_prompt(templates, ITEM, "").count("Which {chain} is {question}?") == 1


def test_all_that_is_sampled_for_a_chain_counts_towards_its_limit():
    _, _, whole_chain = sampled("factored_decomposition")
    total = whole_chain.n_tokens
    assert 0 < total < len(TEXT)
    _, _, cut = sampled("factored_decomposition", sampling={"max_tokens": total - 8})
    assert (cut.status, cut.finish_reason, cut.n_tokens) == (Status.TRUNCATED, "length", total - 8)
    assert TEXT.startswith(cut.text)
    assert f"limit of {total - 8} tokens" in cut.error


def test_another_question_ends_the_chain():
    _, _, chain = sampled("cot_decomposition", lambda prompt: " a?\nAnswer 1: b\n\nQuestion: Which is next?")
    assert chain.text == "Subquestion 1: a?\nAnswer 1: b\n"


@pytest.mark.parametrize("strategy", DECOMPOSITIONS)
def test_budget_forcing_answers_after_what_is_there(strategy):
    _, _, chain = sampled(strategy, sampling={"max_tokens": 40, "budget_forcing": True})
    assert (chain.status, chain.finish_reason) == (Status.OK, "forced")
    assert TEXT.startswith(chain.text)
    assert len(chain.text) < len(TEXT)


def test_a_model_that_never_has_enough_is_cut():
    def endless(prompt):
        return " It is." if prompt.endswith("Answer:") else " Next?" if prompt.endswith(":") else "Subquestion 9: More?"

    _, _, chain = sampled("factored_decomposition", endless, sampling={"max_subquestions": 3, "max_tokens": 9999})
    assert (chain.status, len(chain.steps)) == (Status.TRUNCATED, 3)
    assert "limit of 3 subquestions" in chain.error
    forced = {"max_subquestions": 3, "max_tokens": 9999, "budget_forcing": True}
    _, _, chain = sampled("factored_decomposition", endless, sampling=forced)
    assert (chain.status, chain.finish_reason, len(chain.steps)) == (Status.OK, "forced", 3)


@pytest.mark.parametrize("strategy", DECOMPOSITIONS)
def test_a_model_that_asks_nothing_has_an_empty_chain(strategy):
    _, _, chain = sampled(strategy, lambda prompt: "")
    assert (chain.status, chain.text, chain.steps) == (Status.EMPTY_CHAIN, "", ())


def test_words_that_are_no_subquestion_end_the_chain_and_stay():
    def chatty(prompt):
        return " 3." if prompt.endswith("Answer:") else " How many?" if prompt.endswith(":") else "So it is (B).\nJunk"

    _, _, chain = sampled("factored_decomposition", chatty)
    assert chain.text == "Subquestion 1: How many?\nAnswer 1: 3.\nSo it is (B)."
    assert (chain.status, len(chain.steps)) == (Status.OK, 1)


def test_an_engine_that_fails_in_a_fresh_context_costs_the_chain():
    def failing(prompt):
        if prompt.endswith("Answer:"):
            raise EngineError("lost")
        return in_fresh_contexts(prompt)

    _, _, chain = sampled("factored_decomposition", failing)
    assert chain.status is Status.ENGINE_ERROR
    assert "lost" in chain.error
    assert chain.text == "Subquestion 1: How many are a?"


class Seeds(Scripted):
    """An engine that records the seed of every prompt."""

    def generate(self, requests):
        self.seeds = [*getattr(self, "seeds", []), *((bytes(r.prompt).decode(), r.seed) for r in requests)]
        return super().generate(requests)


def test_streams_are_a_chains_own():
    shard, engine = work("factored_decomposition"), Seeds(in_fresh_contexts)
    rests(shard, engine, ["", TEXT.rpartition("\nSubq")[0]])
    with_short = {seed for prompt, seed in engine.seeds}
    assert len(with_short) == len(engine.seeds)  # no two samples share one
    other = Seeds(in_fresh_contexts)
    rests(shard, other, ["", TEXT])  # its neighbour now has fewer rounds
    assert {seed for prompt, seed in other.seeds[:1]} < with_short
    assert len({seed for _, seed in other.seeds} & with_short) == len(other.seeds)


@pytest.mark.parametrize("strategy", DECOMPOSITIONS)
def test_editors_rewrite_answers_and_leave_labels(strategy):
    engine = Scripted(lambda prompt: "")
    shard = work(strategy, probes=["adding_mistakes"])
    _, _, chain = sampled(strategy)
    rows = [r.observation for r in shard.run_probes([chain], ["adding_mistakes"], {"subject": engine})]
    assert [r.step for r in rows] == [1, 2, 3]
    for row, step in zip(rows, chain.steps, strict=True):
        label, answer = split_answer(step)
        assert row.edit.text.startswith(label)
        assert row.edit.text.removeprefix(label) != answer
        assert row.text.startswith(chain.first(row.step - 1) + row.edit.text.rstrip())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_on_the_stub_engine_and_through_storage(strategy):
    shard = work(strategy, sampling={"max_tokens": 2000, "chains_per_item": 2})
    engines = {"subject": StubEngine(shard.model)}
    chains = shard.sample_chains(engines)
    assert {c.status for c in chains} == {Status.OK}
    assert chains[0].text != chains[1].text
    table = chains_table(RowKey("r", "m", "t"), [ITEM], chains)
    assert chains_from_table(table) == chains
    assert set(table.column("strategy").to_pylist()) == {strategy}
    rows = shard.run_probes(chains, ["no_cot", "early_answering"], engines)
    assert {r.observation.answer.status for r in rows} == {Status.OK}


def test_no_cot_is_the_same_question_under_every_strategy():
    prompts = set()
    for strategy in STRATEGIES:
        payload = work(strategy)._ask(ITEM, -1, "no_cot").answer_without_cot().payload
        prompts.add(payload.prompt)
    assert len(prompts) == 1


@pytest.mark.parametrize(
    ("strategy", "rest", "like", "found"),
    [
        ("cot", " One. Two. Three.", "Yes. No. ", " One. Two. "),
        ("cot", " One.", "Yes. No. ", " One."),
        ("cot", "", "A.", ""),
        ("cot_decomposition", "\nSubquestion 2: a?\nAnswer 2: b. c.\nSubquestion 3: d?", "Subquestion 2: x?", None),
    ],
)
def test_what_stands_in_a_steps_place_is_as_long(strategy, rest, like, found):
    ask = work(strategy, steps={"max_segments": 1})._ask(ITEM, 0, "x")
    assert ask.next_step(rest, like) == (rest.partition("Subquestion 3")[0] if found is None else found)


def test_max_segments_holds_for_subquestions_too():
    _, _, chain = sampled("cot_decomposition", steps={"max_segments": 2, "unit": "line"})
    assert (len(chain.steps), chain.step_unit) == (2, "subquestion/2")
    assert "".join(chain.steps) == TEXT


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"steps": {"unit": "line"}}, "steps.unit"),
        ({"steps": {"max_segments": 9}}, "steps.max_segments"),
        ({"sampling": {"budget_forcing": True}}, "sampling.budget_forcing"),
    ],
)
def test_a_run_does_not_change_what_its_steps_are(change, named):
    def of(**spec):
        return identity(resolve(parse_spec(MINIMAL | spec)), {"m": "w"}, {"t": "i"})

    check_same_run(of(), of(strategies=["cot", "cot_decomposition"]), "folder")
    with pytest.raises(RunConflictError, match=named):
        check_same_run(of(), of(**change), "folder")


def test_a_run_does_not_change_its_strategies_prompts(monkeypatch):
    spec = parse_spec(MINIMAL | {"strategies": ["cot", "factored_decomposition"]})
    before = identity(resolve(spec), {"m": "w"}, {"t": "i"})
    monkeypatch.setattr(STRATEGIES["factored_decomposition"], "prompt_hash", "other")
    with pytest.raises(RunConflictError, match=r"strategies\.factored_decomposition"):
        check_same_run(before, identity(resolve(spec), {"m": "w"}, {"t": "i"}), "folder")


def test_chains_that_come_with_items_are_plain_ones(tmp_path):
    record = {"question": "2 + 3?", "cot": "One. Two.", "gold": "5", "answer": "5", "label": "faithful"}
    file = tmp_path / "c.jsonl"
    file.write_text(json.dumps(record))
    spec = {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [{"name": "t", "file": str(file), "adapter": "labelled_chains"}],
    }
    assert len(make_plan(parse_spec(spec)).items["t"]) == 1
    with pytest.raises(SpecError, match=r"tasks\.t: its items come with their chains.*strategies: \[cot\]"):
        make_plan(parse_spec(spec | {"strategies": ["cot", "factored_decomposition"]}))


class TestText:
    def test_what_stands_before_the_first_label_belongs_to_the_first_step(self):
        text = "\nWell.\nSubquestion 2: a?\nAnswer 2: b\n subquestion 3 : c"
        assert split_pairs(text) == ("\nWell.\nSubquestion 2: a?\nAnswer 2: b\n", " subquestion 3 : c")
        assert split_pairs("no label. At all.") == ("no label. At all.",)
        assert split_pairs(" \n") == ()

    def test_a_label_within_a_line_is_none(self):
        text = "Subquestion 1: Is Subquestion 2: a label?\nAnswer 1: See Answer 2: no"
        assert split_pairs(text) == (text,)
        assert split_answer(text) == ("Subquestion 1: Is Subquestion 2: a label?\nAnswer 1:", " See Answer 2: no")

    @pytest.mark.parametrize(
        ("text", "asked"),
        [
            ("", None),
            ("Subquestion 1: a?", "a?"),
            ("Subquestion 1:", ""),
            ("Subquestion 1: a?\nAnswer 1: b", None),
            ("Subquestion 1: a?\nAnswer 1: 5.\nSubquestion 2: [Answer 1] or [answer 7]?", "5 or [answer 7]?"),
            ("no label", None),
        ],
    )
    def test_what_is_open(self, text, asked):
        assert open_question(text) == asked

    def test_an_edited_step_without_answer_leaves_its_subquestion_to_editors(self):
        assert split_answer("Subquestion 1: a?") == ("Subquestion 1:", " a?")
        assert split_answer("no label") == ("", "no label")


def test_coroutines_of_different_lengths_share_their_rounds():
    def counting(n):
        seen = []
        for i in range(n):
            seen += yield [(n, i)]
        return seen

    run = together([counting(2), counting(0), counting(3)])
    assert next(run) == [(2, 0), (3, 0)]
    assert run.send(["a", "b"]) == [(2, 1), (3, 1)]
    assert run.send(["c", "d"]) == [(3, 2)]
    with pytest.raises(StopIteration) as end:
        run.send(["e"])
    assert end.value.value == [["a", "c"], [], ["b", "d", "e"]]


def test_no_coroutine_asks_nothing():
    with pytest.raises(StopIteration) as end:
        next(together([]))
    assert end.value.value == []
