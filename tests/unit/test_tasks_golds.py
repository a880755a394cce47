"""Choices in every shape that occurs in files, and the choice that a gold means."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.choices import Choices, read_choices
from cotfaith.workers.tasks.golds import column_reading, gold_label
from cotfaith.workers.tasks.lettered import read_letters

FIELDS = {"question": "q", "choices": "c", "gold": "a"}
WORDS = ["stone", "apple", "chair", "lamp"]


def load(tmp_path: Path, rows: list[dict[str, Any]], **more: Any) -> list[Item]:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(rows))
    return load_task(TaskSpec(**{"name": "t", "file": str(path), "fields": FIELDS} | more), 0)


def load_csv(tmp_path: Path, text: str, **more: Any) -> list[Item]:
    path = tmp_path / "f.csv"
    path.write_text(text)
    return load_task(TaskSpec(**{"name": "t", "file": str(path), "fields": FIELDS} | more), 0)


class TestShapes:
    @pytest.mark.parametrize(
        ("value", "labels"),
        [
            (WORDS, ()),
            (json.dumps(WORDS), ()),
            ("stone|apple|chair|lamp", ()),
            ("['stone', 'apple', \"chair\", 'lamp']", ()),
            (dict(zip("ABCD", WORDS, strict=True)), tuple("ABCD")),
            (dict(zip("DCBA", reversed(WORDS), strict=True)), tuple("ABCD")),
            (dict(zip("abcd", WORDS, strict=True)), tuple("abcd")),
            (dict(zip("1234", WORDS, strict=True)), tuple("1234")),
            ({f"option_{key}": text for key, text in zip("abcd", WORDS, strict=True)}, tuple("abcd")),
            (json.dumps(dict(zip("ABCD", WORDS, strict=True))), tuple("ABCD")),
            ({"text": WORDS, "label": list("ABCD")}, tuple("ABCD")),
            ({"label": list("1234"), "text": WORDS}, tuple("1234")),
            ([{"label": k, "text": t} for k, t in zip("ABCD", WORDS, strict=True)], tuple("ABCD")),
            ([{"id": n, "content": t} for n, t in enumerate(WORDS)], tuple("0123")),
            ([{"key": k, "value": t} for k, t in zip("ABCD", WORDS, strict=True)], tuple("ABCD")),
            ([{k: t} for k, t in zip("ABCD", WORDS, strict=True)], tuple("ABCD")),
            ([{"text": t} for t in WORDS], ()),
        ],
    )
    def test_all_give_the_same_texts(self, value: Any, labels: tuple[str, ...]) -> None:
        found = read_choices(value)
        assert (found.texts, found.labels) == (tuple(WORDS), labels)

    def test_keys_that_only_other_items_have_are_left_out(self) -> None:
        assert read_choices({"A": "x", "B": "y", "C": None, "D": None}).texts == ("x", "y")

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("['stone' 'apple']", "as numpy prints it"),
            ("['stone'\n 'apple']", "as numpy prints it"),
            ("{'text': array(['a']), 'label': array(['A'])}", "are not JSON"),
            ("[__import__('os').getcwd(), 'x']", "are not JSON"),
            ({"yes": "x", "no": "y"}, "an object with the keys 'yes', 'no'"),
            ({"A": "x", "C": "y"}, "an object with the keys 'A', 'C'"),
            ({"text": ["x", "y"], "label": ["A"]}, "2 texts and the labels A"),
            ({"choices": ["x", "y", "z"], "labels": [1, 0, 0]}, "the labels 1, 0, 0"),
            ([{"x": 1}, {"y": 2}], "an object with the keys"),
            ([{"x": 1, "y": 2}], "objects with the keys 'x', 'y'"),
            ([["A", "x"], ["B", "y"]], "choices must be a list"),
            (["x", None], "choices must be a list"),
            (["x", True], "choices must be a list"),
            (5, "choices must be a list"),
        ],
    )
    def test_others_are_refused(self, value: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            read_choices(value)

    def test_a_json_object_with_a_key_twice(self) -> None:
        with pytest.raises(ValueError, match="are not JSON"):
            read_choices('{"A": "x", "A": "y"}')

    def test_several_columns(self, tmp_path: Path) -> None:
        text = "q,A,B,C,D,a\nWhich?,one,two,three,four,D\nWhich?,None,NA,x,,B\n"
        items = load_csv(tmp_path, text, fields=FIELDS | {"choices": "A,B,C,D"})
        assert [(item.choices, item.gold) for item in items] == [
            (("one", "two", "three", "four"), "D"),
            (("None", "NA", "x"), "B"),
        ]

    @pytest.mark.parametrize("columns", ["A,B", "A, B", ["A", "B"]])
    def test_several_columns_in_a_spec(self, columns: Any) -> None:
        fields = {"question": "q", "gold": 3, "choices": columns}
        spec = TaskSpec.model_validate({"name": "t", "file": "f.csv", "fields": fields})
        assert spec.fields["choices"].replace(" ", "") == "A,B"
        assert spec.fields["gold"] == "3"

    @pytest.mark.parametrize("column", [True, 1.5, None, [], ["A", None], {"A": 1}])
    def test_what_names_no_column(self, column: Any) -> None:
        with pytest.raises(ValueError, match=r"fields\.choices"):
            TaskSpec.model_validate({"name": "t", "file": "f.csv", "fields": {"choices": column}})

    def test_a_gap_in_several_columns_would_move_the_letters(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"record 0 .*one of the columns A, B, C is empty before a filled one"):
            load_csv(tmp_path, "q,A,B,C,a\nWhich?,one,,three,C\n", fields=FIELDS | {"choices": "A,B,C"})


class TestLetters:
    @pytest.mark.parametrize(
        "texts",
        [
            ["A) stone", "B) apple", "C) chair"],
            ["(A) stone", "(B) apple", "(C) chair"],
            ["(a)stone", "(b)apple", "(c)chair"],
            ["A. stone", "B. apple", "C. chair"],
            ["A: stone", "B: apple", "C: chair"],
            ["A:stone", "B:apple", "C:chair"],
            ["1) stone", "2) apple", "3) chair"],
            ["1. stone", "2. apple", "3. chair"],
            ["[A] stone", "[B] apple", "[C] chair"],
            ["A - stone", "B - apple", "C - chair"],
            ["A\uff09stone", "B\uff09apple", "C\uff09chair"],
            ["Option A: stone", "Option B: apple", "Option C: chair"],
            ["A)A)stone", "B)B) apple", "C)C)chair"],
        ],
    )
    def test_they_are_read_off_and_never_repeated(self, tmp_path: Path, texts: list[str]) -> None:
        for gold in ("apple", texts[1]):
            (item,) = load(tmp_path, [{"q": "?", "c": texts, "a": gold}])
            assert (item.choices, item.gold) == (("stone", "apple", "chair"), "B")

    @pytest.mark.parametrize(
        "texts",
        [
            ["A. Lincoln", "G. Washington"],
            ["A. Lincoln", "B. Obama", "George"],
            ["B. Obama", "A. Lincoln"],
            ["1.5", "2.5", "3.5"],
            ["A", "B", "C"],
            ["A)", "B)"],
            ["A) x", "(B) y"],
            ["A. x", "B) y"],
            ["Apple", "Banana", "Cherry"],
            ["a cat", "b cat"],
            ["1 km", "2 km"],
            ["x"],
        ],
    )
    def test_what_only_looks_like_letters_stays(self, texts: list[str]) -> None:
        assert read_letters(texts) == ((), tuple(texts))

    @pytest.mark.parametrize(("gold", "label"), [("1", "A"), ("3", "C"), ("1)", "A"), ("stone", "A"), ("B", "B")])
    def test_numbers_before_the_texts_are_labels(self, tmp_path: Path, gold: str, label: str) -> None:
        (item,) = load(tmp_path, [{"q": "?", "c": ["1) stone", "2) apple", "3) chair"], "a": gold}])
        assert item.gold == label

    def test_shuffled_choices_bring_no_letters_along(self, tmp_path: Path) -> None:
        items = load(tmp_path, [{"q": "?", "c": ["A) 2", "B) 8"], "a": "B"}])
        assert items[0].choices == ("2", "8")


class TestOwnLabels:
    """The hub's ARC: labels are A..D in most records, 1..4 in some, and the gold is one of them."""

    @pytest.mark.parametrize(
        ("labels", "gold", "label"), [("ABCD", "C", "C"), ("1234", "3", "C"), ("1234", "4", "D"), ("abcd", "C", "C")]
    )
    def test_arc(self, tmp_path: Path, labels: str, gold: str, label: str) -> None:
        row = {"q": "?", "c": {"text": WORDS, "label": list(labels)}, "a": gold}
        other = {"q": "?", "c": {"text": WORDS, "label": list("ABCD")}, "a": "A"}
        assert [item.gold for item in load(tmp_path, [row, other])] == [label, "A"]

    def test_a_label_beats_a_text_that_reads_so(self, tmp_path: Path) -> None:
        row = {"q": "?", "c": {"text": ["2", "3", "1"], "label": ["1", "2", "3"]}, "a": "1"}
        assert load(tmp_path, [row])[0].gold == "A"

    def test_ids_from_0_and_indexes_agree(self, tmp_path: Path) -> None:
        row = {"q": "?", "c": [{"id": n, "content": text} for n, text in enumerate(WORDS)], "a": 2}
        assert load(tmp_path, [row])[0].gold == "C"

    def test_a_number_that_is_a_label_and_another_index_is_refused(self, tmp_path: Path) -> None:
        row = {"q": "?", "c": {"text": WORDS, "label": list("1234")}, "a": 2}
        with pytest.raises(TaskError, match=r"gold 2 of .* can be read as label \(B\) or as index \(C\)"):
            load(tmp_path, [row])


