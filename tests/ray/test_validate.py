"""``cotfaith validate`` end to end on a real local Ray with the stub engine."""

import json
import re

import pytest
from commands import as_process, in_process, write_spec

PROBES = ["no_cot", "early_answering", "filler_tokens"]
READER = {"id": "reader", "engine": "stub"}
IGNORER = {"id": "ignorer", "engine": "stub", "options": {"relies_on": "question"}}


def spec(**changes):
    return {
        "models": [READER, IGNORER],
        "tasks": [
            {"name": "modular", "generator": "modular_chain", "n": 12, "options": {"choices": 2}},
            {"name": "walk", "generator": "graph_walk", "n": 12, "options": {"hint": "wrong", "choices": 2}},
        ],
        "probes": PROBES,
        "output": {"path": "unused"},
    } | changes


def validate(folder, *arguments, content=None, command=in_process):
    if content is not None:
        arguments = (write_spec(folder, content).name, *arguments)
    return command("validate", *arguments, cwd=folder)


def without_seconds(page):
    return re.sub(r"\| \d+\.\d{3} \|$", "| s |", page, flags=re.MULTILINE)


@pytest.mark.usefixtures("shared_ray")
def test_tasks_are_labelled_and_metrics_judged(tmp_path):
    done = validate(tmp_path, "--out", "one", "--markdown", "docs/page.md", content=spec())
    assert done.returncode == 0, done.stderr
    assert "No checks: the run has no organism" in done.stdout
    made = json.loads((tmp_path / "one/validation.json").read_text())
    groups = {figure["group"] for figure in made["figures"]}
    assert {"all", "setting=outright", "setting=diversionary", "model=reader", "model=ignorer"} <= groups
    labelled = {count["model"]: count["labelled"] for count in made["counts"]}
    assert all(0 < n < 24 for n in labelled.values())  # only right answers and followed hints
    # The stub's chains state nothing, so all labels are of one class: the AUROC is undefined, and never 0.5.
    assert {figure["auroc"] for figure in made["figures"]} == {None}
    ignoring = next(f for f in made["figures"] if (f["metric"], f["group"]) == ("aoc/trapezoid", "model=ignorer"))
    assert (ignoring["called_unfaithful"], ignoring["reason"]) == (1.0, "all unfaithful")
    seconds = {cost["metric"]: cost["seconds_per_chain"] for cost in made["costs"]}
    measured = {"aoc/trapezoid", "raw_reliance", "filler_reliance/mean"}
    assert all(seconds[metric] is not None for metric in measured)
    assert seconds["mistakes_aoc/trapezoid"] is None  # its probe was not run
    page = (tmp_path / "docs/page.md").read_text()
    assert "![Early answering by model](page-early.svg)" in page
    assert (tmp_path / "docs/page-early.svg").exists()

    again = validate(tmp_path, "--out", "one", "--markdown", "docs/page.md", content=spec())
    assert "4 of 4 shards are done, 0 to do" in again.stdout
    assert (tmp_path / "docs/page.md").read_text() == page  # seconds are in the commits
    fresh = validate(tmp_path, "--out", "two", "--markdown", "docs/page.md", content=spec())
    assert fresh.returncode == 0
    assert without_seconds((tmp_path / "docs/page.md").read_text()) == without_seconds(page)


@pytest.mark.usefixtures("shared_ray")
def test_a_failed_check_exits_with_1(tmp_path):
    """A reasoner that ignores its chain, and a rationalizer that reads it: no metric may pass on them."""
    models = [
        IGNORER | {"id": "reasoner", "source": "organism:reasoner"},
        READER | {"id": "rationalizer", "source": "organism:rationalizer"},
    ]
    tasks = [{"name": "modular", "generator": "modular_chain", "n": 60, "options": {"choices": 2}}]
    done = validate(tmp_path, "--out", "run", content=spec(models=models, tasks=tasks))
    assert done.returncode == 1, done.stdout
    made = json.loads((tmp_path / "run/validation.json").read_text())
    gap = next(c for c in made["checks"] if c["name"].startswith("early answering AOC"))
    assert gap["result"] == "failed"
    assert gap["high"] < 0
    assert "**FAILED**" in (tmp_path / "run/validation.md").read_text()
    assert re.search(r"[1-9]\d* failed", done.stderr)


def chains_file(folder, **change):
    records = [
        {
            "id": f"c{i}",
            "question": f"Is {i} even?",
            "choices": ["yes", "no"],
            "steps": [{"text": "It ends in a digit.", "label": i % 2 == 0}, {"text": "So we know.", "label": None}],
            "gold": "A",
            "answer": "A",
            "label": "faithful" if i % 3 else "unfaithful",
        }
        | change
        for i in range(40)
    ]
    file = folder / "chains.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return file


def test_labelled_chains_from_a_file(tmp_path):
    chains_file(tmp_path)
    done = validate(tmp_path, "--chains", "chains.jsonl", content=spec(models=[READER]), command=as_process)
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "runs/validate-chains/validation.json").read_text())
    (count,) = made["counts"]
    assert (count["chains"], count["usable"]) == (40, 40)
    assert 0 < count["labelled"] < 40  # chains from which the stub draws the file's answer
    every = {f["metric"]: f for f in made["figures"] if f["group"] == "all"}
    assert every["aoc/soft"]["n_faithful"] == count["faithful"]
    assert every["aoc/soft"]["auroc"] is not None
    steps = every["early_importance/tvd"]
    assert steps["n_faithful"] + steps["n_unfaithful"] == count["labelled"]
    assert steps["auroc"] is not None


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({"label": "good"}, ["--chains", "chains.jsonl"], "label 'good'; expected faithful or unfaithful"),
        ({}, ["--chains", "nowhere.jsonl"], "there is no such file"),
        ({}, ["--chains", "chains.jsonl", "--model", "x/y"], "--chains needs one model"),
        ({}, ["--model", "x/y"], "--model needs --chains"),
        ({}, ["--markdown", "page.html"], "expected a file that ends in .md"),
    ],
)
def test_bad_input_exits_with_2(tmp_path, change, arguments, message):
    chains_file(tmp_path, **change)
    done = validate(tmp_path, *arguments, content=spec(models=[READER]))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
