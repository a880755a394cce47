"""The values of a field: the same for every adapter, and never the Python notation of something else."""

import contextlib
import datetime
import json
import math
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.values import Unreadable, is_missing, kind_of, scalar_text

GOOD = {"question": "What is 2 + 3?", "cot": "Two and three. So five.", "gold": "5"}


def load(path: Path, adapter: str = "chains", **more: Any) -> list[Item]:
    return load_task(TaskSpec(name="t", file=str(path), adapter=adapter, **more), 0)


def jsonl(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "f.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.mark.parametrize("value", [None, "", " \n", math.nan, "nan", "NaN", " NAN ", [], {}, ()])
def test_nothing_is_nothing_in_every_file(value: Any) -> None:
    assert is_missing(value)


@pytest.mark.parametrize("word", ["None", "null", "NULL", "N/A", "n/a", "NA", "<NA>", "#N/A"])
def test_words_for_nothing_count_in_csv_only(word: str) -> None:
    assert is_missing(word, only_texts=True)
    assert not is_missing(word)


@pytest.mark.parametrize("value", ["none", "0", 0, False, "no", 0.0, [None], "banana", "Nancy"])
def test_what_is_something(value: Any) -> None:
    assert not is_missing(value, only_texts=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x ", "x "),
        (7, "7"),
        (2.0, "2"),
        (1e-07, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (math.inf, None),
        (True, None),
        ({"a": 1}, None),
        (["a"], None),
        (b"a", None),
    ],
)
def test_numbers_are_written_plainly(value: Any, text: str | None) -> None:
    assert scalar_text(value) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "a text"),
        (["x", "y"], "a list of texts"),
        ([["x"], ["y"]], "a list of lists"),
        ([{"a": 1}], "a list of objects"),
        (["x", 1], "a mixed list"),
        (b"x", "a byte string"),
        (datetime.date(2026, 1, 2), "a date"),
        (-math.inf, "a number that is not finite"),
        (Unreadable("a duration[ns]"), "a duration[ns]"),
    ],
)
def test_kinds_have_names(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


BAD_VALUES = [{"text": "x"}, [["x"]], True, [{"role": "assistant", "content": "x"}], 1e400, 5]


@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_chain_is_a_text_or_a_list_of_texts(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TaskError, match=r"record 1 \(counted from 0\): field 'cot' is a.*expected a text or a list of"):
        load(jsonl(tmp_path, GOOD, GOOD | {"cot": value}))


@pytest.mark.parametrize(
    "cot",
    [
        ["Two and two.", "That makes 4."],
        '["Two and two.", "That makes 4."]',
        "['Two and two.', \"That makes 4.\"]",
    ],
)
def test_a_list_of_texts_is_the_steps(tmp_path: Path, cot: Any) -> None:
    (item,) = load(jsonl(tmp_path, GOOD | {"cot": cot}))
    assert list(item.supplied.steps) == [" Two and two.", " That makes 4."]


def test_a_step_without_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="step 1 has no text"):
        load(jsonl(tmp_path, GOOD | {"cot": ["Two and two.", " "]}))


def test_a_chain_that_opens_with_a_bracket_is_a_text(tmp_path: Path) -> None:
    (item,) = load(jsonl(tmp_path, GOOD | {"cot": "[Step 1] Two. ['a' 'b'] is an array."}))
    assert item.supplied.steps[0].startswith(" [Step 1]")


QUESTIONS = {"role": "user", "content": "What is 2 + 3?"}


