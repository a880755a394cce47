"""`cotfaith select` on a stub run of two models and two tasks: with the policy, and with verdicts that are put in."""

import json
from dataclasses import replace

import pytest
from commands import in_process
from runs_here import finish

from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.verdicts import decide
from cotfaith.cluster.verdicts.policy import load_policy

SPEC = {
    "models": [{"id": name, "engine": "stub"} for name in ("one", "two")],
    "tasks": [{"name": name, "generator": "tracking_objects", "n": 12} for name in ("easy", "hard")],
    "interventions": [{"name": "hint_sycophancy", "arms": ["wrong", "neutral"]}],
    "probes": ["no_cot", "adding_mistakes", "verbalises"],
    "output": {"path": "run", "max_failed_share": 1.0},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("select"), SPEC) / "run"


@pytest.fixture(scope="module")
def verdicts(run):
    """What the default policy decides, with the estimates beside it in the folder."""
    store = LocalStore(run)
    return decide.write_verdicts(store, load_run(store), load_policy(None))


@pytest.fixture
def trusted(verdicts, monkeypatch):
    """A function that lets verdicts trust these (model, task), whatever the rows say."""

    def put_in(*pairs):
        def made(*_):
            return [
                replace(one, verdict="trust" if (one.model, one.task) in pairs else "do_not_trust", change=())
                for one in verdicts
            ]

        monkeypatch.setattr(decide, "write_verdicts", made)

    return put_in


def selected(run, *arguments):
    done = in_process("select", run, "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def named(found):
    return None if found is None else found["model"]


def test_nobody_passes_and_what_would_change_it(run):
    code, found = selected(run)
    assert (code, found["selected"], found["runner_up"]) == (3, None, None)
    assert [one["selected"] for one in found["routes"]] == [None, None]
    assert "'readable' was not tested: add the probe paraphrasing" in json.dumps(found["changes"])
    done = in_process("select", run)
    assert done.returncode == 3
    assert "Nobody passes on all 2 tasks." in done.stdout
    assert "What would change it:" in done.stdout


def test_one_passes_everywhere(run, trusted):
    trusted(("one", "easy"), ("one", "hard"), ("two", "easy"))
    code, found = selected(run)
    assert (code, named(found["selected"]), found["runner_up"]) == (0, "one", None)
    assert found["changes"] == []
    passes = {one["model"]: one["passes"] for one in found["candidates"]}
    assert passes == {"one": True, "two": False}
    done = in_process("select", run, width=100)
    assert done.returncode == 0
    assert "Selected: one (capable" in done.stdout
    assert "Runner-up: nobody else passes." in done.stdout
    assert "largest trusted model" in done.stdout


def test_a_route_for_each_task(run, trusted):
    trusted(("one", "easy"), ("two", "hard"))
    code, found = selected(run)
    assert (code, found["selected"]) == (3, None)
    assert {one["task"]: named(one["selected"]) for one in found["routes"]} == {"easy": "one", "hard": "two"}
    done = in_process("select", run, width=100)
    assert "Nothing in this run would change it: measure other models." in done.stdout


def test_both_pass(run, trusted):
    trusted(*[(model, task) for model in ("one", "two") for task in ("easy", "hard")])
    code, found = selected(run)
    capable = {one["model"]: one["capable"] for one in found["candidates"]}
    assert code == 0
    assert capable[named(found["selected"])] == max(capable.values())
    assert {named(found["selected"]), named(found["runner_up"])} == {"one", "two"}


def test_json_has_the_documented_keys(run, trusted, repo):
    rows = (repo / "docs" / "json.md").read_text().splitlines()
    (line,) = [row for row in rows if row.startswith("| `select` |")]
    trusted()
    _, found = selected(run)
    assert [name.strip(" `|") for name in line.split("|")[2].split(",")] == list(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no run here"),
        (["{run}", "--policy", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input(run, arguments, said):
    done = in_process("select", *(one.format(run=run) for one in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
