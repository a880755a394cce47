"""Columns of a file: common layouts are read by the obvious fields, and a wrong mapping is refused with a guess."""

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.choice_columns import lettered_columns
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.guesses import guessed, questions, written

LAYOUTS = [
    ["A", "B", "C", "D"],
    ["a", "b", "c", "d"],
    ["option_a", "option_b", "option_c", "option_d"],
    ["Option A", "Option B", "Option C", "Option D"],
    ["optionA", "optionB", "optionC", "optionD"],
    ["choice1", "choice2", "choice3", "choice4"],
    ["ans0", "ans1", "ans2", "ans3"],
    ["opa", "opb", "opc", "opd"],
    ["A)", "B)", "C)", "D)"],
    ["(A)", "(B)", "(C)", "(D)"],
    ["choices.A", "choices.B", "choices.C", "choices.D"],
    ["answer_choice_a", "answer_choice_b", "answer_choice_c", "answer_choice_d"],
]
OPEN = {"question": "prompt", "gold": "answer"}
FOUR = OPEN | {"choices": ["A", "B", "C", "D"]}
ROW = {"prompt": "Which?", "A": "Oslo", "B": "Rome", "C": "Bern", "D": "Lima", "answer": "B"}


def load(path: Path, fields: dict[str, Any], **more: Any) -> list[Item]:
    return load_task(TaskSpec(name="mine", file=str(path), fields=fields, **more), 0)


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return path


def four(tmp_path: Path, *golds: str, last: str = "Lima") -> Path:
    rows = "".join(f"Which {n}?,Oslo,Rome,Bern,{last},{gold}\n" for n, gold in enumerate(golds))
    return csv(tmp_path, f"prompt,A,B,C,D,answer\n{rows}")


