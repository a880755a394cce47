"""Every adapter on the published files. They are not in the repository: tests are skipped if the files are missing."""

import warnings
from collections import Counter
from pathlib import Path

import pytest

from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import fingerprint, load_task

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the published evaluation sets are not at {DATA}")

BBH_BOOLEAN = {"boolean_expressions", "sports_understanding", "web_of_lies"}
BBH_NUMBER = {"multistep_arithmetic_two", "object_counting"}
BBH_TEXT = {"dyck_languages", "word_sorting"}
BBH_CHOICE = {
    "causal_judgement",
    "date_understanding",
    "disambiguation_qa",
    "formal_fallacies",
    "geometric_shapes",
    "hyperbaton",
    "logical_deduction_five_objects",
    "logical_deduction_seven_objects",
    "logical_deduction_three_objects",
    "movie_recommendation",
    "navigate",
    "penguins_in_a_table",
    "reasoning_about_colored_objects",
    "ruin_names",
    "salient_translation_error_detection",
    "snarks",
    "temporal_sequences",
    "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
}
BBH_SIZES = {"causal_judgement": 187, "penguins_in_a_table": 146, "snarks": 178}
BBH_LEFT_OUT = {"movie_recommendation": 1, "ruin_names": 2, "snarks": 1}


def load(path: str, adapter: str) -> list[Item]:
    return load_task(TaskSpec(name="t", file=str(DATA / path), adapter=adapter, n=10_000), 0)


def test_the_27_tasks_of_bbh_are_all_here() -> None:
    names = {path.stem for path in (DATA / "bbh").glob("*.json")}
    assert names == BBH_BOOLEAN | BBH_NUMBER | BBH_TEXT | BBH_CHOICE
    assert len(names) == 27


@pytest.mark.parametrize("name", sorted(BBH_BOOLEAN | BBH_NUMBER | BBH_TEXT | BBH_CHOICE))
def test_bbh(name: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        items = load(f"bbh/{name}.json", "bbh")
    size, left_out = BBH_SIZES.get(name, 250), BBH_LEFT_OUT.get(name, 0)
    assert len(items) == size - left_out
    counted = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    assert len(counted) == (left_out > 0)
    assert all(f"{left_out} of {size} items left out" in message for message in counted)
    families = {"boolean": BBH_BOOLEAN, "number": BBH_NUMBER, "text": BBH_TEXT, "choice": BBH_CHOICE}
    assert [f for f in families if name in families[f]] == list({item.answer_format for item in items})
    assert not any("Options:" in item.question or "canary" in item.question.lower() for item in items)


@pytest.mark.parametrize(
    ("name", "end", "choices", "gold"),
    [
        ("boolean_expressions", "not ( True ) and ( True ) is", ("True", "False"), "false"),
        ("causal_judgement", "Did the black wire cause the short circuit?", ("Yes", "No"), "B"),
        ("formal_fallacies", "deductively valid or invalid?", ("valid", "invalid"), "B"),
        (
            "date_understanding",
            "What is the date tomorrow in MM/DD/YYYY?",
            ("12/11/1937", "12/25/1937", "01/04/1938", "12/04/1937", "12/25/2006", "07/25/1937"),
            "B",
        ),
        (
            "tracking_shuffled_objects_three_objects",
            "At the end of the semester, Bob has",
            ("Ulysses", "Frankenstein", "Lolita"),
            "B",
        ),
        ("sports_understanding", '"Elias Lindholm beat the buzzer."', ("yes", "no"), "false"),
        ("web_of_lies", "Does Elanor tell the truth?", ("Yes", "No"), "false"),
        ("multistep_arithmetic_two", "((-1 + 2 + 9 * 5) - (-2 + -4 + -4 * -7)) =", (), "24"),
        ("word_sorting", "List: syndrome therefrom", (), "syndrome therefrom"),
        ("dyck_languages", "Input: [ [", (), "] ]"),
    ],
)
def test_first_item_of_bbh(name: str, end: str, choices: tuple[str, ...], gold: str) -> None:
    first = load(f"bbh/{name}.json", "bbh")[0]
    assert first.question.endswith(end)
    assert (first.choices, first.gold) == (choices, gold)


def test_multistep_arithmetic_golds_are_right() -> None:
    for item in load("bbh/multistep_arithmetic_two.json", "bbh"):
        assert str(eval(item.question.removesuffix("="), {"__builtins__": {}})) == item.gold


def test_gsm8k() -> None:
    items = load("gsm8k/test.jsonl", "gsm8k")
    assert len(items) == 1319
    assert items[0].question.startswith("Janet")
    assert items[0].gold == "18"
    assert sum(int(item.gold) > 999 and item.gold.isdigit() for item in items) >= 14  # including those with separators


@pytest.mark.parametrize("part", ["dev", "test"])
def test_aqua(part: str) -> None:
    items = load(f"aqua/{part}.json", "aqua")
    assert len(items) == 254
    assert {item.labels for item in items} == {tuple("ABCDE")}
    assert not any(choice.startswith(("A)", "B)", "C)", "D)", "E)")) for item in items for choice in item.choices)
    if part == "dev":
        assert (items[0].choices, items[0].gold) == (("32400", "6000", "600", "60000", "10"), "A")


def test_strategyqa() -> None:
    items = load("strategyqa/dev.json", "strategyqa")
    assert len(items) == 229
    assert (items[0].id, items[0].gold, items[0].choices) == ("e0044a7b4d146d611e73", "false", ("Yes", "No"))
    assert items[0].question.startswith("Will the Albany in Georgia reach")
    assert {item.gold for item in items} == {"true", "false"}


def test_openbookqa() -> None:
    items = load("openbookqa/test.json", "llm_adapters")
    assert len(items) == 500
    assert {len(item.choices) for item in items} == {4}
    assert items[0].question.startswith("A person wants to start saving money")
    assert items[0].choices[1] == "quit eating lunch out"
    assert items[0].gold == "B"


def test_arc_easy() -> None:
    items = load("arc_easy/test.json", "llm_adapters")
    assert len(items) == 2376
    assert Counter(len(item.choices) for item in items) == {4: 2365, 3: 7, 5: 4}
    assert items[0].choices[0] == "Sunlight is the source of energy for nearly all ecosystems."
    assert items[0].gold == "A"
    assert not any("Answer format" in text or "Answer1" in text for i in items for text in (i.question, *i.choices))


def test_a_published_file_by_mapping() -> None:
    fields = {"id": "qid", "question": "question", "gold": "answer"}
    spec = TaskSpec(
        name="t", file=str(DATA / "strategyqa/dev.json"), fields=fields, answer_format="boolean", shuffle=True, n=50
    )
    first, second = load_task(spec, 1), load_task(spec, 1)
    assert fingerprint(first) == fingerprint(second) != fingerprint(load_task(spec, 2))
