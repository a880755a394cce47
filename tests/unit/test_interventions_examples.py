"""Interventions with worked examples: marks, orders, whose examples they are, and the paper's own prompts."""

import json
import re
from dataclasses import replace

import pytest

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import InterventionSpec
from cotfaith.schemas.variants import Turn
from cotfaith.workers.interventions import find_intervention
from cotfaith.workers.interventions.lib.applied import Applied
from cotfaith.workers.interventions.lib.relabelled import with_gold_first
from cotfaith.workers.tasks.few_shot import Example
from cotfaith.workers.text.questions import framed_text

RED = Item("a", "Which is red?", "B", "choice", ("sky", "blood", "grass"))
ROWS = [
    {"question": "Which is blue?", "choices": ["sky", "coal"], "gold": "A", "chain": "(B) is black. So (A)."},
    {
        "question": "Which is green?",
        "choices": ["snow", "coal", "grass"],
        "gold": "C",
        "chain": "(A) is white. So (C).",
    },
    {
        "question": "Which is black?",
        "choices": ["snow", "{answer} coal"],
        "gold": "B",
        "chain": "I know: (B), not (A).",
    },
]
NAMES = ("hint_visual_pattern", "answer_always_a")


def written(tmp_path, rows=ROWS):
    path = tmp_path / "examples.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def few(tmp_path, k, rows=ROWS, chain=False):
    fields = {"chain": "chain"} if chain else {}
    rows = rows if chain else [{name: row[name] for name in row if name != "chain"} for row in rows]
    return {"file": written(tmp_path, rows), "k": k, "fields": fields}


def variants(name, item=RED, **options):
    return Applied(*find_intervention(InterventionSpec(name=name, options=options))).variants(0, "t", item)


def answered(answer):
    return Turn("assistant", f"The single, most likely answer is ({answer}).")


def test_the_mark_is_at_the_right_choices_and_at_the_target(tmp_path):
    found = variants("hint_visual_pattern", examples=few(tmp_path, 2))
    blue = Turn("user", "Which is blue?\nChoices:\n\N{BLACK SQUARE} (A) sky\n(B) coal")
    green = Turn("user", "Which is green?\nChoices:\n(A) snow\n(B) coal\n\N{BLACK SQUARE} (C) grass")
    assert found["correct"].framing.turns == (blue, answered("A"), green, answered("C"))
    asked = framed_text(replace(RED, variant=found["correct"]))
    assert asked == "Which is red?\nChoices:\n(A) sky\n\N{BLACK SQUARE} (B) blood\n(C) grass"
    wrong = found["wrong"]
    assert wrong.target in ("A", "C")
    assert [bool(mark) for mark in wrong.framing.marks] == [label == wrong.target for label in "ABC"]
    assert wrong.framing.turns == found["correct"].framing.turns


def test_without_an_answer_nothing_is_marked_and_the_order_is_the_files(tmp_path):
    found = variants("hint_visual_pattern", examples=few(tmp_path, 2), mark="*")
    neutral, marked = found["neutral"].framing, found["correct"].framing
    assert neutral.turns == tuple(replace(turn, text=turn.text.replace("* ", "")) for turn in marked.turns)
    assert "*" not in "".join(turn.text for turn in neutral.turns)
    assert (neutral.marks, neutral.before, neutral.after) == ((), "", "")


@pytest.mark.parametrize("mark", ["", " ", "a b", "x\n"])
def test_a_mark_is_one_word(tmp_path, mark):
    with pytest.raises(SpecError, match=r"hint_visual_pattern.options: mark"):
        variants("hint_visual_pattern", examples=few(tmp_path, 2), mark=mark)


def test_always_a_moves_the_right_choice_and_the_labels_in_its_chain(tmp_path):
    found = variants("answer_always_a", examples=few(tmp_path, 3, chain=True))
    assert {arm: one.target for arm, one in found.items()} == {"biased": "A", "neutral": None}
    turns = found["biased"].framing.turns
    assert turns[2].text == "Which is green?\nChoices:\n(A) grass\n(B) coal\n(C) snow"
    said = "Let's think step by step: (C) is white. So (A).\n\nThe single, most likely answer is (A)."
    assert (turns[3].text, turns[3].brief) == (said, "The single, most likely answer is (A).")
    assert turns[4].text == "Which is black?\nChoices:\n(A) {answer} coal\n(B) snow"
    assert turns[5].text.startswith("Let's think step by step: I know: (A), not (B).")
    own = found["neutral"].framing.turns
    assert [turn.text for turn in own[2:4]] == [
        "Which is green?\nChoices:\n(A) snow\n(B) coal\n(C) grass",
        "Let's think step by step: (A) is white. So (C).\n\nThe single, most likely answer is (C).",
    ]
    assert own[:2] == turns[:2]  # its answer is A already


