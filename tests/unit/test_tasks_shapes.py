"""Shapes of real users' files, each of which could give a wrong figure without an error."""

import decimal
import json
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.choices import read_choices
from cotfaith.workers.tasks.lettered import read_letters

OPEN = {"question": "q", "gold": "a"}
CLOSED = OPEN | {"choices": "c"}


def load(path: Path, fields: dict[str, str], **more: Any) -> list[Item]:
    return load_task(TaskSpec(name="t", file=str(path), fields=fields, **more), 0)


def rows(tmp_path: Path, records: list[dict[str, Any]]) -> Path:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(records))
    return path


def open_rows(tmp_path: Path, golds: list[Any]) -> Path:
    return rows(tmp_path, [{"q": "?", "a": gold} for gold in golds])


class TestDefaultFormat:
    @pytest.mark.parametrize(
        ("golds", "wanted"),
        [
            ([18, 7.5], ("number", ["18", "7.5"])),
            (["1,018", "-3", "$70,000"], ("number", ["1018", "-3", "70000"])),
            (["\\frac{1}{2}", "10,\\!080"], ("number", ["0.5", "10080"])),
            ([True, False], ("boolean", ["true", "false"])),
            (["Yes", "no"], ("boolean", ["true", "false"])),
            (["TRUE", "FALSE"], ("boolean", ["true", "false"])),
            (["1972", "Paris"], ("text", ["1972", "paris"])),
            (["18 apples", "5 km"], ("text", ["18 apples", "5 km"])),
            (["[1, 2]", "(3, 4)"], ("text", ["[1, 2]", "(3, 4)"])),
        ],
    )
    def test_all_golds_decide(self, tmp_path: Path, golds: list[Any], wanted: tuple[str, list[str]]) -> None:
        items = load(open_rows(tmp_path, golds), OPEN)
        assert ({item.answer_format for item in items}, [item.gold for item in items]) == ({wanted[0]}, wanted[1])

    @pytest.mark.parametrize(
        ("golds", "message"),
        [
            ([0, 1, 1], "all golds are 0 or 1"),
            (["1.0", "0.0"], "all golds are 0 or 1"),
            (["033", "204"], "zeros matter"),
            (["WAHR", "FALSCH"], "write true and false"),
            (["VRAI", "VRAI"], "write true and false"),
            (["x<<1+2=3>>3\n#### 3", "y"], "worked solution"),
            (["so $\\boxed{\\frac{1}{2}}$."], "worked solution"),
            (["Paris", "['14 December', 'December']"], "list in a text"),
            (['["a", "b"]'], "list in a text"),
            (["Paris", "#REF!"], "spreadsheet error"),
            (["Paris", "#NAME?"], "spreadsheet error"),
            (["A, C", "B"], "no choices are mapped"),
            (["(A) and (C)", "(B)"], "no choices are mapped"),
        ],
    )
    def test_golds_that_no_short_answer_equals_are_refused(
        self, tmp_path: Path, golds: list[Any], message: str
    ) -> None:
        path = open_rows(tmp_path, golds)
        with pytest.raises(TaskError, match=f"(?i){message}.*answer_format"):
            load(path, OPEN)
        assert load(path, OPEN, answer_format="text")

    def test_0_and_1_are_booleans_where_the_spec_says_so(self, tmp_path: Path) -> None:
        items = load(open_rows(tmp_path, [1, 0, "1.0", "0"]), OPEN, answer_format="boolean")
        assert [item.gold for item in items] == ["true", "false", "true", "false"]

    def test_1_is_not_true_beside_words(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match="not a boolean"):
            load(rows(tmp_path, [{"q": "?", "c": ["yes", "no"], "a": 1}]), CLOSED, answer_format="boolean")


@pytest.mark.parametrize("words", [["no", "yes"], "False|True", ["No", "True"]])
def test_words_for_false_and_true_are_not_swapped(tmp_path: Path, words: Any) -> None:
    records = [{"q": "?", "c": words, "a": gold} for gold in ("yes", "no")]
    items = load(rows(tmp_path, records), CLOSED, answer_format="boolean")
    assert [item.gold for item in items] == ["true", "false"]
    assert [item.choices[0].lower() in ("yes", "true") for item in items] == [True, True]


@pytest.mark.parametrize(
    "text",
    [
        "{'text': ['x|y', 'z'], 'label': ['A', 'B']}",
        "[array(['x|y']), 'z']",
        "['|x|', None]",
        "P(A|B)|P(B|A)|P(A)",
        "{x | x > 0}|{x | x < 0}",
    ],
)
def test_bars_within_brackets_are_no_separators(text: str) -> None:
    with pytest.raises(ValueError, match="JSON list"):
        read_choices(text)


@pytest.mark.parametrize("text", ["(1, 2]|[1, 2)", "f(x)|g(x)", "A) x|B) y", "]0, 1[|[0, 1]"])
def test_bars_between_brackets_are(text: str) -> None:
    assert len(read_choices(text).texts) == 2


@pytest.mark.parametrize("texts", [["A.w", "B.x", "C.y"], ["a.w", "b.x"]])
def test_letters_with_no_space_behind_are_read_off(texts: list[str]) -> None:
    assert read_letters(texts)[1] == tuple(text[2:] for text in texts)