def saved(tmp_path: Path, kind: str, *rows: dict[str, Any]) -> Path:
    path = tmp_path / f"mine.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif kind == "csv":
        pl.DataFrame(rows).write_csv(path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return path


class TestChoicesInColumns:
    @pytest.mark.parametrize("names", LAYOUTS, ids=lambda names: names[0])
    def test_every_layout_is_read(self, tmp_path: Path, names: list[str]) -> None:
        path = csv(tmp_path, f"prompt,{','.join(names)},answer\nWhich?,Oslo,Rome,Bern,Lima,C\nAnd?,Oslo,Rome,,,B\n")
        items = load(path, OPEN | {"choices": names})
        assert [(item.choices, item.gold) for item in items] == [
            (("Oslo", "Rome", "Bern", "Lima"), "C"),
            (("Oslo", "Rome"), "B"),
        ]

    @pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
    def test_every_kind_of_file(self, tmp_path: Path, kind: str) -> None:
        (item,) = load(saved(tmp_path, kind, ROW), FOUR)
        assert (item.choices, item.gold) == (("Oslo", "Rome", "Bern", "Lima"), "B")

    @pytest.mark.parametrize(
        ("golds", "labels", "gold_is"),
        [
            (["0", "3", "1"], "ADB", "auto"),
            (["1", "4", "2"], "ADB", "index_from_1"),
            (["A", "(d)", "B."], "ADB", "auto"),
            (["Oslo", "lima", "Rome"], "ADB", "auto"),
            (["A", "Lima", "b"], "ADB", "auto"),
        ],
    )
    def test_golds_as_letters_indexes_and_texts(
        self, tmp_path: Path, golds: list[str], labels: str, gold_is: Any
    ) -> None:
        items = load(four(tmp_path, *golds), FOUR, gold_is=gold_is)
        assert "".join(item.gold for item in items) == labels

    def test_indexes_from_1_are_not_taken_in_silence(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"as if they counted from 1. Set gold_is: index_from_1"):
            load(four(tmp_path, "1", "4"), FOUR)

    def test_a_gold_may_be_the_name_of_a_column(self, tmp_path: Path) -> None:
        path = csv(tmp_path, "q,opa,opb,cop\n?,Oslo,Rome,opb\n?,Oslo,Rome,opa\n")
        assert [one.gold for one in load(path, {"question": "q", "choices": ["opa", "opb"], "gold": "cop"})] == [
            "B",
            "A",
        ]

    def test_a_letter_is_the_column_of_that_name_in_any_order(self, tmp_path: Path) -> None:
        (item,) = load(four(tmp_path, "A"), OPEN | {"choices": ["D", "C", "B", "A"]})
        assert (item.choices[3], item.gold) == ("Oslo", "D")

    def test_numbers_as_names_are_not_labels(self, tmp_path: Path) -> None:
        path = csv(tmp_path, "Which?,Oslo,Rome,Bern,Lima,3\nAnd?,Oslo,Rome,Bern,Lima,2\n")  # without a header
        with pytest.warns(UserWarning, match="read as indexes from 0, though none is 0"):
            items = load(path, {"question": 1, "choices": [2, 3, 4, 5], "gold": 6})
        assert [item.gold for item in items] == ["D", "C"]

    def test_a_key_that_a_record_lacks_is_an_empty_last_choice(self, tmp_path: Path) -> None:
        short = {name: value for name, value in ROW.items() if name not in "CD"}
        items = load(saved(tmp_path, "jsonl", short, ROW), FOUR)
        assert [len(item.choices) for item in items] == [2, 4]

    @pytest.mark.parametrize("gap", ["Which?,,Rome,Bern,Lima,B", "Which?,Oslo,Rome, ,Lima,B"])
    def test_a_gap_before_a_choice_is_an_error(self, tmp_path: Path, gap: str) -> None:
        path = csv(tmp_path, f"prompt,A,B,C,D,answer\nWhich?,Oslo,Rome,Bern,Lima,A\n{gap}\n")
        with pytest.raises(TaskError, match=r"record 1 .*is empty before a filled one \(the first is [AC]\)"):
            load(path, FOUR)

    def test_an_item_without_any_choice_is_refused(self, tmp_path: Path) -> None:
        path = csv(tmp_path, "prompt,A,B,C,D,answer\nWhich?,Oslo,Rome,Bern,Lima,A\nAnd?,,, ,,B\n")
        with pytest.raises(TaskError, match=r"record 1 .*all of the columns A, B, C, D are empty"):
            load(path, FOUR)

    def test_a_gold_that_is_an_empty_choice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match="gold 'D' is not one of the choices"):
            load(four(tmp_path, "D", last=""), FOUR)

    def test_letters_in_the_texts_are_removed_as_ever(self, tmp_path: Path) -> None:
        path = csv(tmp_path, "q,c1,c2,a\n?,A) Oslo,B) Rome,B\n")
        (item,) = load(path, {"question": "q", "choices": ["c1", "c2"], "gold": "a"})
        assert (item.choices, item.gold) == (("Oslo", "Rome"), "B")

    def test_a_name_with_a_comma_cannot_be_one_of_several(self) -> None:
        with pytest.raises(ValidationError, match="one of several columns is 'a, b': rename it without a comma"):
            TaskSpec(name="t", file="x.csv", fields={"choices": ["a, b", "c"]})
        assert TaskSpec(name="t", file="x.csv", fields={"choices": ["a, b"]}).fields == {"choices": "a, b"}

    def test_a_column_twice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError, match="choices names a column twice: A, B, A"):
            load(four(tmp_path, "A"), OPEN | {"choices": ["A", "B", "A"]})


