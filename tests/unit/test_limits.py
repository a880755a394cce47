"""Files and records that are too large: given up at the limit, in every way in, with what was got and the way out."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotfaith.cluster.labelling.files import read_labels_file
from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers import limits
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.files import read_records

MIB = 2**20


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory; files may have 1 MiB, records 1,024 characters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(limits.FILE, str(1 / 1024))
    monkeypatch.setenv(limits.RECORD, str(1 / 1024))


def lines(n_bytes):
    line = json.dumps({"question": "1+1?", "cot": "Two. So 2. " * 30, "gold": "2"}) + "\n"
    return (line * (n_bytes // len(line))).encode()


def bomb(name="bomb.jsonl.gz", n_bytes=64 * MIB):
    """A file that is smaller than the limit and unpacks to more."""
    with gzip.open(name, "wb") as file:
        for _ in range(n_bytes // MIB):
            file.write(lines(MIB))
    assert Path(name).stat().st_size < MIB
    return name


TOO_LARGE = r"unpacks to more than 1.00 MiB; .*at most 1.00 MiB .*set COTFAITH_MAX_FILE_GIB"


def test_a_packed_file_is_given_up_at_the_limit_and_not_after_it():
    name = bomb()
    tracemalloc.start()
    with pytest.raises(TaskError, match=TOO_LARGE):
        read_records(Path(name))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB, "64 MiB were unpacked"


def test_every_way_in_has_the_limit(cli):
    task = {"name": "t", "file": bomb(), "fields": {"question": "question", "gold": "gold"}}
    few = {"file": task["file"], "k": 1, "fields": task["fields"]}
    Path("small.jsonl").write_bytes(lines(1000))
    for spec in (task, task | {"adapter": "chains", "fields": {}}, task | {"file": "small.jsonl", "few_shot": few}):
        with pytest.raises(TaskError, match=TOO_LARGE):
            load_task(TaskSpec.model_validate(spec), 0)
    with pytest.raises(TaskError, match=TOO_LARGE):
        read_labels_file(Path(bomb("labels.csv.gz")), "me")
    for more in ((), ("--paired", "--field", "item=question", "--field", "prediction=gold")):
        code, _, err = cli("import", task["file"], "--out", "out.jsonl", *more)
        assert (code, "unpacks to more than" in err) == (2, True), err


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_at_the_limit_is_read_and_one_beyond_it_is_not(name, monkeypatch):
    data = lines(4000)
    Path(name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    monkeypatch.setenv(limits.FILE, str(len(data) / 2**30))
    assert len(read_records(Path(name))) == data.count(b"\n")
    monkeypatch.setenv(limits.FILE, str((len(data) - 1) / 2**30))
    with pytest.raises(TaskError, match=f"{len(data) - 1:,} bytes are taken"):
        read_records(Path(name))


@pytest.mark.parametrize("column", [pa.nulls(100_000), pa.array(["x" * 100] * 100_000).dictionary_encode()])
def test_parquet_whose_rows_are_many_more_bytes_than_the_file(column):
    pq.write_table(pa.table({"question": column}), "a.parquet")
    assert Path("a.parquet").stat().st_size < 20_000
    with pytest.raises(TaskError, match=r"(unpacks to|lines or records).*COTFAITH_MAX_FILE_GIB"):
        read_records(Path("a.parquet"))


@pytest.mark.parametrize(
    ("name", "line"), [("a.jsonl", "{}\n"), ("a.csv", "1\n"), ("a.csv", "1\r\n"), ("a.tsv", "1\n")]
)
def test_more_tiny_records_than_memory_holds(name, line):
    """1 MiB of them, at 256 bytes each, are 4,096."""
    Path(name).write_text("q\n" * name.endswith("sv") + line * 4000, newline="")
    assert len(read_records(Path(name))) == 4000
    Path(name).write_text("q\n" * name.endswith("sv") + line * 8200, newline="")
    with pytest.raises(
        TaskError, match=r"got \d[\d,]+ lines or records, expected at most 4,096.*COTFAITH_MAX_FILE_GIB"
    ):
        read_records(Path(name))


def as_parquet(record):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([record]), sink)
    return sink.getvalue().to_pybytes()


KINDS = {
    ".jsonl": lambda record: json.dumps(record).encode(),
    ".json": lambda record: json.dumps([record]).encode(),
    ".csv": lambda record: f"question,gold\n{record['question']},{record['gold']}\n".encode(),
    ".parquet": as_parquet,
}


@pytest.mark.parametrize(("kind", "write"), KINDS.items(), ids=KINDS)
def test_a_record_that_is_too_long(kind, write):
    path = Path(f"a{kind}")
    path.write_bytes(write({"question": "q" * 900, "gold": "1"}))
    assert len(read_records(path)) == 1
    path.write_bytes(write({"question": "q" * 1100, "gold": "1"}))
    with pytest.raises(TaskError, match=r"(line 1|line 2|record 0).* got .*1,\d\d\d characters .*COTFAITH_MAX_RECORD"):
        read_records(path)


def test_texts_deep_in_a_record_count():
    assert limits.characters_of({"ab": ["cd", {"e": "f"}], "g": None, "h": 5}) == len("abcdefgh")


@pytest.mark.parametrize("text", ["x", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number(monkeypatch, text):
    Path("a.jsonl").write_bytes(lines(1000))
    monkeypatch.setenv(limits.FILE, text)
    with pytest.raises(SpecError, match=f"COTFAITH_MAX_FILE_GIB to {text!r}; expected a number above 0"):
        read_records(Path("a.jsonl"))


def test_an_empty_variable_counts_as_not_set():
    assert limits.most_bytes({limits.FILE: ""}) == 2 * 2**30
    assert limits.most_characters({}) == 16 * 2**20
