from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.values import field_of

ROWS = [{"q": "a", "n": 1}, {"q": "b", "n": 2}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.json", '[{"q": "a", "n": 1}, {"q": "b", "n": 2}]'),
        ("f.json", '{"canary": "x", "examples": [{"q": "a", "n": 1}, {"q": "b", "n": 2}]}'),
        ("f.json", '{"examples": [{"q": "a", "n": 1}, {"q": "b", "n": 2}], "other": [{"z": 1}]}'),
        ("f.json", '{"version": 1, "tags": ["x"], "rows": [{"q": "a", "n": 1}, {"q": "b", "n": 2}]}'),
        ("f.json", '{"q": "a", "n": 1}\n{"q": "b", "n": 2}\n'),
        ("f.jsonl", '{"q": "a", "n": 1}\r\n\r\n{"q": "b", "n": 2}'),
        ("F.JSONL", '\ufeff{"q": "a", "n": 1}\n{"q": "b", "n": 2}'),
    ],
)
def test_json(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_records(path) == ROWS


def test_json_lines_may_hold_unicode_line_separators(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"q": "a\u2028b\u0085c"}\n', encoding="utf-8")
    assert read_records(path) == [{"q": "a\u2028b\u0085c"}]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('\ufeffq,n\n"a, ""b""\nc",1\n\nd,\n', encoding="utf-8")
    assert read_records(path) == [{"q": 'a, "b"\nc', "n": "1"}, {"q": "d", "n": ""}]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"q": ["a"], "c": [["x", "y"]], "g": [1]}), path)
    assert read_records(path) == [{"q": "a", "c": ["x", "y"], "g": 1}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("f.json", "", "the file is empty"),
        ("f.json", " \n", "the file is empty"),
        ("f.json", "[]", "has no records"),
        ("f.json", '{"examples": []}', "has no records"),
        ("f.json", '[{"q": 1}, 2]', r"record 1 \(counted from 0\): expected an object, got int"),
        ("f.json", '"text"', "expected a list of objects, got str"),
        ("f.json", '{"a": 1}', r"an object with 0 \(keys: a\)"),
        ("f.json", '{"a": [{}], "b": [{}]}', r"an object with 2 \(keys: a, b\)"),
        ("f.json", '[{"q": 1},', "not JSON: .*line 1"),
        ("f.json", '{"q": 1}\n{"q": \n{"q": 3}', "line 2: not JSON.*Got '{\"q\": '"),
        ("f.jsonl", '{"q": 1}\n\nnope\n', "line 3: not JSON.*Got 'nope'"),
        ("f.jsonl", '{"q": 1}\n[1]\n', "line 2: expected an object, got list"),
        ("f.csv", "q,n\n", "has no records"),
        ("f.csv", "q,n\na,1\nb\n", "line 3: expected 2 values as in the header, got 1"),
        ("f.csv", "q,n\na,1,x\n", "line 2: expected 2 values as in the header, got 3"),
        ("f.csv", "q,q\na,1\n", "two columns have the same name: q, q"),
        ("f.csv", 'q,n\n"a"b,1\n', "line 2: not CSV"),
        ("f.parquet", "PAR0", "not a readable Parquet file"),
        ("f.txt", "x", r"cannot tell what kind of file.*\.csv, \.json"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TaskError, match=f"{name}.*{message}"):
        read_records(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"nowhere\.json: there is no such file .working directory"):
        read_records(tmp_path / "nowhere.json")


def test_directory(tmp_path: Path) -> None:
    (tmp_path / "d.json").mkdir()
    with pytest.raises(TaskError, match=r"no such file"):
        read_records(tmp_path / "d.json")


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"q\n\xff\n")
    with pytest.raises(TaskError, match=r"not UTF-8 text .*at byte 2"):
        read_records(path)


def test_field_of() -> None:
    path = Path("f.json")
    assert field_of({"q": 0}, "q", path, 3) == 0
    assert field_of({"q": False}, "q", path, 3) is False
    with pytest.raises(TaskError, match=r"f\.json, record 3 .*field 'x' is missing; the record has q, r"):
        field_of({"q": 1, "r": 2}, "x", path, 3)
    for empty in (None, "  "):
        with pytest.raises(TaskError, match=r"record 3 .*field 'q' is empty"):
            field_of({"q": empty}, "q", path, 3)