def test_always_a_has_the_target_a_on_every_item(tmp_path):
    for gold in "ABC":
        found = variants("answer_always_a", replace(RED, gold=gold), examples=few(tmp_path, 2))
        assert (found["biased"].target, found["neutral"].target) == ("A", None)


@pytest.mark.parametrize("said", ["So option C it is.", "The answer is C.", "Choice **C** is right", "not option A"])
def test_labels_that_cannot_be_moved_for_certain_are_refused(said):
    item = Item("e1", "Which?", "C", "choice", ("x", "y", "z"))
    with pytest.raises(
        TaskError, match=r"the example 'Which\?' cannot be reordered: its chain says '.*Write its labels"
    ):
        with_gold_first(Example(item, said))
    assert with_gold_first(Example(replace(item, gold="A"), said)).chain == said  # it stays as it is


@pytest.mark.parametrize("said", ["A good answer needs thought. (C)", "Option Charlie", "an answer: Because"])
def test_words_are_no_labels(said):
    example = Example(Item("e1", "?", "C", "choice", ("x", "y", "z")), said)
    assert with_gold_first(example).chain == said.replace("(C)", "(A)")


@pytest.mark.parametrize("n", [2, 26])
def test_a_choice_at_any_place_changes_places_with_the_first(n):
    texts = tuple(f"text {place}" for place in range(n))
    for place, label in enumerate(CHOICE_LABELS[:n]):
        found = with_gold_first(Example(Item("e", "?", label, "choice", texts), None)).item
        assert (found.gold, found.choices[0], found.choices[place]) == ("A", texts[place], texts[0])
        assert sorted(found.choices) == sorted(texts)


@pytest.mark.parametrize("name", NAMES)
def test_the_item_is_never_among_its_examples(tmp_path, name):
    same = Item("s", "Which is  blue?", "B", "choice", ("coal", "sky"))  # its choices in another order
    found = variants(name, same, examples=few(tmp_path, 2))["neutral"].framing.turns
    assert [turn.text.partition("?")[0] for turn in found[::2]] == ["Which is green", "Which is black"]
    other = replace(same, choices=("snow", "sea"))  # the same question about other choices
    found = variants(name, other, examples=few(tmp_path, 1))["neutral"].framing.turns
    assert found[0].text.startswith("Which is blue?")
    with pytest.raises(TaskError, match=r"k is 3, and .* has 3 examples, 2 of them other than item 's' itself"):
        variants(name, same, examples=few(tmp_path, 3))


@pytest.mark.parametrize("name", NAMES)
def test_examples_that_cannot_be_used_are_refused(tmp_path, name):
    at = rf"interventions.{name}.examples"
    with pytest.raises(TaskError, match=rf"{at}: k is 5, and .*examples.jsonl has 3 examples\. Add"):
        variants(name, examples=few(tmp_path, 5))
    sums = written(tmp_path, [{"question": "1 + 1?", "gold": "2"}])
    with pytest.raises(TaskError, match=rf"{at}: the answers in .* are number; expected choices"):
        variants(name, examples={"file": sums, "k": 1})
    with pytest.raises(SpecError, match=rf"{at}: the file 'none.csv' cannot be read: No such file"):
        variants(name, examples={"file": "none.csv", "k": 1})
    with pytest.raises(SpecError, match=r"examples.fils: Unknown key 'fils'. Did you mean 'fields'"):
        variants(name, examples={"fils": "x.csv", "k": 1})
    with pytest.raises(SpecError, match=r"examples\.k: "):
        variants(name, examples=few(tmp_path, 0))
    with pytest.raises(TaskError, match="needs multiple-choice items"):
        variants(name, Item("b", "Is it?", "true", "boolean", ("Yes", "No")), examples=few(tmp_path, 2))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_has_changed_is_read_again(tmp_path, name):
    first = variants(name, examples=few(tmp_path, 1))["neutral"].framing.turns
    second = variants(name, examples=few(tmp_path, 1, ROWS[1:]))["neutral"].framing.turns
    assert [one[0].text.partition("?")[0] for one in (first, second)] == ["Which is blue", "Which is green"]


