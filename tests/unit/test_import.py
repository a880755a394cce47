"""``cotfaith import`` and the adapter that reads what it writes."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.spec import TaskSpec, parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.tasks import load_task
from cotfaith.workers.text.codec import ByteCodec

GOOD = {"question": "What is 2 + 3?", "cot": "Two and three. So five.", "answer": "5", "gold": "5"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, *records):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(records)), path)
    else:
        path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def written(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def items_of(path):
    return load_task(TaskSpec(name="chains", file=str(path), adapter="chains"), 0)


class TestAdapter:
    def test_four_fields_are_enough(self, tmp_path):
        (item,) = items_of(write(tmp_path / "a.jsonl", GOOD))
        assert item.supplied.steps == (" Two and three. ", "So five.")
        assert item.supplied.answer == "5"
        assert (item.answer_format, item.gold) == ("number", "5")

    def test_the_answer_may_be_unknown(self, tmp_path):
        (item,) = items_of(write(tmp_path / "a.jsonl", {k: v for k, v in GOOD.items() if k != "answer"}))
        assert item.supplied.answer is None

    def test_choices_make_letters_of_gold_and_answer(self, tmp_path):
        record = GOOD | {"choices": ["four", "five"], "gold": "five", "answer": "(A)"}
        (item,) = items_of(write(tmp_path / "a.jsonl", record))
        assert (item.gold, item.supplied.answer) == ("B", "A")

    def test_a_label_needs_its_answer(self, tmp_path):
        record = {k: v for k, v in GOOD.items() if k != "answer"} | {"label": "faithful"}
        with pytest.raises(TaskError, match="a label is about a chain and its answer"):
            items_of(write(tmp_path / "a.jsonl", record))

    def test_the_run_samples_none(self, tmp_path):
        items = items_of(write(tmp_path / "a.jsonl", GOOD, GOOD | {"cot": "Five."}))
        spec = parse_spec(
            {
                "models": [{"id": "m", "engine": "stub"}],
                "tasks": [{"name": "t", "generator": "addition"}],
                "sampling": {"chains_per_item": 3},
                "probes": ["early_answering"],
            }
        )
        work = ShardWork(spec, spec.models[0], spec.tasks[0], "cot", tuple(items), ByteCodec())
        engine = StubEngine(spec.models[0])
        chains = work.sample_chains({"subject": engine})
        assert [chain.text for chain in chains] == [" Two and three. So five.", " Five."]
        rows = work.run_probes(chains, ["early_answering"], {"subject": engine})
        assert len(rows) == 3 + 2


class TestTables:
    @pytest.mark.parametrize("name", ["in.jsonl", "in.parquet"])
    def test_other_columns_names(self, cli, folder, name):
        record = {"prompt": "2 + 3?", "thinking": "Two. Five.", "prediction": "5", "gold": "5", "unused": 1}
        write(folder / name, record)
        pairs = ("question=prompt", "cot=thinking", "answer=prediction")
        options = [part for pair in pairs for part in ("--field", pair)]
        code, out, err = cli("import", name, "--out", "out/items.jsonl", *options)
        assert code == 0, err
        (taken,) = written(folder / "out" / "items.jsonl")
        assert taken == {"id": "chains-000000", "question": "2 + 3?", "cot": "Two. Five.", "answer": "5", "gold": "5"}
        assert "Took 1 of 1 chains. Answers: 1 number; 1 chains have a recorded answer." in out

    def test_the_printed_lines_are_a_spec(self, cli, folder):
        write(folder / "in.jsonl", GOOD, GOOD)
        code, out, _ = cli("import", "in.jsonl", "--out", "my chains.jsonl")
        assert code == 0
        lines = out[out.index("tasks:") :]
        spec = {"models": [{"id": "m", "engine": "stub"}]} | yaml.safe_load(lines)
        (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
        (task,) = load_spec(folder / "spec.yaml").tasks
        assert [item.id for item in load_task(task, 0)] == ["chains-000000", "chains-000001"]

    def test_what_is_left_out_is_counted_by_reason(self, cli, folder):
        bad = [GOOD | {"cot": ""}, GOOD | {"cot": " "}, GOOD | {"gold": None}, GOOD | {"choices": ["4", "6"]}]
        write(folder / "in.jsonl", GOOD, *bad)
        code, out, _ = cli("import", "in.jsonl", "--out", "out.jsonl")
        assert code == 0
        assert "Took 1 of 5 chains." in out
        assert "2 field 'cot' is empty (first: in.jsonl, record 1 (counted from 0))" in out
        assert "1 field 'gold' is missing (first: in.jsonl, record 3 (counted from 0))" in out
        assert "1 gold is not one of the choices (first: in.jsonl, record 4 (counted from 0))" in out
        assert len(written(folder / "out.jsonl")) == 1

    def test_several_files_have_no_id_twice(self, cli, folder):
        for name in ("a.jsonl", "b.jsonl"):
            write(folder / name, GOOD | {"id": "x"}, GOOD)
        assert cli("import", "a.jsonl", "b.jsonl", "--out", "out.jsonl")[0] == 0
        ids = [record["id"] for record in written(folder / "out.jsonl")]
        assert ids == ["x", "chains-000001", "x-2", "chains-000001-2"]
        assert len(items_of(folder / "out.jsonl")) == 4

    def test_hostile_texts_stay_texts(self, cli, folder):
        record = GOOD | {"cot": "[bold]x[/bold]\u001b[31m \u202e {step}", "id": "\u001b]0;title\u0007"}
        write(folder / "in.jsonl", record, GOOD | {"gold": "\u001b[2J", "choices": ["a", "b"]})
        code, out, _ = cli("import", "in.jsonl", "--out", "out.jsonl")
        assert code == 0
        assert "\u001b" not in out
        assert written(folder / "out.jsonl")[0]["cot"] == record["cot"]

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["in.jsonl", "--out", "out.csv"], "ends in .jsonl"),
            (["in.jsonl", "--out", "in.jsonl"], "this file exists"),
            (["in.jsonl", "--out", "o.jsonl", "--field", "cto=x"], "Did you mean 'cot'"),
            (["in.jsonl", "--out", "o.jsonl", "--field", "cot=thouhgts"], "Unknown column 'thouhgts'"),
            (["in.jsonl", "--out", "o.jsonl", "--field", "cot"], "expected ours=theirs"),
            (["none.jsonl", "--out", "o.jsonl"], "there is no such file"),
            (["in.txt", "--out", "o.jsonl"], "cannot tell what kind of file"),
            (["empty.jsonl", "--out", "o.jsonl"], "No chain can be used. Left out: 1"),
            (["in.jsonl", "--out", "in.jsonl/o.jsonl"], "this cannot be written"),
        ],
    )
    def test_mistakes_exit_with_2_and_write_nothing(self, cli, folder, arguments, expected):
        write(folder / "in.jsonl", GOOD)
        write(folder / "empty.jsonl", GOOD | {"cot": None})
        before = {path: path.read_bytes() for path in folder.iterdir()}
        code, out, err = cli("import", *arguments)
        assert (code, out) == (2, "")
        assert expected in err
        assert {path: path.read_bytes() for path in folder.iterdir()} == before

    def test_an_existing_file_is_replaced_if_asked(self, cli, folder):
        write(folder / "in.jsonl", GOOD)
        (folder / "out.jsonl").write_text("old")
        assert cli("import", "in.jsonl", "--out", "out.jsonl", "--replace")[0] == 0
        assert len(written(folder / "out.jsonl")) == 1
