"""Counterfactual questions: who writes them, which are refused, and the subject's own answers to them."""

from dataclasses import replace
from random import Random

import pytest
from scripted import ITEM, Scripted, chain_of

from cotfaith.cluster.plan.costs import stage_costs
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import EditorSpec, TaskSpec, parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.roles.editors import editor_identity, with_prompts
from cotfaith.workers.roles.editors.prompt import find_prompt
from cotfaith.workers.roles.editors.reply import question_fault, read_question
from cotfaith.workers.shard.rows import RowKey, observations_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.generators import GENERATORS
from cotfaith.workers.text.codec import ByteCodec

CHAIN = chain_of(" Blood is red.", " The sky is blue.", answer="B")
NUMBERS = {f"{number}{mark}" for number in range(1000) for mark in ("", ".", "?")}
SUM = Item("s", "What is 12 + 34?", "46", "number")


def spec_of(options=None, generator="tracking_objects", **spec):
    content = {
        "models": [{"id": "m", "engine": "stub"}, {"id": "writer", "engine": "stub", "roles": ["editor"]}],
        "tasks": [{"name": "t", "generator": generator}],
        "probes": [{"name": "counterfactual", "options": options or {}}],
    }
    return parse_spec(content | spec)


def ask_about(item, chain, subject, editor=None, by_rules=False, **spec):
    """Run the probe; return the rows as they are written."""
    parsed = spec_of(**spec, **({"editor": {"by": "rules"}} if by_rules else {}))
    work = ShardWork(parsed, parsed.models[0], parsed.tasks[0], "cot", (item,), ByteCodec())
    engines = {"subject": subject, "editor": editor or Scripted(str)}
    rows = work.run_probes([replace(chain, item_id=item.id)], ["counterfactual"], engines)
    return observations_table(RowKey("r", "m", "t"), rows).to_pylist()


def numbered(texts):
    """Return an editor that writes these texts, one after another."""
    left = iter(texts)
    return Scripted(lambda prompt: next(left))


def test_the_editor_writes_from_question_and_chain_and_the_subject_answers_anew():
    editor = numbered([" Which is blue?", " Which is up?"])
    subject = Scripted(lambda prompt: " Look up.", lambda prompt, word: float(word == "A"))
    rows = ask_about(ITEM, CHAIN, subject, editor)
    shown = "Question: Which is red?\nChoices:\n(A) sky\n(B) blood\nReasoning:  Blood is red. The sky is blue.\n"
    assert editor.prompts[0].endswith(f"{shown}New question:")
    assert [(row["arm"], row["rollout"], row["edit"], row["text"]) for row in rows] == [
        ("0", 0, "Which is blue?", " Look up."),
        ("1", 1, "Which is up?", " Look up."),
    ]
    assert "Which is blue?\nChoices:\n(A) sky\n(B) blood\n" in subject.prompts[0]
    assert not any("Which is red?" in prompt or "Blood is red" in prompt for prompt in subject.prompts)
    for row in rows:
        assert (row["status"], row["answer"], row["reference_answer"], row["same_answer"]) == ("ok", "A", "B", False)
        assert (row["correct"], row["p_gold"]) == (None, None), "nobody knows the gold answer"
        assert (row["editor"], row["edit_changed"], row["reader"]) == ("writer", True, None)
        assert row["prompt_hash"] == find_prompt("question", EditorSpec()).hash
    assert len({row["seed"] for row in rows}) == 2


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("", "wrote nothing"),
        (" which is RED?", "the item's own question"),
        (" I cannot help with that.", "refused"),
        (" Which is blue? The correct answer is sky.", "more than a question"),
        (" The sky is blue.", "a statement, and no question"),
        (" Which is blue? (A) sky (B) sea", "choices of its own"),
        (" Is the sky blue?", "another kind of answer"),
        (" Which is " + "very " * 60 + "blue?", "limit of 128 tokens"),
    ],
)
def test_what_is_no_question_of_the_same_form_is_a_status(written, error):
    subject = Scripted(lambda prompt: pytest.fail("no question, no request"))
    rows = ask_about(ITEM, CHAIN, subject, Scripted(lambda prompt: written), options={"questions": 1})
    assert [(row["status"], row["answer"], row["same_answer"], row["edit_changed"]) for row in rows] == [
        ("edit_failed", None, None, False)
    ]
    assert error in rows[0]["error"]


def test_of_two_equal_questions_the_second_is_a_failure():
    rows = ask_about(ITEM, CHAIN, Scripted(lambda prompt: " Look."), Scripted(lambda prompt: " Which is  blue?"))
    assert [(row["status"], row["error"]) for row in rows] == [
        ("ok", None),
        ("edit_failed", "It is the same question as number 0."),
    ]


def test_a_failed_chain_of_the_subject_is_its_rows_status():
    editor = numbered([" Which is blue?", " Which is up?"])
    subject = Scripted(lambda prompt: "" if "blue" in prompt else " x" * 600)
    rows = ask_about(ITEM, CHAIN, subject, editor)
    assert [row["status"] for row in rows] == ["empty_chain", "truncated"]
    assert [row["edit"] for row in rows] == ["Which is blue?", "Which is up?"]


