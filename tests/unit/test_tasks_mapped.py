import json
from pathlib import Path
from typing import Any

import pytest

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.choices import Choices, read_choices
from cotfaith.workers.tasks.golds import gold_label
from cotfaith.workers.text.canonical import canonical_boolean, canonical_number, canonical_text

FIELDS = {"question": "q", "gold": "a"}


def load(tmp_path: Path, rows: list[dict[str, Any]], fields: dict[str, str] | None = None, **more: Any) -> list[Item]:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(rows))
    return load_task(TaskSpec(name="t", file=str(path), fields=fields or FIELDS, **more), 0)


def test_all_fields(tmp_path: Path) -> None:
    fields = {"id": "key", "question": "q", "choices": "c", "gold": "a", "difficulty": "level"}
    row = {"key": 7, "q": " Which? ", "c": ["one", 2], "a": "two", "level": "3", "ignored": "x"}
    items = load(tmp_path, [{**row, "a": "b"}, {**row, "key": "k", "a": "One", "level": None}], fields)
    assert items[0] == Item("7", "Which?", "B", "choice", ("one", "2"), 3.0)
    assert items[1] == Item("k", "Which?", "A", "choice", ("one", "2"), None)


def test_ids_are_numbered(tmp_path: Path) -> None:
    assert [item.id for item in load(tmp_path, [{"q": "?", "a": "x"}] * 2)] == ["t-000000", "t-000001"]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('q,c,a\nWhich?,one | two,(B)\nWhich?,"[""x|y"", ""z""]",x|y\n')
    items = load_task(TaskSpec(name="t", file=str(path), fields={**FIELDS, "choices": "c"}), 0)
    assert [(item.choices, item.gold) for item in items] == [(("one", "two"), "B"), (("x|y", "z"), "A")]


def test_text_is_the_default(tmp_path: Path) -> None:
    (item,) = load(tmp_path, [{"q": "?", "a": "  Dark\n Blue "}])
    assert (item.answer_format, item.gold, item.choices) == ("text", "dark blue", ())


def test_number(tmp_path: Path) -> None:
    items = load(tmp_path, [{"q": "?", "a": a} for a in ("1,234", 18.0, -3)], answer_format="number")
    assert [item.gold for item in items] == ["1234", "18", "-3"]


def test_boolean_words(tmp_path: Path) -> None:
    items = load(tmp_path, [{"q": "?", "a": a} for a in (True, "FALSE")], answer_format="boolean")
    assert [(item.gold, item.choices) for item in items] == [("true", ("True", "False")), ("false", ("True", "False"))]
    (item,) = load(tmp_path, [{"q": "?", "a": "no"}], answer_format="boolean")
    assert (item.gold, item.choices) == ("false", ("Yes", "No"))
    fields = {**FIELDS, "choices": "c"}
    (item,) = load(tmp_path, [{"q": "?", "a": "no", "c": "valid|invalid"}], fields, answer_format="boolean")
    assert (item.gold, item.choices) == ("false", ("valid", "invalid"))