class TestIndexes:
    def test_the_whole_column_decides(self, tmp_path: Path) -> None:
        text = 'q,c,a\n?,"[""2"", ""8"", ""1""]",1\n?,stone|apple,0\n'
        assert [item.gold for item in load_csv(tmp_path, text)] == ["B", "A"]

    def test_texts_that_are_numbers(self, tmp_path: Path) -> None:
        text = 'q,c,a\n?,"[""2"", ""8"", ""1""]",1\n?,5|6|7,6\n'
        assert [item.gold for item in load_csv(tmp_path, text)] == ["C", "B"]

    def test_indexes_of_a_column_with_gaps(self, tmp_path: Path) -> None:
        assert [i.gold for i in load_csv(tmp_path, "q,c,a\n?,x|y,1.0\n?,x|y,0.0\n")] == ["B", "A"]

    def test_an_index_in_a_json_text(self, tmp_path: Path) -> None:
        items = load(tmp_path, [{"q": "?", "c": WORDS, "a": a} for a in ("0", "3")])
        assert [item.gold for item in items] == ["A", "D"]

    @pytest.mark.parametrize("gold", ["1", 1])
    def test_two_readings_of_a_whole_column_are_refused(self, tmp_path: Path, gold: Any) -> None:
        rows = [{"q": "?", "c": ["2", "8", "1", "3"], "a": gold}] * 2
        with pytest.raises(TaskError, match=r"read as text \(C\) or as index \(B\).*gold_is: text or index"):
            load(tmp_path, rows)
        for gold_is, label in (("text", "C"), ("index", "B"), ("index_from_1", "A")):
            assert {item.gold for item in load(tmp_path, rows, gold_is=gold_is)} == {label}

    def test_readings_that_agree_are_one(self, tmp_path: Path) -> None:
        assert load(tmp_path, [{"q": "?", "c": ["0", "1", "2"], "a": "2"}])[0].gold == "C"

    def test_counting_from_1_is_refused_and_can_be_said(self, tmp_path: Path) -> None:
        rows = [{"q": "?", "c": WORDS, "a": a} for a in (1, 4, 2)]
        with pytest.raises(TaskError, match=r"never 0 and up to the number of choices.*gold_is: index_from_1"):
            load(tmp_path, rows)
        assert [item.gold for item in load(tmp_path, rows, gold_is="index_from_1")] == ["A", "D", "B"]
        with pytest.raises(TaskError, match=r"gold 4 is not one of the choices .*: as index \(gold_is\)"):
            load(tmp_path, rows, gold_is="index")

    def test_a_column_from_0_that_reaches_too_far_names_the_record(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"record 2 .*gold 4 is not one of the choices"):
            load(tmp_path, [{"q": "?", "c": WORDS, "a": a} for a in (0, 3, 4)])

    def test_few_without_0_are_read_and_said(self, tmp_path: Path) -> None:
        with pytest.warns(UserWarning, match="read as indexes from 0, though none is 0"):
            items = load_csv(tmp_path, 'q,c,a\nWhich?,"[""stone"", ""apple""]",1\n')
        assert items[0].gold == "B"

    def test_many_without_0_are_refused(self, tmp_path: Path) -> None:
        rows = [{"q": "?", "c": WORDS, "a": 1 + n % 3} for n in range(40)]
        with pytest.raises(TaskError, match="never 0 and only others, as if they counted from 1"):
            load(tmp_path, rows)
        assert len(load(tmp_path, rows, gold_is="index")) == 40

    def test_with_a_0_nothing_is_said(self, tmp_path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load(tmp_path, [{"q": "?", "c": WORDS, "a": n % 4} for n in range(40)])

    def test_a_text_that_a_csv_would_hide(self, tmp_path: Path) -> None:
        text = "q,c,a\n?,Some|None,None\n?,A few|N/A,N/A\n?,x|y,y\n"
        assert [item.gold for item in load_csv(tmp_path, text)] == ["B", "B", "B"]
        with pytest.raises(TaskError, match=r"field 'a' is empty \('None' means missing\)"):
            load_csv(tmp_path, "q,c,a\n?,x|y,None\n")

    @pytest.mark.parametrize("gold", [True, {"label": "A"}, ["A"], 1e400])
    def test_a_gold_of_another_kind(self, tmp_path: Path, gold: Any) -> None:
        with pytest.raises(TaskError, match=r"record 0 .*gold is a.*expected a label, a text or an index"):
            load(tmp_path, [{"q": "?", "c": WORDS, "a": gold}])

    def test_gold_is_needs_choices(self, tmp_path: Path) -> None:
        fields = {"question": "q", "gold": "a"}
        with pytest.raises(SpecError, match="gold_is is for choices"):
            load(tmp_path, [{"q": "?", "a": "x"}], fields=fields, gold_is="index")
        with pytest.raises(SpecError, match="adapter 'bbh' does not take 'gold_is'"):
            load_task(TaskSpec(name="t", file="x.json", adapter="bbh", gold_is="index"), 0)

    def test_golds_of_several_kinds_are_read_each_by_itself(self) -> None:
        own = Choices(("x", "y"))
        assert column_reading(Path("f"), ["A", "1"], [own, own]) == "auto"
        assert gold_label(1, own) == "B"
        with pytest.raises(ValueError, match="not one of the choices"):
            gold_label("1", own)


class TestUnmappedChoices:
    OPEN: dict[str, str] = {"question": "q", "gold": "a"}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("columns", "to_write"),
        [
            ({"choices": WORDS}, "choices: choices,"),
            ({"options": "x|y"}, "choices: options,"),
            (dict(zip("ABCD", WORDS, strict=True)), "choices: [A, B, C, D],"),
            (
                {f"option_{k}": t for k, t in zip("abcd", WORDS, strict=True)},
                "choices: [option_a, option_b, option",
            ),
            ({"topic": "things"}, "choices: COLUMN,"),
        ],
    )
    @pytest.mark.parametrize("golds", [["A", "C", "B"], ["(B)", "(A)", "(A)"], ["B)", "D)", "A)"], ["Option A"] * 3])
    def test_letters_are_refused_with_the_mapping(
        self, tmp_path: Path, columns: dict[str, Any], to_write: str, golds: list[str]
    ) -> None:
        rows = [{"q": "?", "a": gold} | columns for gold in golds]
        with pytest.raises(TaskError) as error:
            load(tmp_path, rows, fields=self.OPEN)
        for text in ("no choices are mapped", to_write, "'q', 'a'", "answer_format"):
            assert text in str(error.value)

    def test_the_mapping_that_is_proposed_works(self, tmp_path: Path) -> None:
        rows = [{"q": "?", "a": "C"} | dict(zip("ABCD", WORDS, strict=True))]
        (item,) = load(tmp_path, rows, fields=self.OPEN | {"choices": "A,B,C,D"})
        assert (item.choices, item.gold) == (tuple(WORDS), "C")

    def test_indexes_of_an_unread_column_are_refused(self, tmp_path: Path) -> None:
        rows = [{"q": "?", "a": n, "choices": WORDS} for n in (0, 3, 2)]
        with pytest.raises(TaskError, match="refer to choices"):
            load(tmp_path, rows, fields=self.OPEN)

    @pytest.mark.parametrize(
        "golds", [["A", "blue"], ["b", "b"], ["K", "Z"], ["AB", "CD"], ["42", "seven"], ["Ann", "Bob"]]
    )
    def test_other_answers_are_open(self, tmp_path: Path, golds: list[str]) -> None:
        items = load(tmp_path, [{"q": "?", "a": gold} for gold in golds], fields=self.OPEN)
        assert {item.answer_format for item in items} == {"text"}

    def test_a_task_whose_answers_are_letters_says_so(self, tmp_path: Path) -> None:
        rows = [{"q": "Which letter is next?", "a": "B"}, {"q": "And then?", "a": "C"}]
        items = load(tmp_path, rows, fields=self.OPEN, answer_format="text")
        assert [item.gold for item in items] == ["b", "c"]

    def test_chains_too(self, tmp_path: Path) -> None:
        path = tmp_path / "c.jsonl"
        rows = [{"question": "?", "gold": gold, "cot": "One. Two.", "options": WORDS} for gold in "ABD"]
        path.write_text("\n".join(json.dumps(row) for row in rows))
        with pytest.raises(TaskError, match="cotfaith import FILE --field choices=options"):
            load_task(TaskSpec(name="t", file=str(path), adapter="chains"), 0)
        items = load_task(TaskSpec(name="t", file=str(path), adapter="chains", answer_format="text"), 0)
        assert {item.answer_format for item in items} == {"text"}

    def test_chains_that_have_lost_their_choices(self, tmp_path: Path) -> None:
        path = tmp_path / "c.jsonl"
        good = {"question": "?", "gold": "A", "cot": "One. Two.", "choices": WORDS}
        path.write_text("\n".join(json.dumps(row) for row in (good, good | {"choices": None})))
        with pytest.raises(
            TaskError, match=r"record 1 .*gold 'A' is a choice's letter, and this record has no choices"
        ):
            load_task(TaskSpec(name="t", file=str(path), adapter="chains"), 0)


@pytest.mark.parametrize(
    ("value", "difficulty"), [("Level 5", 5.0), ("level-2", 2.0), (3, 3.0), ("4.5", 4.5), ("", None), ("nan", None)]
)
def test_a_difficulty_in_words(tmp_path: Path, value: Any, difficulty: float | None) -> None:
    (item,) = load(tmp_path, [{"q": "?", "c": WORDS, "a": "A", "d": value}], fields=FIELDS | {"difficulty": "d"})
    assert item.difficulty == difficulty


@pytest.mark.parametrize("value", ["Level ?", "hard", "1-3", "5 of 10", True, {"level": 5}, "9" * 400])
def test_a_difficulty_without_one_number(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TaskError, match=r"record 0 .*difficulty .* \(field 'd'\) is not a number"):
        load(tmp_path, [{"q": "?", "c": WORDS, "a": "A", "d": value}], fields=FIELDS | {"difficulty": "d"})