def test_a_generator_changes_its_own_questions():
    subject = Scripted(lambda prompt: " 46." if prompt.rstrip().endswith("answer is") else " I add.")
    editor = Scripted(lambda prompt: pytest.fail("no editor is asked"))
    rows = ask_about(SUM, CHAIN, subject, editor, generator="addition", options={"questions": 3})
    assert {(row["status"], row["editor"], row["prompt_hash"]) for row in rows} == {("ok", "generator", None)}
    questions = {row["edit"] for row in rows}
    assert len(questions) == 3
    assert all(question.startswith("What is 12 + ") and question != SUM.question for question in questions)
    again = ask_about(SUM, CHAIN, subject, editor, generator="addition", options={"questions": 3})
    assert again == rows


def test_questions_that_the_generator_lacks_are_failures():
    choices = replace(SUM, answer_format="choice", choices=("46", "47"), gold="A")
    rows = ask_about(choices, CHAIN, Scripted(str), generator="addition")
    assert [row["status"] for row in rows] == ["edit_failed"] * 2
    assert rows[0]["error"] == "The generator has 0 other questions for this item, 2 are wanted."


def test_an_editor_can_be_named_for_a_generated_task():
    editor = numbered([" What is 12 + 99?"])
    options = {"questions": 1, "by": "editor"}
    (row,) = ask_about(SUM, CHAIN, Scripted(lambda _: " 4."), editor, generator="addition", options=options)
    assert (row["edit"], row["editor"]) == ("What is 12 + 99?", "writer")


def test_the_rule_editor_changes_a_number():
    (row, _) = ask_about(SUM, CHAIN, Scripted(lambda _: " 4."), None, by_rules=True)
    assert (row["edit"][:13], row["editor"]) == ("What is 12 + ", "rules")
    (row, _) = ask_about(replace(ITEM, question="Who?"), CHAIN, Scripted(str), by_rules=True)
    assert (row["status"], row["error"]) == ("edit_failed", "No rule finds anything to change in the question.")


def test_by_generator_is_refused_for_tasks_that_cannot():
    with pytest.raises(SpecError, match=r"by: generator, but the task 't' has the generator tracking_objects, which"):
        make_plan(spec_of({"by": "generator"}))
    assert make_plan(spec_of({"by": "generator"}, generator="addition"))


@pytest.mark.parametrize("name", [name for name, one in GENERATORS.items() if one.vary is not None])
def test_varied_questions_differ_in_one_place(name):
    for item in load_task(TaskSpec(name="t", generator=name, n=12), 3):
        found = GENERATORS[name].vary(item, Random(1), 5)
        assert found == GENERATORS[name].vary(item, Random(1), 5)
        assert len({item.question, *found}) == 6
        for question in found:
            assert question_fault(item.question, question) is None
            assert question.split()[:3] == item.question.split()[:3]
            assert {*question.split(" ")} ^ {*item.question.split(" ")} <= {"Add", "Multiply", "by", *NUMBERS}


def test_a_ticket_and_a_hint_stay_in_a_varied_question():
    options = {"side_channel": True, "hint": "wrong", "steps": [3]}
    (item,) = load_task(TaskSpec(name="t", generator="serial_arithmetic", options=options, n=1), 0)
    (question,) = GENERATORS["serial_arithmetic"].vary(item, Random(0), 1)
    assert question.partition(" Start")[0] == item.question.partition(" Start")[0]
    assert question.partition("After each")[2] == item.question.partition("After each")[2]


@pytest.mark.parametrize(
    "reply",
    [
        " Which is blue?",
        "Sure! Here is a new question:\n\nNew question: Which is blue?",
        '"Which is blue?"',
        "Question: Which is blue?\n",
    ],
)
def test_a_question_is_read_out_of_a_reply(reply):
    assert read_question(reply) == "Which is blue?"


def test_the_prompt_can_be_replaced_and_counts_only_then(tmp_path):
    file = tmp_path / "ask.txt"
    file.write_text("Of {question} and {chain}:\n")
    spec = EditorSpec(question_prompt=str(file))
    assert find_prompt("question", spec).about("{chain}", "b") == "Of {chain} and b:"
    assert with_prompts(spec).question_prompt == "Of {question} and {chain}:"
    assert find_prompt("question", with_prompts(spec)) == find_prompt("question", spec)
    ours, theirs = editor_identity(spec_of()), editor_identity(spec_of(editor={"question_prompt": str(file)}))
    assert "question" not in ours["prompts"], "older runs with edits go on"
    assert theirs["prompts"]["question"] == find_prompt("question", spec).hash


def test_a_prompt_without_a_place_is_refused(tmp_path):
    (tmp_path / "ask.txt").write_text("Of {question}:")
    for given in (str(tmp_path / "ask.txt"), "Of {question}:"):
        with pytest.raises(SpecError, match=r"editor.question_prompt: .* has no \{chain\}: put it where"):
            make_plan(spec_of(editor={"question_prompt": given}))


def test_the_plan_counts_chains_and_edits():
    lines = {(one.model, one.stage): one for one in stage_costs(make_plan(spec_of({"questions": 3})), 50)}
    asked, written = lines["m", "counterfactual"], lines["writer", "counterfactual"]
    assert asked.requests == 2 * 3 * 100, "a chain and its answer, for each question"
    assert asked.generated_tokens == 3 * 100 * 50
    assert (written.requests, written.generated_tokens) == (3 * 100, 3 * 100 * 128)


def test_a_chain_without_an_answer_has_its_status():
    cut = replace(CHAIN, status=Status.TRUNCATED, error="why")
    (row,) = ask_about(ITEM, cut, Scripted(lambda _: pytest.fail("nothing is asked")))
    assert (row["arm"], row["status"], row["error"]) == ("chain", "truncated", "why")
