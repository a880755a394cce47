"""Adapters on small made-up files; ``test_tasks_real_files.py`` has the published files."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task


def load(tmp_path: Path, adapter: str, rows: list[dict[str, Any]]) -> list[Item]:
    path = tmp_path / "f.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return load_task(TaskSpec(name="t", file=str(path), adapter=adapter), 0)


def bbh(tmp_path: Path, *pairs: tuple[str, str]) -> list[Item]:
    return load(tmp_path, "bbh", [{"input": text, "target": target} for text, target in pairs])


class TestBbh:
    def test_labelled_options(self, tmp_path: Path) -> None:
        (item,) = bbh(tmp_path, ("Which is it?\nOptions:\n(A) one\n(B) two (B)\n(C) three", "(B)"))
        assert item == Item("t-000000", "Which is it?", "B", "choice", ("one", "two (B)", "three"))

    def test_dashed_options(self, tmp_path: Path) -> None:
        (item,) = bbh(tmp_path, ('"An argument."\nIs it?\nOptions:\n- valid \n- invalid', "invalid"))
        assert item == Item("t-000000", '"An argument."\nIs it?', "B", "choice", ("valid", "invalid"))

    @pytest.mark.parametrize(
        ("targets", "answer_format", "golds", "words"),
        [
            (["True", "False"], "boolean", ["true", "false"], ("True", "False")),
            (["No", "No"], "boolean", ["false", "false"], ("Yes", "No")),
            (["no", "yes"], "boolean", ["false", "true"], ("yes", "no")),
            (["24", "-3"], "number", ["24", "-3"], ()),
            (["24", "Yes"], "text", ["24", "yes"], ()),
            (["] }", ">"], "text", ["] }", ">"], ()),
        ],
    )
    def test_without_options_the_file_decides(
        self, tmp_path: Path, targets: list[str], answer_format: str, golds: list[str], words: tuple[str, ...]
    ) -> None:
        items = bbh(tmp_path, *(("a is", target) for target in targets))
        assert [item.gold for item in items] == golds
        assert {(item.answer_format, item.choices) for item in items} == {(answer_format, words)}

    def test_left_out_records_are_counted_and_ids_stay(self, tmp_path: Path) -> None:
        options = "\nOptions:\n(A) Monsters\n(B) Inc"
        with pytest.warns(UserWarning, match=r"2 of 3 items left out: record 0: target 'Monsters, Inc' .*; record 1"):
            (item,) = bbh(
                tmp_path, (f"?{options}", "Monsters, Inc"), ("?\nOptions:\n(A) x", "(A)"), (f"?{options}", "(B)")
            )
        assert (item.id, item.gold) == ("t-000002", "B")

    def test_nothing_is_said_when_nothing_is_left_out(self, tmp_path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bbh(tmp_path, ("?\nOptions:\n(A) x\n(B) y", "(A)"))

    def test_none_left(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"no record can be asked; record 0: target '\(C\)' is not one"):
            bbh(tmp_path, ("?\nOptions:\n(A) x\n(B) y", "(C)"))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("?\nOptions:\n(A) x\n(C) y", r"not labelled \(A\), \(B\), ... in order"),
            ("?\nOptions:\n(A) x\ny", "expected options"),
            ("?\nOptions: x, y", "expected options"),
        ],
    )
    def test_unreadable_options(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(TaskError, match=f"record 1 .counted from 0.*{message}"):
            bbh(tmp_path, ("?\nOptions:\n(A) x\n(B) y", "(A)"), (text, "(A)"))

    def test_missing_field(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"record 0 .*field 'target' is missing; the record has input"):
            load(tmp_path, "bbh", [{"input": "?"}])


class TestGsm8k:
    def test_gold_follows_the_marker(self, tmp_path: Path) -> None:
        (item,) = load(tmp_path, "gsm8k", [{"question": "How many?", "answer": "2+2=<<2+2=4>>4\n#### 2,125"}])
        assert item == Item("t-000000", "How many?", "2125", "number")

    @pytest.mark.parametrize("answer", ["18", "#### many", "####"])
    def test_no_gold(self, tmp_path: Path, answer: str) -> None:
        with pytest.raises(TaskError, match=r"f\.jsonl, record 0 .*field 'answer' must end in '#### <number>'"):
            load(tmp_path, "gsm8k", [{"question": "How many?", "answer": answer}])


class TestAqua:
    ROW: dict[str, Any] = {"question": "?", "options": ["A)5 km", "B) 6", "C)(A)7"], "correct": "C"}  # noqa: RUF012

    def test_labels_are_taken_off(self, tmp_path: Path) -> None:
        assert load(tmp_path, "aqua", [self.ROW]) == [Item("t-000000", "?", "C", "choice", ("5 km", "6", "(A)7"))]

    def test_labels_given_twice(self, tmp_path: Path) -> None:
        (item,) = load(tmp_path, "aqua", [{**self.ROW, "options": ["A)A)59", "B)B) 69", "C)A)79"]}])
        assert item.choices == ("59", "69", "A)79")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"correct": "D"}, "field 'correct' is 'D', no label of its 3 options"),
            ({"options": ["A)5", "C)6"]}, "must be a list 'A"),
            ({"options": ["5", "6"]}, "must be a list 'A"),
            ({"options": "A)5"}, "must be a list 'A"),
        ],
    )
    def test_bad(self, tmp_path: Path, change: dict[str, Any], message: str) -> None:
        with pytest.raises(TaskError, match=f"record 0 .*{message}"):
            load(tmp_path, "aqua", [{**self.ROW, **change}])


class TestStrategyqa:
    def test_false_is_an_answer(self, tmp_path: Path) -> None:
        (item,) = load(tmp_path, "strategyqa", [{"qid": "k1", "question": "Is it?", "answer": False}])
        assert item == Item("k1", "Is it?", "false", "boolean", ("Yes", "No"))

    def test_bad(self, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match=r"record 0 .*field 'answer' must be true or false; got 1"):
            load(tmp_path, "strategyqa", [{"qid": "k1", "question": "Is it?", "answer": 1}])


class TestLlmAdapters:
    def row(self, choices: str, answers: str, answer: str) -> dict[str, str]:
        lead = "Please choose the correct answer to the question: Which,\nthen?"
        return {"instruction": f"{lead}\n\n{choices}\n\nAnswer format: {answers}", "answer": answer}

    def test_choices_are_parsed(self, tmp_path: Path) -> None:
        three = self.row("Answer1: a. Answer2: b: c Answer3: d", "answer1/answer2/answer3", "answer2")
        five = self.row(
            "Answer1: a Answer2: b Answer3: c Answer4: d Answer5: e",
            "answer1/answer2/answer3/answer4/answer5",
            "answer5",
        )
        items = load(tmp_path, "llm_adapters", [three, five])
        assert items[0] == Item("t-000000", "Which,\nthen?", "B", "choice", ("a.", "b: c", "d"))
        assert (items[1].choices, items[1].gold) == (("a", "b", "c", "d", "e"), "E")

    @pytest.mark.parametrize(
        ("choices", "answers", "answer", "message"),
        [
            ("Answer1: a Answer2: b", "answer1/answer2", "answer3", "'answer3', not one of answer1, answer2"),
            ("Answer1: a Answer3: b", "answer1/answer2", "answer1", "numbered 1, 3, but"),
            ("Answer1: a Answer2: b", "answer1/answer2/answer3", "answer1", "numbered 1, 2, but"),
            ("Solution1: a", "solution1", "solution1", "field 'instruction' must hold"),
        ],
    )
    def test_bad(self, tmp_path: Path, choices: str, answers: str, answer: str, message: str) -> None:
        with pytest.raises(TaskError, match=f"record 0 .*{message}"):
            load(tmp_path, "llm_adapters", [self.row(choices, answers, answer)])
