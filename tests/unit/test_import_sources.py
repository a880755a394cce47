"""``cotfaith import``: folders, patterns, packed files, ids of several files, the columns found, and guesses."""

import csv
import gzip
import io
import json
import random

import pytest

from cotfaith.cluster.imports.sources import source_files
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task

GOOD = {"question": "What is 2 + 3?", "cot": "Two and three. So five.", "gold": "5"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def take(cli, folder):
    """A function that imports sources: (what was written, the command's output on one line)."""

    def run(*sources, code=0, out="out.jsonl"):
        got, printed, err = cli("import", *sources, "--out", out, "--replace")
        assert got == code, err
        rows = [json.loads(line) for line in (folder / out).read_text().splitlines()] if not code else []
        return rows, " ".join((printed + err).split())

    return run


def text_of(name, records):
    if ".json" in name and ".jsonl" not in name:
        return json.dumps(records)
    if "json" in name:
        return "\n".join(map(json.dumps, records))
    table = io.StringIO()
    writer = csv.DictWriter(table, list(records[0]), delimiter="\t" if ".tsv" in name else ",")
    writer.writeheader()
    writer.writerows(records)
    return table.getvalue()


def write(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text_of(path.name, records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


class TestKinds:
    @pytest.mark.parametrize(
        "name",
        [
            *("a.json", "a.jsonl", "a.ndjson", "a.csv", "a.tsv"),
            *("a.json.gz", "a.jsonl.gz", "a.csv.gz", "a.tsv.gz", "A.b.JSONL.GZ"),
        ],
    )
    def test_plain_and_packed_ones_say_the_same(self, take, folder, name):
        write(folder / name.lower(), GOOD, GOOD | {"question": "And 2 + 3,\tagain?"}).rename(folder / name)
        rows, out = take(name)
        assert [(row["question"], row["cot"], row["gold"]) for row in rows] == [
            ("What is 2 + 3?", GOOD["cot"], "5"),
            ("And 2 + 3,\tagain?", GOOD["cot"], "5"),
        ]
        assert f"Columns of {name}: question, cot, gold." in out

    def test_a_packed_file_that_was_cut_is_refused_by_name(self, take, folder):
        path = write(folder / "logs" / "b.jsonl.gz", GOOD)
        write(folder / "logs" / "a.jsonl", GOOD)
        path.write_bytes(path.read_bytes()[:-6])
        assert "logs/b.jsonl.gz: not a complete gzip file" in take("logs", code=2)[1]


class TestFolders:
    def test_all_below_is_read_in_the_order_of_names(self, take, folder):
        for number, name in enumerate(("b/2.jsonl", "a.csv", "b/1.tsv", "c.jsonl.gz", "b/deep/er/0.json")):
            write(folder / "logs" / name, GOOD | {"id": f"k{number}"})
        rows, out = take("logs")
        assert [row["id"] for row in rows] == ["k1", "k2", "k0", "k4", "k3"]
        assert "Columns of logs/a.csv and 4 more: question, cot, gold, id." in out

    def test_the_order_does_not_depend_on_how_files_were_made(self, folder):
        names = [f"{n:02}.jsonl" for n in range(20)]
        for name in random.Random(2).sample(names, 20):
            write(folder / "logs" / name, GOOD)
        assert [path.name for path in source_files(["logs"], "out.jsonl")[0]] == names
        assert [path.name for path in source_files(["logs/*.jsonl"], "out.jsonl")[0]] == names

    def test_files_of_other_kinds_are_said_and_hidden_ones_left(self, take, folder):
        write(folder / "logs" / "a.jsonl", GOOD)
        (folder / "logs" / "README.md").write_text("x")
        write(folder / "logs" / ".cache" / "b.jsonl", GOOD)
        write(folder / "logs" / ".c.jsonl", GOOD)
        rows, out = take("logs")
        assert len(rows) == 1
        assert "logs: 1 files of other kinds are not read, such as logs/README.md." in out

    def test_the_file_to_write_is_not_read(self, take, folder):
        write(folder / "logs" / "a.jsonl", GOOD)
        for _ in range(2):
            rows, out = take("logs", out="logs/out.jsonl")
            assert len(rows) == 1
        assert "logs: logs/out.jsonl, the file to write, is not read." in out

    @pytest.mark.parametrize("source", ["empty", "*.none", "empty/**/*.jsonl"])
    def test_none_to_read(self, take, folder, source):
        (folder / "empty").mkdir()
        (folder / "empty" / "x.txt").write_text("x")
        out = take(source, code=2)[1]
        assert f"{source}: no file to read is here; expected files that end in .csv, .eval, .json" in out

    def test_the_file_and_the_line_of_an_error_are_named(self, take, folder):
        write(folder / "logs" / "a.jsonl", GOOD)
        (folder / "logs" / "b.jsonl").write_text(json.dumps(GOOD) + "\n{")
        assert "logs/b.jsonl, line 2: not JSON" in take("logs", code=2)[1]

    def test_what_is_left_out_names_its_file(self, take, folder):
        write(folder / "logs" / "a.jsonl", GOOD)
        write(folder / "logs" / "b.jsonl", GOOD | {"cot": ""})
        assert "1 field 'cot' is empty (first: logs/b.jsonl, record 0" in take("logs")[1]


class TestPatterns:
    def test_any_depth(self, take, folder):
        for name in ("x/b.jsonl", "x/y/a.jsonl", "x/y/a.csv"):
            write(folder / name, GOOD | {"id": name})
        assert [row["id"] for row in take("x/**/*.jsonl")[0]] == ["x/b.jsonl", "x/y/a.jsonl"]

    def test_an_absolute_one(self, take, folder):
        write(folder / "x" / "b.jsonl", GOOD)
        assert len(take(f"{folder}/?/*.jsonl")[0]) == 1

    def test_a_file_with_such_a_name_is_that_file(self, take, folder):
        write(folder / "a[1].jsonl", GOOD | {"id": "bracket"})
        write(folder / "a1.jsonl", GOOD | {"id": "one"})
        assert [row["id"] for row in take("a[1].jsonl")[0]] == ["bracket"]

    def test_no_file_is_read_twice(self, take, folder):
        write(folder / "logs" / "a.jsonl", GOOD)
        rows, out = take("logs", "logs/a.jsonl", "./logs/*.jsonl")
        assert len(rows) == 1
        assert "logs/a.jsonl: this file is named more than once, and read once." in out

    def test_a_named_file_of_another_kind_is_an_error(self, folder):
        (folder / "a.txt").write_text("x")
        assert [path.name for path in source_files(["*.txt"], "out.jsonl")[0]] == ["a.txt"]
        with pytest.raises(SpecError, match="a whole dataset"):
            source_files(["hf://datasets/owner/name"], "out.jsonl")


def test_ids_that_several_files_have_get_a_number_and_are_said(take, folder):
    for name in ("a.jsonl", "b.jsonl"):
        write(folder / "logs" / name, GOOD | {"id": "x"}, GOOD | {"id": f"{name}-own"})
    rows, out = take("logs")
    assert [row["id"] for row in rows] == ["x", "a.jsonl-own", "x-2", "b.jsonl-own"]
    assert "Note: 1 ids were not unique and got a number (first: 'x' became 'x-2')." in out
    assert len(load_task(TaskSpec(name="t", file="out.jsonl", adapter="chains"), 0)) == 4


class TestColumns:
    def test_those_that_are_read_and_the_others_are_printed(self, cli, folder):
        record = {"prompt": "2 + 3?", "thinking": "Two. Five.", "gold": "5", "temperature": 1, "finish_reason": "stop"}
        write(folder / "in.jsonl", record)
        code, out, _ = cli(
            "import", "in.jsonl", "--out", "o.jsonl", "--field", "question=prompt", "--field", "cot=thinking"
        )
        assert code == 0
        assert "Columns of in.jsonl: prompt (question), thinking (cot), gold; not used: temperature." in out

    def test_choices_in_columns(self, cli, folder):
        write(folder / "in.csv", GOOD | {"gold": "B", "A": "four", "B": "five"})
        code, out, err = cli("import", "in.csv", "--out", "o.jsonl")
        assert code == 2
        assert "cotfaith import FILE --field choices=A,B" in " ".join(err.split())
        code, out, _ = cli("import", "in.csv", "--out", "o.jsonl", "--field", "choices=A,B")
        assert code == 0
        assert "question, cot, gold, A (choices), B (choices)." in out
        assert json.loads((folder / "o.jsonl").read_text())["choices"] == ["four", "five"]

    @pytest.mark.parametrize(
        ("record", "words"),
        [
            (
                {"prompt": "?", "reasoning": "x y", "target": "5"},
                "no column is mapped as question, cot or steps, gold. The file has the columns 'prompt', 'reasoning', "
                "'target'. question <- prompt? cot <- reasoning? gold <- target? If so, add --field question=prompt "
                "--field cot=reasoning --field gold=target.",
            ),
            (
                {"question": "?", "cot": "x y", "answer": "5"},
                "no column is mapped as gold. The file has the columns 'question', 'cot', 'answer'. gold <- answer? "
                "If so, add --field gold=answer.",
            ),
            ({"question": "?", "cot": "x y", "zahl": "5"}, "'zahl'. Map it with --field OURS=THEIRS."),
            ({"the prompt": "?", "cot": "x y", "gold": "5"}, "add --field 'question=the prompt'."),
        ],
    )
    @pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
    def test_what_is_not_mapped_is_guessed_and_not_taken(self, take, folder, record, words, name):
        write(folder / name, record)
        out = take(name, code=2)[1]
        assert words in out
        assert not (folder / "out.jsonl").exists()

    def test_the_file_without_the_column_is_named(self, take, folder):
        write(folder / "logs" / "a.jsonl", GOOD)
        write(folder / "logs" / "b.jsonl", {name: value for name, value in GOOD.items() if name != "gold"})
        assert "logs/b.jsonl: no column is mapped as gold." in take("logs", code=2)[1]

    def test_a_column_that_is_the_gold_is_not_also_the_recorded_answer(self, cli, folder):
        write(folder / "in.jsonl", {"question": "2 + 3?", "cot": "Two. Five.", "answer": "5"})
        assert cli("import", "in.jsonl", "--out", "o.jsonl", "--field", "gold=answer")[0] == 0
        assert "answer" not in json.loads((folder / "o.jsonl").read_text())
        options = ("--field", "gold=answer", "--field", "answer=answer")
        assert cli("import", "in.jsonl", "--out", "p.jsonl", *options)[0] == 0
        assert json.loads((folder / "p.jsonl").read_text())["answer"] == "5"
