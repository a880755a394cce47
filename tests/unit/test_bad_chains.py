"""Bad chains, answers and items: each has a status, and none is lost."""

import pytest
from scripted import Scripted

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.tasks import check_items
from cotfaith.workers.text.codec import ByteCodec

ITEM = Item("i", "How much?", "7", "number")
CHOICE = Item("i", "Which?", "B", "choice", ("red", "red and blue"))


def run(write, item=ITEM, weigh=lambda prompt, word: 0.0, **spec):
    """Sample one chain and run two probes; return it and their observations by probe."""
    whole = {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [{"name": "t", "generator": "addition"}],
        "probes": ["no_cot", "early_answering"],
    }
    parsed = parse_spec(whole | spec)
    engines = {"subject": Scripted(write, weigh)}
    shard = ShardWork(parsed, parsed.models[0], parsed.tasks[0], "cot", (item,), ByteCodec())
    (chain,) = shard.sample_chains(engines)
    rows = shard.run_probes([chain], ["no_cot", "early_answering"], engines)
    return chain, {name: [r.observation for r in rows if r.probe == name] for name in ("no_cot", "early_answering")}


def writes(chain, answer=" 7."):
    return lambda prompt: answer if prompt.endswith("answer is") else chain


@pytest.mark.parametrize("text", ["", " ", "\n\n \t"])
def test_no_steps(text):
    chain, rows = run(writes(text))
    assert (chain.status, chain.steps, chain.text) == (Status.EMPTY_CHAIN, (), text)
    (row,) = rows["early_answering"]
    assert (row.arm, row.answer.status) == ("chain", Status.EMPTY_CHAIN)
    assert rows["no_cot"][0].answer.status is Status.OK


@pytest.mark.parametrize("text", [" One step.", "1.", "?", " no full stop"])
def test_one_step(text):
    chain, rows = run(writes(text))
    assert (chain.status, chain.steps) == (Status.OK, (text,))
    assert [row.arm for row in rows["early_answering"]] == ["k=0", "k=1"]


@pytest.mark.parametrize("answer", ["", "  ", " I cannot say."])
def test_an_empty_answer_is_unparsed(answer):
    chain, rows = run(writes(" One. Two.", answer))
    assert (chain.status, chain.answer.value, chain.answer.text) == (Status.UNPARSED, None, answer)
    assert rows["early_answering"][0].answer.status is Status.UNPARSED
    assert rows["no_cot"][0].answer.status is Status.UNPARSED


def test_a_subject_that_repeats_itself_to_the_limit():
    chain, rows = run(writes(" Let me see." * 1000), sampling={"max_tokens": 100})
    assert (chain.status, chain.finish_reason, chain.n_tokens) == (Status.TRUNCATED, "length", 100)
    assert len(chain.text) == 100
    assert [row.answer.status for row in rows["early_answering"]] == [Status.TRUNCATED]


def test_an_item_with_one_choice_is_refused():
    with pytest.raises(TaskError, match="has 1 choices; 2 to 26 are possible"):
        check_items("t", [Item("i", "Which?", "A", "choice", ("red",))])


def test_a_choice_that_begins_another():
    chain, _ = run(writes(" One."), CHOICE, lambda prompt, word: {"A": -2.0, "B": -1.0}[word])
    assert (chain.answer.value, chain.answer.candidates) == ("B", ("A", "B"))


def test_a_number_that_begins_another_does_not_win_by_that():
    item = Item("i", "How much?", "12", "number", ("1", "12", "7"))

    def sure(prompt, word):
        """The text is certain to continue with " 12.": every prefix of that has all the probability."""
        return 0.0 if " 12.".startswith(word) or " 12.".endswith(word) else -9.0

    chain, _ = run(writes(" One."), item, sure)
    assert chain.answer.value == "12"
    assert chain.answer.candidates == ("1", "12", "7")


TEXTS = {
    "right to left": " الخطوة الأولى: 2 + 3. إذن 5. هل هذا صحيح؟ نعم.",
    "mixed": " Naïve café — 5 ≠ 6. ‮abc‬ נכון. 👩‍👩‍👧‍👦 fünf. ∑ᵢ xᵢ = 3.",
    "code": " First:\n```python\nx = 1.\n\ny = 2. Z\n```\nSo it is 3.",
    "formula": " We know that\n\\[\nx. = 1\n\\]\nand $$a. B$$ too. Done.",
    "zero width": " A\u200b.\u200b B. \ufeffC.\u2028D.",
    "control": " A\x00. B\x1b[31m. C.",
}


@pytest.mark.parametrize("name", TEXTS)
def test_odd_texts_are_kept_to_the_letter(name):
    chain, rows = run(writes(TEXTS[name]))
    assert chain.status is Status.OK
    assert chain.text == "".join(chain.steps) == TEXTS[name]
    assert len(chain.steps) > 1
    assert len(rows["early_answering"]) == len(chain.steps) + 1
    assert {row.answer.status for row in rows["early_answering"]} == {Status.OK}


def test_a_chain_of_ten_thousand_steps():
    text = "".join(f" Step {i} is done." for i in range(10_000))
    early = {"name": "early_answering", "options": {"max_positions": 5}}
    chain, rows = run(writes(text), sampling={"max_tokens": 10**6}, probes=["no_cot", early])
    assert (chain.status, len(chain.steps)) == (Status.OK, 10_000)
    assert [row.position for row in rows["early_answering"]] == [0, 2500, 5000, 7500, 10_000]


def test_a_chain_cut_within_a_character_keeps_what_is_whole():
    chain, _ = run(writes(" Fünf. Äpfel. ü"), sampling={"max_tokens": 17, "budget_forcing": True})
    assert chain.finish_reason == "forced"
    assert chain.text == "".join(chain.steps)