@pytest.mark.parametrize(
    ("fields", "answer_format", "message"),
    [
        ({**FIELDS, "dificulty": "d"}, None, "task 't', fields: Unknown field 'dificulty'. Did you mean 'difficulty'"),
        ({"gold": "a"}, None, "name the column with the question"),
        ({"question": "q"}, None, "name the column with the gold"),
        (FIELDS, "choice", "needs a column for choices"),
        ({**FIELDS, "choices": "c"}, "number", "number takes no choices"),
    ],
)
def test_bad_fields(tmp_path: Path, fields: dict[str, str], answer_format: str | None, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load(tmp_path, [{"q": "?", "a": "x"}], fields, answer_format=answer_format)


@pytest.mark.parametrize(
    ("bad", "answer_format", "message"),
    [
        ({"q": "?", "c": ["x", "y"]}, None, "field 'a' is missing; the record has q, c"),
        ({"q": "?", "c": ["x", "y"], "a": None}, None, "field 'a' is empty"),
        ({"q": " ", "c": ["x", "y"], "a": "A"}, None, "field 'q' is empty"),
        ({"q": "?", "c": ["x", "y"], "a": "z"}, None, "gold 'z' is not one of the choices A: 'x', B: 'y'"),
        ({"q": "?", "c": ["x", "y"], "a": "C"}, None, "gold 'C' is not one of the choices"),
        ({"q": "?", "c": ["x", "y"], "a": 2}, None, "gold 2 is not one of the choices"),
        ({"q": "?", "c": {"text": []}, "a": 0}, None, "choices must be a list, text with | between them"),
        ({"q": "?", "c": list("x" * 27), "a": 0}, None, "27 choices; at most 26"),
        ({"q": "?", "c": ["x", "y"], "a": "maybe"}, "boolean", "gold 'maybe' is not a boolean"),
    ],
)
def test_bad_records(tmp_path: Path, bad: dict[str, Any], answer_format: str | None, message: str) -> None:
    good = {"q": "?", "c": ["x", "y"], "a": "yes" if answer_format else "A"}
    with pytest.raises(TaskError) as error:
        load(tmp_path, [good, bad], {**FIELDS, "choices": "c"}, answer_format=answer_format)
    assert f"{tmp_path / 'f.json'}, record 1 (counted from 0): {message}" in str(error.value)


def test_bad_number_and_difficulty(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"record 0 .*gold 'many' is not a number"):
        load(tmp_path, [{"q": "?", "a": "many"}], answer_format="number")
    with pytest.raises(TaskError, match=r"record 0 .*difficulty 'hard' \(field 'd'\) is not a number"):
        load(tmp_path, [{"q": "?", "a": "x", "d": "hard"}], {**FIELDS, "difficulty": "d"})
    with pytest.raises(TaskError, match=r"record 0 .*field 'd' is missing; the record has q, a"):
        load(tmp_path, [{"q": "?", "a": "x"}], {**FIELDS, "difficulty": "d"})


def test_one_choice_alone(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"task 't', item 't-000000'.*it has 1 choices"):
        load(tmp_path, [{"q": "?", "a": "A", "c": ["x"]}], {**FIELDS, "choices": "c"})


@pytest.mark.parametrize(
    ("gold", "choices", "label"),
    [
        ("B", ("x", "y"), "B"),
        ("(b)", ("x", "y"), "B"),
        ("b.", ("x", "y"), "B"),
        (1, ("x", "y"), "B"),
        (0, ("x", "y"), "A"),
        ("Y", ("x", "y"), "B"),
        ("x", ("X", "x"), "B"),  # case counts where it must
        ("7", ("5", "7"), "B"),
        ("a", ("a", "b"), "A"),  # label and text agree
        ("B", ("x", "x"), "B"),
        (2, ("0", "1", "2"), "C"),  # index and text agree
    ],
)
def test_gold_label(gold: object, choices: tuple[str, ...], label: str) -> None:
    assert gold_label(gold, Choices(choices)) == label


@pytest.mark.parametrize(
    ("gold", "choices", "message"),
    [
        ("A", ("b", "a"), "can mean A or B"),
        (1, ("1", "2"), "can mean A or B"),
        ("x", ("x", "x"), "can mean A or B"),
        (-1, ("x", "y"), "not one of the choices"),
        (True, ("x", "y"), "not one of the choices"),
        (1.0, ("x", "y"), "not one of the choices"),
        ("1", ("x", "y"), "not one of the choices"),
    ],
)
def test_bad_gold_label(gold: object, choices: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gold_label(gold, Choices(choices))


def test_read_choices() -> None:
    assert read_choices("[low] tide|high").texts == ("[low] tide", "high")
    assert read_choices(["a", 1, 2.5]).texts == ("a", "1", "2.5")
    for value in ([["a"]], None):
        with pytest.raises(ValueError, match="choices must be a list"):
            read_choices(value)


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("1,234", "1234"),
        (" -1,234,567.50 ", "-1234567.5"),
        ("18.0", "18"),
        ("\u22125", "-5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("-0.0", "0"),
        ("100", "100"),
        ("007", "7"),
        (1e20, "100000000000000000000"),
        (1e-7, "0.0000001"),
        (0.1, "0.1"),
        (12, "12"),
        ("1,23", "1.23"),
        ("1e5", "100000"),
        ("", None),
        ("-", None),
        ("$5", "5"),
        ("5 apples", None),
        (True, None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_canonical_number(value: object, canonical: str | None) -> None:
    assert canonical_number(value) == canonical


def test_other_canonical_forms() -> None:
    assert [canonical_boolean(v) for v in (True, " YES", "no", "False", 1, "maybe")] == [
        "true",
        "true",
        "false",
        "false",
        None,
        None,
    ]
    assert [canonical_text(v) for v in ("A  B", 5, " ", None, True)] == ["a b", "5", None, None, None]
