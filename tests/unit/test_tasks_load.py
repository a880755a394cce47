import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import check_items, fingerprint, load_task

CHOICE = Item("a", "Which?", "B", "choice", ("one", "two"), 1.0, (("k", "v"),))
BOOLEAN = Item("b", "Is it?", "true", "boolean", ("Yes", "No"))
NUMBER = Item("c", "How many?", "-0.5", "number")
TEXT = Item("d", "What?", "blue", "text")


@pytest.fixture
def gsm8k_file(tmp_path: Path) -> str:
    path = tmp_path / "g.jsonl"
    path.write_text("\n".join(json.dumps({"question": f"Q{i}?", "answer": f"so\n#### {i}"}) for i in range(20)))
    return str(path)


class TestLoad:
    def test_takes_the_first_n(self, gsm8k_file: str) -> None:
        items = load_task(TaskSpec(name="g", file=gsm8k_file, adapter="gsm8k", n=3), 0)
        assert [item.question for item in items] == ["Q0?", "Q1?", "Q2?"]

    def test_fewer_than_n_gives_all(self, gsm8k_file: str) -> None:
        assert len(load_task(TaskSpec(name="g", file=gsm8k_file, adapter="gsm8k", n=100), 0)) == 20

    def test_shuffle_is_by_seed_and_keeps_ids(self, gsm8k_file: str) -> None:
        def ids(seed: int, n: int = 20) -> list[str]:
            spec = TaskSpec(name="g", file=gsm8k_file, adapter="gsm8k", n=n, shuffle=True)
            items = load_task(spec, seed)
            assert all(item.question == f"Q{int(item.id[-6:])}?" for item in items)
            return [item.id for item in items]

        assert ids(0) == ids(0)
        assert ids(0) != ids(1)
        assert sorted(ids(0)) == sorted(ids(1)) == [f"g-{i:06d}" for i in range(20)]
        assert ids(0, n=5) == ids(0)[:5]

    def test_unknown_names(self, gsm8k_file: str) -> None:
        with pytest.raises(SpecError, match=r"task 'x'.*generator 'adition'.*Did you mean 'addition'"):
            load_task(TaskSpec(name="x", generator="adition"), 0)
        with pytest.raises(SpecError, match=r"task 'x'.*adapter 'gsm8'.*Did you mean 'gsm8k'"):
            load_task(TaskSpec(name="x", file=gsm8k_file, adapter="gsm8"), 0)

    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({"generator": "addition", "fields": {"id": "x"}}, "fields"),
            ({"generator": "addition", "adapter": "bbh"}, "adapter"),
            ({"generator": "addition", "shuffle": True}, "shuffle"),
            ({"generator": "addition", "answer_format": "text"}, "answer_format"),
            ({"file": "x.json", "adapter": "bbh", "options": {"a": 1}}, "options"),
            ({"file": "x.json", "adapter": "bbh", "fields": {"id": "x"}}, "fields"),
            ({"file": "x.json", "adapter": "bbh", "answer_format": "text"}, "answer_format"),
        ],
    )
    def test_a_setting_without_effect_is_an_error(self, settings: dict[str, Any], key: str) -> None:
        with pytest.raises(SpecError, match=rf"task 'x'.* does not take '{key}'; remove it"):
            load_task(TaskSpec(name="x", **settings), 0)

    def test_the_whole_file_is_checked(self, tmp_path: Path) -> None:
        path = tmp_path / "f.json"
        path.write_text(json.dumps([{"k": i, "q": "?", "a": "b"} for i in (1, 2, 1)]))
        spec = TaskSpec(name="t", file=str(path), fields={"id": "k", "question": "q", "gold": "a"}, n=1)
        with pytest.raises(TaskError, match=r"task 't', item '1' .number 2.*item number 0 has the same id"):
            load_task(spec, 0)


class TestCheck:
    def test_good_items(self) -> None:
        check_items("t", [CHOICE, BOOLEAN, NUMBER, TEXT])

    def test_equal_texts_are_allowed(self) -> None:
        check_items("t", [replace(CHOICE, choices=("one", "one"))])

    def test_none(self) -> None:
        with pytest.raises(TaskError, match=r"task 't' has no items"):
            check_items("t", [])

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            (replace(TEXT, id=" "), "its id is empty"),
            (replace(TEXT, id="z"), "same id"),
            (replace(TEXT, question=" \n"), "its question is empty"),
            (replace(TEXT, gold=" "), "its gold is empty"),
            (replace(TEXT, choices=("a", "b")), "takes no choices"),
            (replace(CHOICE, choices=("one",)), "it has 1 choices; 2 to 26"),
            (replace(CHOICE, choices=tuple(map(str, range(27)))), "it has 27 choices"),
            (replace(CHOICE, choices=("one", " ")), "one of its choices is empty"),
            (replace(CHOICE, gold="C"), "gold 'C' is not one of the labels A, B"),
            (replace(CHOICE, gold="b"), "gold 'b' is not one of the labels"),
            (replace(CHOICE, gold=""), "gold '' is not one of the labels"),
            (replace(BOOLEAN, gold="yes"), "neither 'true' nor 'false'"),
            (replace(BOOLEAN, choices=()), "two different words"),
            (replace(BOOLEAN, choices=("Yes", "Yes")), "two different words"),
            (replace(BOOLEAN, choices=("Yes", "No", "No")), "two different words"),
            (replace(NUMBER, gold="1,234"), "gold '1,234' is not a plain number"),
            (replace(NUMBER, gold="18.0"), "not a plain number"),
            (replace(NUMBER, gold="many"), "not a plain number"),
        ],
    )
    def test_bad_items(self, item: Item, message: str) -> None:
        with pytest.raises(TaskError, match=r"task 't', item '.*' \(number 1, counted from 0\).*" + message):
            check_items("t", [replace(TEXT, id="z"), item])


class TestFingerprint:
    def test_known_value(self) -> None:
        assert fingerprint([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # sha256 of "[]"

    def test_equal_items_equal_digest(self) -> None:
        assert fingerprint([CHOICE, TEXT]) == fingerprint((replace(CHOICE, difficulty=1), TEXT))

    @pytest.mark.parametrize(
        "change",
        [
            {"id": "x"},
            {"question": "x"},
            {"gold": "A"},
            {"answer_format": "text"},
            {"choices": ("one", "2")},
            {"difficulty": None},
            {"metadata": ()},
        ],
    )
    def test_every_field_counts(self, change: dict[str, Any]) -> None:
        assert fingerprint([CHOICE]) != fingerprint([replace(CHOICE, **change)])

    def test_order_counts(self) -> None:
        assert fingerprint([CHOICE, TEXT]) != fingerprint([TEXT, CHOICE])