@pytest.mark.parametrize(
    "value",
    [
        [QUESTIONS],
        QUESTIONS,
        [{"from": "human", "value": "What is 2 + 3?"}],
        [{"role": "user", "content": [{"type": "text", "text": "What is 2 + 3?"}]}],
        [{"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": "2 + 3?"}]}],
        json.dumps([QUESTIONS]),
        [QUESTIONS | {"name": None, "tool_calls": [], "id": "m1"}],
    ],
)
@pytest.mark.parametrize("adapter", ["chains", "mapped"])
def test_one_message_of_the_user_is_a_question(tmp_path: Path, value: Any, adapter: str) -> None:
    fields = {"question": "question", "gold": "gold"} if adapter == "mapped" else {}
    (item,) = load(jsonl(tmp_path, GOOD | {"question": value}), adapter, fields=fields)
    assert item.question.replace("\n", " ") == "What is 2 + 3?"


IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([{"role": "system", "content": "Be brief."}, QUESTIONS], "has a system message"),
        ([QUESTIONS, {"role": "assistant", "content": "5"}], "has several turns"),
        ([{"role": "assistant", "content": "5"}], "a message with the role 'assistant'"),
        ([{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}], "a part of type 'image_url'"),
        ([{"role": "user", "content": None}], "whose content is nothing"),
        ([QUESTIONS | {"images": ["a.png"]}], "with 'images' besides its text"),
        (str([QUESTIONS]), "messages as text, but not JSON"),
        ([{"a": 1}], "a list of objects that are not messages"),
        (["What is", "2 + 3?"], "a list of texts"),
        (5, "a number"),
        (True, "a boolean"),
    ],
)
@pytest.mark.parametrize("adapter", ["chains", "mapped"])
def test_a_question_that_is_more_than_a_text_is_refused(tmp_path: Path, value: Any, reason: str, adapter: str) -> None:
    fields = {"question": "question", "gold": "gold"} if adapter == "mapped" else {}
    with pytest.raises(TaskError) as error:
        load(jsonl(tmp_path, GOOD | {"question": value}), adapter, fields=fields)
    assert "record 0 (counted from 0): field 'question'" in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize("gold", [math.nan, None, " ", "nan", [], {}, ["5"], {"value": 5}, math.inf])
@pytest.mark.parametrize("answer_format", ["text", "number", "boolean"])
def test_a_gold_is_a_text_or_a_number(tmp_path: Path, gold: Any, answer_format: str) -> None:
    fields = {"question": "question", "gold": "gold"}
    with pytest.raises(TaskError, match=r"record 0 .*(field 'gold' is empty|gold .* is not a)"):
        load(jsonl(tmp_path, GOOD | {"gold": gold}), "mapped", fields=fields, answer_format=answer_format)


PUBLISHED: dict[str, dict[str, Any]] = {
    "gsm8k": {"question": "How many?", "answer": "#### 5"},
    "aqua": {"question": "?", "options": ["A)5", "B)6"], "correct": "A"},
    "strategyqa": {"qid": "k", "question": "Is it?", "answer": True},
    "bbh": {"input": "not ( True ) is", "target": "False"},
    "llm_adapters": {
        "instruction": "Please choose the correct answer to the question: Q\n\nAnswer1: a Answer2: b\n\n"
        "Answer format: answer1/answer2",
        "answer": "answer1",
    },
}


@pytest.mark.parametrize(("adapter", "field"), [(name, key) for name, row in PUBLISHED.items() for key in row])
@pytest.mark.parametrize("value", [{"text": "x"}, [["x"]], math.nan])
def test_published_formats_take_no_other_kind(tmp_path: Path, adapter: str, field: str, value: Any) -> None:
    row = PUBLISHED[adapter]
    assert load(jsonl(tmp_path, row), adapter)
    with pytest.raises(TaskError, match=rf"record 0 \(counted from 0\): field '{field}'"):
        load(jsonl(tmp_path, row | {field: value}), adapter)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "label", "A", "B"]), inner),
    max_leaves=6,
)
COLUMNS = ("id", "question", "cot", "steps", "gold", "answer", "choices", "difficulty", "label", "hint", "bottlenecks")


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES, min_size=1, max_size=3), st.sampled_from(["chains", "mapped"]))
def test_whatever_a_record_holds_it_is_read_or_refused(change: dict[str, Any], adapter: str) -> None:
    columns = ("id", "question", "gold", "choices", "difficulty") if adapter == "mapped" else ()
    fields = {name: name for name in columns if name in GOOD | change}
    spec = TaskSpec(name="t", file="f.jsonl", adapter=adapter, fields=fields)
    items: list[Item] = []
    with contextlib.suppress(TaskError), warnings.catch_warnings(action="ignore"):
        items = ADAPTERS[adapter].read(spec, Path("f.jsonl"), [GOOD | change])
    for item in items:
        assert all(isinstance(text, str) for text in (item.id, item.gold, *item.choices))
        assert item.question in set(_texts(list((GOOD | change).values())))


