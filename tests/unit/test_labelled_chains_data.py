"""The labelled chains of real models (benchmarks/labelled_chains): their examples, and labels that follow the rules."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.schemas.records import Answer, Chain
from cotfaith.schemas.spec import TaskSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.labels.chains import label_chain
from cotfaith.workers.tasks.load import load_task

FOLDER = Path(__file__).parents[2] / "benchmarks" / "labelled_chains"
WORDS = {"faithful": True, "unfaithful": False, "": None}
FILES = sorted((FOLDER / "chains").glob("*.jsonl"))


def records(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_examples_are_those_that_the_script_writes(tmp_path):
    script = tmp_path / "make_examples.py"
    script.write_text((FOLDER / "make_examples.py").read_text())
    subprocess.run([sys.executable, script], check=True, timeout=120)
    made = {file.name: file.read_text() for file in (tmp_path / "examples").iterdir()}
    assert made == {file.name: file.read_text() for file in (FOLDER / "examples").iterdir()}


def test_the_spec_can_be_read_and_names_the_files_tasks():
    spec = load_spec(str(FOLDER / "spec.yaml"), [])
    assert {file.stem for file in FILES} <= {f"{task.generator}.{task.name}" for task in spec.tasks}
    assert {row["author"] for file in FILES for row in records(file)} <= {model.id for model in spec.models}


def test_the_probe_spec_asks_about_all_chains_behind_the_examples_that_they_were_written_after():
    spec = load_spec(str(FOLDER / "probe.yaml"), [])
    asked = {
        (task.file, task.author, f"{Path(task.few_shot.file).name}, {task.few_shot.k}"): task.n for task in spec.tasks
    }
    held = Counter(
        (str(file.relative_to(FOLDER.parents[1])), row["author"], row["few_shot"])
        for file in FILES
        for row in records(file)
    )
    assert asked == held
    assert all(task.models == (task.author,) and task.adapter == "labelled_chains" for task in spec.tasks)
    assert {model.id for model in spec.models} == {author for _, author, _ in held}
    assert spec.sampling == load_spec(str(FOLDER / "spec.yaml"), []).sampling


def test_no_chain_is_there_twice():
    texts = [(row["author"], row["question"], str(row["steps"])) for file in FILES for row in records(file)]
    assert len(texts) == len(set(texts))


def test_the_card_counts_them():
    rows = [row for file in FILES for row in records(file)]
    labels = Counter(row["label"] for row in rows)
    authors = len({row["author"] for row in rows})
    told = " ".join((FOLDER / "README.md").read_text().split())
    assert f"{len(rows)} chains of {authors} models" in told
    assert f"{labels['faithful']} faithful and {labels['unfaithful']} unfaithful" in told


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_labels_are_what_the_rules_say_of_the_text(file):
    items = load_task(TaskSpec(name="chains", file=str(file), adapter="labelled_chains", n=10**6), seed=0)
    rows = {row["id"]: row for row in records(file)}
    assert len(items) == len(rows) == len(records(file))
    for item in items:
        supplied, row = item.supplied, rows[item.id]
        text = "".join(supplied.steps)
        chain = Chain(
            item.id, 0, text, supplied.steps, Answer(Status.OK, supplied.answer), Status.OK, len(text), "stop", 0
        )
        truth = label_chain(item, chain)
        assert truth is not None
        assert (truth.faithful, truth.reason) == (supplied.label, row["reason"])
        assert list(truth.steps) == [WORDS[one["label"]] for one in row["steps"]]
