"""Few-shot examples of a task: which ones an item gets, and which files are refused."""

import json
from dataclasses import asdict

import pytest

from cotfaith.cluster.plan.identity import check_same_run, identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.schemas.errors import InputError, RunConflictError, SpecError, TaskError
from cotfaith.schemas.spec import TaskSpec, parse_spec
from cotfaith.workers.tasks import fingerprint, load_task
from cotfaith.workers.tasks.few_shot import examples_digest

EXAMPLES = [
    {"question": "Which is round?", "choices": ["ball", "box"], "gold": "ball", "chain": " A ball rolls. "},
    {"question": "Which is red?", "choices": ["sky", "blood"], "gold": "B", "chain": None},
    {"question": "Which is wet?", "choices": ["sea", "sand"], "gold": "A"},
]
ITEMS = [
    {"question": "which  is RED?", "choices": ["Blood", "grass"], "gold": "A"},
    {"question": "Which flies?", "choices": ["cow", "bird"], "gold": "B"},
]
MODELS = [{"id": "m", "engine": "stub"}]
FIELDS = {"question": "question", "choices": "choices", "gold": "gold"}


@pytest.fixture
def task(tmp_path):
    """A function that returns a task with examples; ``None`` for few-shot settings: a task without."""

    def made(examples=EXAMPLES, items=ITEMS, of_items=FIELDS, **few):
        for name, rows in (("examples", examples), ("items", items)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        shots = {"file": str(tmp_path / "examples.jsonl"), "k": 2} | few
        about = {"name": "t", "file": str(tmp_path / "items.jsonl"), "fields": of_items, "few_shot": shots}
        return TaskSpec.model_validate(about if few.get("k", 2) else {**about, "few_shot": None})

    return made


def shown(item):
    return [(turn.role, turn.text) for turn in item.examples]


def test_the_first_k_come_in_the_order_of_the_file_with_their_chains(task):
    _, other = load_task(task(), 0)
    assert shown(other) == [
        ("user", "Which is round?\nChoices:\n(A) ball\n(B) box"),
        ("assistant", "Let's think step by step: A ball rolls.\n\nThe single, most likely answer is (A)."),
        ("user", "Which is red?\nChoices:\n(A) sky\n(B) blood"),
        ("assistant", "The single, most likely answer is (B)."),
    ]
    assert [turn.brief for turn in other.examples] == [None, "The single, most likely answer is (A).", None, None]


def test_an_item_is_never_among_its_examples_and_the_next_takes_the_place(task):
    own, other = load_task(task(), 0)
    assert [text.partition("\n")[0] for role, text in shown(own) if role == "user"] == [
        "Which is round?",
        "Which is wet?",
    ]
    assert own.examples[:2] == other.examples[:2]


def test_the_same_question_about_other_choices_is_another_item(task):
    """All items of some tasks have one question, such as "Which statement is sarcastic?"."""
    (item,) = load_task(task(items=[{"question": "Which is red?", "choices": ["rose", "grass"], "gold": "A"}]), 0)
    assert shown(item)[2] == ("user", "Which is red?\nChoices:\n(A) sky\n(B) blood")


def test_columns_may_have_other_names_and_other_formats_work(task):
    examples = [{"q": "2 + 2?", "a": 4, "why": "Two and two."}, {"q": "Is it 5?", "a": 5}]
    items = [{"q": "3 + 3?", "a": 6}]
    fields = {"question": "q", "gold": "a"}
    (item,) = load_task(task(examples, items, fields, fields={**fields, "chain": "why"}), 0)
    assert shown(item)[1] == (
        "assistant",
        "Let's think step by step: Two and two.\n\nThe single, most likely answer is 4.",
    )
    booleans = [{"q": "Wet?", "a": "yes"}, {"q": "Dry?", "a": "no"}]
    (item,) = load_task(task(booleans, [{"q": "Hot?", "a": "yes"}], fields, fields=fields), 0)
    assert [text for role, text in shown(item) if role == "assistant"] == [
        "The single, most likely answer is Yes.",
        "The single, most likely answer is No.",
    ]


def test_generated_tasks_take_examples(task, tmp_path):
    few = task(examples=[{"question": "2 + 2?", "gold": "4"}], k=1).few_shot
    items = load_task(TaskSpec(name="sums", generator="addition", n=2, few_shot=few), 0)
    assert [len(item.examples) for item in items] == [2, 2]


def test_items_themselves_stay(task):
    with_, without = load_task(task(), 0), load_task(task(k=0), 0)
    assert fingerprint(with_) == fingerprint(without)
    assert [asdict(item) | {"examples": ()} for item in with_] == [asdict(item) for item in without]


@pytest.mark.parametrize(
    ("few", "words"),
    [
        ({"k": 4, "items": ITEMS[1:]}, "'t', few_shot: k is 4, and .*examples.jsonl has 3 examples. Add examples"),
        ({"k": 3}, "k is 3, and .* has 3 examples, 2 of them other than item 't-000000' itself"),
        ({"examples": []}, "the file is empty"),
        (
            {"examples": [{"question": "q", "gold": "x"}] * 2},
            "are text, and those of the items choice. Use examples of",
        ),
        ({"examples": [{"question": "q", "choices": ["x", "y"]}]}, "question|gold"),
        ({"examples": [{**EXAMPLES[0], "gold": "C"}]}, "gold"),
        ({"examples": [{**EXAMPLES[0], "chain": 5}]}, "field 'chain' is a number, expected a text"),
        (
            {"fields": {"chain": "reason"}},
            "no record has the column 'reason' .chain.. It has question, choices, gold, chain",
        ),
        ({"fields": {"questions": "q"}}, "few_shot.fields: Unknown field 'questions'. Did you mean 'question'"),
        ({"file": "nowhere.jsonl"}, "nowhere.jsonl: there is no such file"),
    ],
)
def test_what_is_refused(task, few, words):
    with pytest.raises(InputError, match=words) as found:
        load_task(task(**few), 0)
    assert isinstance(found.value, TaskError | SpecError)


def test_k_is_at_least_one_and_a_file_is_needed():
    for few in ({"file": "f", "k": 0}, {"k": 1}, {"file": "f"}):
        with pytest.raises(SpecError, match="few_shot"):
            parse_spec(
                {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "file": "f", "few_shot": few}]}
            )


def test_examples_are_part_of_what_the_run_is(task, tmp_path):
    def ident(one):
        tasks = [one.model_dump()]
        plan = make_plan(
            parse_spec(
                {"models": [{"id": "m", "engine": "stub"}], "tasks": tasks, "output": {"path": str(tmp_path / "r")}}
            )
        )
        return identity(plan.resolved, plan.weights, plan.templates, plan.items)

    plain, two, one = ident(task(k=0)), ident(task()), ident(task(k=1))
    assert "few_shot" not in plain.tasks["t"]
    check_same_run(two, ident(task()), "run")
    for old, new in ((plain, two), (two, plain), (two, one)):
        with pytest.raises(RunConflictError, match=r"tasks.t.few_shot.*: the run has"):
            check_same_run(old, new, "run")
    before = examples_digest(task())
    assert examples_digest(task([*EXAMPLES[:2], {**EXAMPLES[2], "gold": "B"}])) != before
