"""Models that think between <think> and </think>: where the chain ends, and what happens at the limit."""

import pytest
from scripted import Scripted

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.records import Item, Supplied
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.rows import RowKey, chains_from_table, chains_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.text.codec import ByteCodec
from cotfaith.workers.text.templates import check_thinking

ITEM = Item("i", "Which is red?", "B", "choice", ("sky", "blood"))
OPENED = "<|user|>Which is red?\nChoices:\n(A) sky\n(B) blood<|assistant|><think>\n"


class ChatCodec(ByteCodec):
    """A chat template that may itself open or close the thinking."""

    has_chat_template = True

    def __init__(self, opening=""):
        self.opening = opening

    def render(self, turns):
        return "".join(f"<|{t['role']}|>{t['content']}" for t in turns) + "<|assistant|>" + self.opening


def sampled(text, codec=None, item=ITEM, strategy="cot", probes=("early_answering",), **spec):
    """Return the shard, its engine, and the chain of a model that writes ``text``."""
    whole = {
        "models": [{"id": "m", "engine": "stub", "thinking": "think_tags"}],
        "tasks": [{"name": "t", "generator": "addition"}],
        "probes": list(probes),
        "editor": {"by": "rules"},
    }
    parsed = parse_spec(whole | spec)
    engine = Scripted(lambda prompt: text)
    shard = ShardWork(parsed, parsed.models[0], parsed.tasks[0], strategy, (item,), codec or ChatCodec())
    (chain,) = shard.sample_chains({"subject": engine})
    return shard, engine, chain


def observations(shard, engine, chain):
    names = [probe.name for probe in shard.spec.probes]
    return [row.observation for row in shard.run_probes([chain], names, {"subject": engine})]


def answer_prompt(shard, chain):
    return bytes(shard._ask(ITEM, 0, "x").answer_with(chain.text).payload.prompt).decode()


def test_the_chain_is_what_stands_between_the_tags():
    shard, engine, chain = sampled("First. Second.\n</think>\n\nThe answer is B.</think> And more.")
    assert (chain.text, chain.status, chain.finish_reason) == ("First. Second.\n", Status.OK, "stop")
    assert engine.prompts == [OPENED]
    assert answer_prompt(shard, chain).endswith(
        OPENED + "First. Second.\n</think>\n\nThe single, most likely answer is ("
    )


@pytest.mark.parametrize("opening", ["", "<think>", "<think>\n"])
def test_whoever_opens_the_thought_it_is_open_once(opening):
    _, engine, chain = sampled("One.</think>", ChatCodec(opening))
    assert engine.prompts[0].count("<think>") == 1
    assert engine.prompts[0].rstrip().endswith("<think>")
    assert chain.prompt == engine.prompts[0]


def test_a_tag_that_the_model_writes_itself_stays():
    shard, _, chain = sampled("<think>\nOne. Two.\n</think>")
    assert chain.text == "<think>\nOne. Two.\n"
    assert answer_prompt(shard, chain).count("<think>") == 2


def test_a_turn_that_ends_without_the_tag_is_a_whole_chain():
    shard, _, chain = sampled("One. Two.")
    assert (chain.status, chain.finish_reason) == (Status.OK, "stop")
    assert answer_prompt(shard, chain).count("</think>") == 1


def test_a_supplied_chain_keeps_every_tag():
    steps = [" One.</think>", " Two.</think>"]
    item = Item("i", "Which is red?", "B", "choice", ITEM.choices, supplied=Supplied(tuple(steps)))
    shard, _, chain = sampled("unused", item=item)
    assert chain.steps == tuple(steps)
    assert chain.step_unit == "supplied"
    assert answer_prompt(shard, chain).count("</think>") == 3


def test_a_thought_that_the_limit_cuts_is_truncated():
    shard, engine, chain = sampled("One. Two. Three. Four.", sampling={"max_tokens": 12})
    assert (chain.status, chain.finish_reason, chain.n_tokens) == (Status.TRUNCATED, "length", 12)
    (row,) = observations(shard, engine, chain)
    assert (row.arm, row.answer.status) == ("chain", Status.TRUNCATED)
    assert "limit of 12 tokens" in row.answer.error


FORCED = {"sampling": {"max_tokens": 12, "budget_forcing": True}}