class TestChoicesThatNobodyMapped:
    @pytest.mark.parametrize(
        ("names", "golds"),
        [
            (names, golds)
            for names in LAYOUTS
            for golds in (("A", "C"), ("0", "2"), ("1", "4"), ("Rome", "oslo"), ("A", "Bern"))
            if names[0] != "ans0" or len(golds[1]) == 1  # columns ans0, ans1 may hold several right answers
        ],
    )
    def test_are_refused_with_the_fields_to_write(
        self, tmp_path: Path, names: list[str], golds: tuple[str, str]
    ) -> None:
        rows = "".join(f"Which?,Oslo,Rome,Bern,Lima,{gold}\n" for gold in golds)
        path = csv(tmp_path, f"prompt,{','.join(names)},answer\n{rows}")
        with pytest.raises(TaskError) as error:
            load(path, OPEN)
        fields = f"fields: {{question: prompt, choices: {written(names)}, gold: answer}}"
        assert fields in str(error.value)
        assert "answer_format: text" in str(error.value)
        assert load(path, OPEN, answer_format="text")[0].choices == ()

    def test_the_proposed_fields_are_yaml_that_works(self, tmp_path: Path) -> None:
        import yaml

        for names in LAYOUTS:
            assert yaml.safe_load(f"choices: {written(names)}") == {"choices": names}

    def test_nothing_is_lost_of_open_questions_beside_such_columns(self, tmp_path: Path) -> None:
        path = csv(tmp_path, "q,answer1,answer2,gold\nCapital?,Oslo,Christiania,Oslo\nOther?,Rome,Roma,Rome\n")
        assert [one.answer_format for one in load(path, {"question": "q", "gold": "gold"})] == ["text", "text"]

    def test_single_letters_without_columns(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"'prompt', 'answer'. None seems to hold the choices.*answer_format: text"):
            load(csv(tmp_path, "prompt,answer\nWhich?,A\nAnd?,E\n"), OPEN)

    def test_without_any_fields_the_whole_mapping_is_offered(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError) as error:
            load(four(tmp_path, "A", "B"), {})
        assert "name the column with the question" in str(error.value)
        assert "question <- prompt? gold <- answer? choices <- [A, B, C, D]?" in str(error.value)
        assert "write fields: {question: prompt, choices: [A, B, C, D], gold: answer}." in str(error.value)


class TestWrongColumns:
    @pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
    def test_the_columns_are_listed_and_one_is_guessed(self, tmp_path: Path, kind: str) -> None:
        with pytest.raises(TaskError) as error:
            load(saved(tmp_path, kind, ROW), FOUR | {"gold": "gold"})
        assert "field 'gold' is missing; the record has prompt, A, B, C, D, answer." in str(error.value)
        assert "gold <- answer?" in str(error.value)

    def test_a_choice_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"field 'E' is missing.*choices is mapped to it"):
            load(four(tmp_path, "A"), OPEN | {"choices": ["A", "B", "C", "D", "E"]})

    def test_all_columns_are_listed_where_records_differ(self, tmp_path: Path) -> None:
        path = saved(tmp_path, "jsonl", {"q": "?", "a": "x"}, {"q": "?", "a": "y", "extra": 1})
        with pytest.raises(TaskError, match=r"the record has q, a\. .*The file has the columns 'q', 'a', 'extra'"):
            load(path, {"question": "q", "gold": "best"})

    def test_choices_for_answer_format_choice(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError, match=r"needs a column for choices in fields.*choices <- \[A, B, C, D\]\?"):
            load(four(tmp_path, "A"), OPEN, answer_format="choice")

    def test_published_formats_offer_one_too(self, tmp_path: Path) -> None:
        path = saved(tmp_path, "jsonl", {"Question": "?", "answer": "#### 5"})
        with pytest.raises(TaskError, match=r"the record has Question, answer\. question <- Question\?"):
            load_task(TaskSpec(name="t", file=str(path), adapter="gsm8k"), 0)

    def test_a_terminal_sees_no_control_characters(self, tmp_path: Path) -> None:
        path = saved(tmp_path, "jsonl", {"prompt\u001b[2J": "?", "answer": "x"})
        with pytest.raises(SpecError) as error:
            load(path, {})
        assert "\u001b" not in str(error.value)

    def test_a_folder(self, tmp_path: Path) -> None:
        four(tmp_path, "A")
        with pytest.raises(TaskError, match=r"this is a folder\. Name one of: mine\.csv"):
            load(tmp_path, FOUR)