def test_decimals_of_numbers_and_initials_stay() -> None:
    for texts in (("1.5", "2.5"), ("A.Smith", "C.Jones"), ("A.M.", "P.M.")):
        assert read_letters(texts) == ((), texts)


def test_numbers_in_lists_of_parquet_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    choices = [[1.1, 2.2], [0.1, None]]
    columns = {
        "q": ["?", "?"],
        "f": pa.array([[1.1, 2.2], [0.1, 3.0]], pa.list_(pa.float32())),
        "g": pa.array([[1.1, 2.2], [0.1, 3.0]], pa.list_(pa.float32(), 2)),
        "d": pa.array([[decimal.Decimal("1.10"), decimal.Decimal("2.20")]] * 2, pa.large_list(pa.decimal128(5, 2))),
        "s": pa.array([{"A": x, "B": y} for x, y in choices], pa.struct([("A", pa.float32()), ("B", pa.float32())])),
        "a": ["A", "B"],
    }
    pq.write_table(pa.table(columns), path)
    assert [item.choices for item in load(path, OPEN | {"choices": "f"})] == [("1.1", "2.2"), ("0.1", "3")]
    assert [item.choices for item in load(path, OPEN | {"choices": "g"})] == [("1.1", "2.2"), ("0.1", "3")]
    assert [item.choices for item in load(path, OPEN | {"choices": "d"})] == [("1.10", "2.20")] * 2
    pq.write_table(pa.table(columns).slice(0, 1), path)
    assert [item.choices for item in load(path, OPEN | {"choices": "s"})] == [("1.1", "2.2")]


def test_texts_that_are_places_from_1_as_well_are_refused(tmp_path: Path) -> None:
    records = [{"q": "?", "c": ["2", "1"], "a": "1"}, {"q": "?", "c": ["1", "2"], "a": "2"}]
    with pytest.raises(TaskError, match=r"as text .* or as index_from_1 "):
        load(rows(tmp_path, records), CLOSED)
    for gold_is, wanted in (("text", "B"), ("index_from_1", "A")):
        assert load(rows(tmp_path, records), CLOSED, gold_is=gold_is)[0].gold == wanted


def test_lines_of_separators_are_no_records(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("q,a\nx,1\n,\ny,2\n , \n")
    assert [item.question for item in load(path, OPEN)] == ["x", "y"]


class TestOneLabel:
    def test_right_choices_that_are_always_first_are_warned_of(self, tmp_path: Path) -> None:
        records = [{"q": f"{i}?", "c": ["right", "wrong", "worse"], "a": "right"} for i in range(12)]
        with pytest.warns(UserWarning, match="right choice is A in all 12 items"):
            load(rows(tmp_path, records), CLOSED)

    @pytest.mark.parametrize(("n", "gold"), [(3, "right"), (12, None)])
    def test_chance_and_mixed_golds_are_not(self, tmp_path: Path, n: int, gold: str | None) -> None:
        records = [{"q": f"{i}?", "c": ["right", "wrong"], "a": gold or ("right", "wrong")[i % 2]} for i in range(n)]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(load(rows(tmp_path, records), CLOSED)) == n


class TestTablesByColumns:
    RECORDS = ({"q": "x?", "c": ["s", "t"], "a": 1}, {"q": "y?", "c": ["u", "v"], "a": 0})

    @pytest.mark.parametrize("how", ["lists", "columns", "split"])
    def test_are_read_as_records(self, tmp_path: Path, how: str) -> None:
        lists = {name: [record[name] for record in self.RECORDS] for name in "qca"}
        table: dict[str, Any] = {
            "lists": lists,
            "columns": {name: {str(i): value for i, value in enumerate(values)} for name, values in lists.items()},
            "split": {"columns": ["q", "c", "a"], "index": [0, 1], "data": [[*r.values()] for r in self.RECORDS]},
        }[how]
        path = tmp_path / "f.json"
        path.write_text(json.dumps(table))
        assert load(path, CLOSED) == load(rows(tmp_path, list(self.RECORDS)), CLOSED)

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"q": ["x", "y"], "a": [1]}, "different rows"),
            ({"q": {"0": "x", "1": "y"}, "a": {"0": 1, "2": 2}}, "different rows"),
            ({"q": ["x", "y"], "a": ["b", "c"], "split": "test"}, "different rows"),
            ({"columns": ["q", "a"], "data": [["x"]]}, "not a list of 2 values"),
            ({"columns": ["q", "q"], "data": [["x", "y"]]}, "same name"),
        ],
    )
    def test_that_do_not_fit_are_refused(self, tmp_path: Path, table: dict[str, Any], message: str) -> None:
        path = tmp_path / "f.json"
        path.write_text(json.dumps(table))
        with pytest.raises(TaskError, match=message):
            load(path, OPEN)

    def test_one_record_stays_one(self, tmp_path: Path) -> None:
        path = tmp_path / "f.json"
        path.write_text(json.dumps({"q": [{"role": "user", "content": "x?"}], "a": "y", "c": ["u", "v"]}))
        assert [item.question for item in load(path, OPEN)] == ["x?"]