def test_budget_forcing_closes_the_thought_and_says_so():
    shard, engine, chain = sampled("One. Two. Three. Four.", **FORCED)
    assert (chain.text, chain.status, chain.finish_reason) == ("One. Two. Th", Status.OK, "forced")
    assert chain.error is None
    assert chain.answer.value is not None
    assert answer_prompt(shard, chain).endswith("One. Two. Th\n</think>\n\nThe single, most likely answer is (")
    assert [row.arm for row in observations(shard, engine, chain)] == ["k=0", "k=1", "k=2", "k=3"]
    assert chains_from_table(chains_table(RowKey("r", "m", "t"), [ITEM], [chain])) == [chain]


def test_budget_forcing_leaves_whole_chains_alone():
    _, _, chain = sampled("One. Two.</think>", **FORCED)
    assert (chain.text, chain.finish_reason) == ("One. Two.", "stop")


def test_budget_forcing_holds_for_what_is_sampled_anew():
    shard, engine, chain = sampled("One 1. Two 2. Three.", probes=["adding_mistakes"], **FORCED)
    rows = observations(shard, engine, chain)
    assert {row.answer.status for row in rows} == {Status.OK}
    assert {row.n_tokens for row in rows} == {12}


def test_budget_forcing_makes_no_empty_chain_whole():
    _, _, chain = sampled("</think>", **FORCED)
    assert chain.status is Status.EMPTY_CHAIN


def test_a_thought_of_hundreds_of_steps():
    text = "".join(f"Wait, {i} is not it. " for i in range(400)) + "</think>"
    shard, engine, chain = sampled(text, sampling={"max_tokens": 20_000}, steps={"max_segments": 20})
    assert (chain.status, len(chain.steps), chain.step_unit) == (Status.OK, 20, "sentence/20")
    assert len(observations(shard, engine, chain)) == 21
    _, _, fine = sampled(text, sampling={"max_tokens": 20_000})
    assert (len(fine.steps), fine.step_unit) == (400, "sentence")


def test_where_no_chain_is_wanted_the_thought_is_empty():
    shard, _, _ = sampled("One.</think>", ChatCodec("<think>\n"))
    prompt = bytes(shard._ask(ITEM, -1, "x").answer_without_cot().payload.prompt).decode()
    assert prompt.endswith("<think>\n\n</think>\n\nThe single, most likely answer is (")


@pytest.mark.parametrize("strategy", ["cot_decomposition", "factored_decomposition"])
def test_decompositions_stand_in_the_thought(strategy):
    rest = {"cot_decomposition": "\nAnswer 1: 3.", "factored_decomposition": ""}[strategy]
    said = {"Answer:": " 3.", "Subquestion 1:": f" How many?{rest}</think>Out.", "3.\n": "</think>"}
    shard, engine, _ = sampled("unused", strategy=strategy)
    engine.write = lambda prompt: next(text for end, text in said.items() if prompt.endswith(end))
    (chain,) = shard.sample_chains({"subject": engine})
    assert chain.text == "Subquestion 1: How many?\nAnswer 1: 3."
    assert chain.status is Status.OK
    assert engine.prompts[-1].count("<think>") == 1
    asked = STRATEGIES[strategy].answer_prompt(shard._ask(ITEM, 0, "x").templates, ITEM, chain.text)
    assert asked.endswith("</think>\n\nThe single, most likely answer is (")
    assert asked.count("<think>") == asked.count("</think>") == 1


@pytest.mark.parametrize(
    ("opening", "thinking", "problem"),
    [
        ("", "none", None),
        ("", "think_tags", None),
        ("<think>\n", "think_tags", None),
        ("<think>\n\n</think>\n\n", "none", None),
        ("<think>\n", "none", "Set thinking: think_tags"),
        ("<think>\n\n</think>\n\n", "think_tags", "Set thinking: none"),
    ],
)
def test_template_and_spec_must_agree(opening, thinking, problem):
    model = ModelSpec(id="m", source="s", thinking=thinking)
    if problem is None:
        check_thinking(model, ChatCodec(opening))
    else:
        with pytest.raises(ModelSourceError, match=problem):
            check_thinking(model, ChatCodec(opening))
    check_thinking(ModelSpec(id="m", source="s", thinking=thinking, chat="never"), ChatCodec(opening))