def _texts(value: Any) -> list[str]:
    """Return all texts within a value, in the form that an item may have."""
    if isinstance(value, str):
        return [value.strip()]
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in _texts(part)]


class TestParquet:
    def table(self, tmp_path: Path, **columns: Any) -> Path:
        path = tmp_path / "f.parquet"
        pq.write_table(pa.table(columns), path)
        return path

    def test_gaps_in_numbers_are_nothing(self, tmp_path: Path) -> None:
        columns = {name: [value] * 2 for name, value in GOOD.items()} | {"answer": pa.array([math.nan, 5.0])}
        one, other = load(self.table(tmp_path, **columns))
        assert one.supplied.answer is None
        assert other.supplied.answer == "5"
        assert {one.answer_format, other.answer_format} == {"number"}

    @pytest.mark.parametrize(
        ("array", "gold"),
        [
            (pa.array([0.1], pa.float32()), "0.1"),
            (pa.array([Decimal("12.50")], pa.decimal128(9, 2)), "12.5"),
            (pa.array([Decimal("7.00")], pa.decimal128(9, 2)), "7"),
            (pa.array([2**63 - 1], pa.int64()), "9223372036854775807"),
            (pa.array(["5"]).dictionary_encode(), "5"),
        ],
    )
    def test_numbers_are_those_that_were_written(self, tmp_path: Path, array: pa.Array, gold: str) -> None:
        (item,) = load(self.table(tmp_path, **{k: [v] for k, v in GOOD.items()} | {"gold": array}))
        assert (item.gold, item.answer_format) == (gold, "number")

    @pytest.mark.parametrize(
        "array",
        [
            pa.array([datetime.date(2026, 1, 2)]),
            pa.array([1], pa.timestamp("ns")),
            pa.array([b"5"]),
            pa.array([{"a": "5"}]),
        ],
    )
    def test_dates_bytes_and_structs_are_refused(self, tmp_path: Path, array: pa.Array) -> None:
        with pytest.raises(TaskError, match=r"record 0 .*gold .* is not a text"):
            load(self.table(tmp_path, **{k: [v] for k, v in GOOD.items()} | {"gold": array}))

    def test_an_unread_column_of_dates_is_no_hindrance(self, tmp_path: Path) -> None:
        when = pa.array([1], pa.timestamp("ns"))
        assert load(self.table(tmp_path, **{k: [v] for k, v in GOOD.items()}, when=when))

    def test_columns_of_one_name_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "f.parquet"
        pq.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["gold", "gold"]), path)
        with pytest.raises(TaskError, match="two columns have the same name: gold, gold"):
            load(path)

    def test_text_that_is_no_utf8_gets_a_replacement(self, tmp_path: Path) -> None:
        broken = pa.array([b"\xed\xa0\xbd smiles"]).cast(pa.binary())
        text = pa.Array.from_buffers(pa.string(), 1, broken.buffers())
        choices = pa.ListArray.from_arrays([0, 1], text)
        path = self.table(tmp_path, question=text, other=choices, gold=["5"], cot=["One. Two."])
        with pytest.warns(UserWarning, match=r"record 0 .*half of a surrogate pair.* 1 of 1 records"):
            (item,) = load(path)
        assert item.question == "\ufffd smiles"