def prompts(tmp_path, data):
    path = tmp_path / "prompts.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return {"file": str(path), "neutral": "plain", "biased": "all_a"}


def test_a_users_own_texts_stand_before_the_question(tmp_path):
    source = prompts(tmp_path, {"plain": "Q: {x}? (A) or (B)\n", "all_a": "Q: {y}? (A)\n"})
    found = variants("answer_always_a", prompts=source)
    asked = "Which is red?\nChoices:\n(A) sky\n(B) blood\n(C) grass"
    assert framed_text(replace(RED, variant=found["biased"])) == f"Q: {{y}}? (A)\n\n{asked}"
    assert framed_text(replace(RED, variant=found["neutral"])) == f"Q: {{x}}? (A) or (B)\n\n{asked}"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("nonsense", "expected a JSON object with two texts"),
        ([1], "has no text under 'plain'; it has a list"),
        ({"plain": "x"}, "has no text under 'all_a'; it has plain"),
        ({"plain": " ", "all_a": "x"}, "has no text under 'plain'"),
        ({"plain": 3, "all_a": "x"}, "has no text under 'plain'"),
    ],
)
def test_texts_that_cannot_be_used_are_refused(tmp_path, data, problem):
    with pytest.raises(SpecError, match=rf"interventions.answer_always_a.prompts: .*{problem}"):
        variants("answer_always_a", prompts=prompts(tmp_path, data))


def test_texts_that_hold_the_item_are_refused(tmp_path):
    source = prompts(tmp_path, {"plain": "hello", "all_a": "Which is red? (A) blood (B) grass (C) sky"})
    with pytest.raises(TaskError, match=r"item 'a'.*its question and choices are among the examples of .*prompts.json"):
        variants("answer_always_a", prompts=source)


def test_examples_or_texts_and_not_both(tmp_path):
    for options in ({}, {"examples": few(tmp_path, 2), "prompts": prompts(tmp_path, {})}):
        with pytest.raises(SpecError, match="expected either examples or prompts"):
            variants("answer_always_a", **options)


@pytest.fixture
def published(shared):
    return sorted((shared / "data" / "turpin_bbh").glob("*/few_shot_prompts.json"))


def example_of(block):
    """A published example: question and choices, and the chain from "step by step" on."""
    head, _, chain = block.partition("Let's think step by step")
    listed = re.findall(r"^\([A-Z]\)\s*(.*?)\s*$", head.partition("Please verb")[0], re.MULTILINE)
    gold = re.findall(r"best answer is:? \(([A-Z])\)", chain)[-1]
    return Example(Item("x", head.partition("Answer choices")[0], gold, "choice", tuple(listed)), chain)


def test_reordering_gives_the_papers_own_examples(published):
    """All examples of 13 tasks, reordered by us and by the authors: the same choices, and the same words in chains."""
    pairs = []
    for path in published:
        texts = json.loads(path.read_text())
        blocks = [
            [example_of(block) for block in texts[key].split("###") if block.strip()]
            for key in ("baseline_few_shot_prompt", "all_a_few_shot_prompt")
        ]
        pairs += zip(*blocks, strict=True)
    assert (len(published), len(pairs)) == (13, 142)
    assert sum(one.item.gold != "A" for one, _ in pairs) > 90
    for own, theirs in pairs:
        found = with_gold_first(own)
        assert (found.item.gold, found.item.choices) == ("A", theirs.item.choices)
        assert found.chain.split() == theirs.chain.split()


def test_the_papers_files_are_read_by_their_own_names(published):
    assert len(published) == 13
    for path in published:
        found = variants("answer_always_a", prompts={"file": str(path)})
        texts = json.loads(path.read_text())
        assert found["biased"].framing.before == texts["all_a_few_shot_prompt"].strip()
        assert found["neutral"].framing.before == texts["baseline_few_shot_prompt"].strip()
        answers = re.findall(r"So the best answer is:? \(([A-Z])\)", found["biased"].framing.before)
        assert len(answers) >= 7
        assert set(answers) == {"A"}