@pytest.mark.parametrize(
    ("wanted", "names", "found"),
    [
        ({"question": "promt"}, ["prompt", "text"], {"question": "prompt"}),  # a near name comes first
        ({"question": "frage", "gold": "gold"}, ["answer", "Problem"], {"question": "Problem", "gold": "answer"}),
        ({"gold": "gold"}, ["model_answer", "the_right_answer"], {"gold": "the_right_answer"}),
        ({"gold": "gold"}, ["answer", "correct_answer"], {"gold": "correct_answer"}),
        ({"gold": "gold", "answer": "answer"}, ["answer"], {"answer": "answer"}),
        ({"cot": "cot"}, ["id", "x"], {}),
    ],
)
def test_guesses(wanted: dict[str, str], names: list[str], found: dict[str, str]) -> None:
    got = guessed(wanted, names)
    assert got == found or ("answer" in wanted and len(got) == 1)  # one column is never offered twice


def test_guesses_are_questions() -> None:
    assert questions({"gold": "answer", "choices": ["A)", "B"]}) == 'gold <- answer? choices <- ["A)", B]?'


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["D", "question", "A", "C", "B"], ["A", "B", "C", "D"]),
        (["A", "C"], []),
        (["A"], []),
        (["options", "option_a", "option_b"], ["option_a", "option_b"]),
        (["A", "B", "option_1", "option_2", "option_3"], ["option_1", "option_2", "option_3"]),
        (["q1", "q2", "step_a", "step_b"], []),
        (["a", "A", "b"], []),
        (["frage", "preis"], []),
    ],
)
def test_columns_of_choices(names: list[str], found: list[str]) -> None:
    assert lettered_columns(names) == found


class TestSeparators:
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_each_is_found(self, tmp_path: Path, separator: str) -> None:
        rows = [["prompt", "A", "B", "answer"], ["What; is, a|b?", "x", "y\nz", "A"], ['Say "no"', "", "01", "NA"]]
        lines = (separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
        records = read_records(csv(tmp_path, "\n".join(lines) + "\n"))
        assert [list(record.values()) for record in records] == rows[1:]
        assert list(records[0]) == rows[0]

    @pytest.mark.parametrize(
        "text",
        [
            "question, in words;gold\nAnd so;5\nOr, so, then;6\n",
            "question;gold\nAnd, so;5\n",
            "sep=;\nquestion, in words;gold\nAnd so;5\n",
            '"sep=|"\r\nquestion, in words|gold\r\nAnd so|5\r\n',
        ],
    )
    def test_commas_within_values_of_other_files(self, tmp_path: Path, text: str) -> None:
        assert list(read_records(csv(tmp_path, text))[0].values())[1] == "5"

    def test_the_wanted_columns_decide_between_two_that_fit(self, tmp_path: Path) -> None:
        path = csv(tmp_path, "question, short;gold\nYes, why?;5\n")
        assert read_records(path, ("gold",)) == [{"question, short": "Yes, why?", "gold": "5"}]
        assert len(read_records(path)[0]) == 2

    def test_the_header_s_white_space_does_not_count(self, tmp_path: Path) -> None:
        (record,) = read_records(csv(tmp_path, "prompt, A ,B\nq, x ,y\n"))
        assert record == {"prompt": "q", "A": " x ", "B": "y"}

    def test_no_separator_fits(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match="line 3: expected 3 values as in the header, got 2"):
            read_records(csv(tmp_path, "a|b|c\n1|2|3\n4|5\n"))

    def test_a_library_would_lose_what_is_refused_here(self, tmp_path: Path) -> None:
        """If this fails for polars, polars may read CSV files in place of ``read_csv``."""
        short = csv(tmp_path, "q,n,c\na,1,x\nb,2\n")
        assert pl.read_csv(short, infer_schema=False)["c"].to_list() == ["x", None]
        with pytest.raises(TaskError, match="line 3: expected 3 values"):
            read_records(short)
        with pytest.raises(TaskError, match="line 2: not CSV"):
            read_records(csv(tmp_path, 'q,n\na,"1\n'))

    def test_any_texts_come_back_as_they_were(self, tmp_path: Path) -> None:
        draw = random.Random(7)
        for separator in ",;\t|":
            rows = [["".join(draw.choices(",;\t|\"\n 'ab0", k=9)) + "x" for _ in range(4)] for _ in range(20)]
            lines = [["q", "a", "b", "c"], *rows]
            cells = (separator.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
            records = read_records(csv(tmp_path, "\n".join(cells)), ("q", "c"))
            assert [list(record.values()) for record in records] == rows
