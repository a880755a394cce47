"""A model whose engine cannot be made or kept up is given up and named; the others' work is done and reported."""

from pathlib import Path

import pytest
from commands import in_process, write_spec

from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_given_up, read_ledger, read_quarantine, read_tables
from cotfaith.cluster.storage.store import LocalStore

pytestmark = pytest.mark.usefixtures("shared_ray")
WHY = "no weights: \x1b[31mtorn file"


def stub(name, *roles, **options):
    return {"id": name, "engine": "stub", "roles": list(roles or ["subject"]), "options": options}


def spec(path, *models, probes=("no_cot",), **more):
    return {
        "models": list(models),
        "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 4}],
        "probes": list(probes),
        "resources": {"shard_size": 2, "cpus": 1},
        "output": {"path": str(path)},
    } | more


def run(folder, content):
    return in_process("run", write_spec(folder, content), width=200)


def rows(path):
    found = read_tables(LocalStore(Path(path)))
    return {name: frame.drop("run_id") for name, frame in found.items()}


def test_the_grid_goes_on_without_a_broken_model_and_the_next_run_tries_it_again(tmp_path):
    done = run(tmp_path, spec(tmp_path / "run", stub("a"), stub("broken", load_error=WHY), stub("c")))
    assert done.returncode == 1
    *_, reason, last = done.stderr.splitlines()
    assert reason.startswith("Given up: The engine of model 'broken' cannot be kept up: ")
    assert "torn file" in reason
    assert "\x1b" not in done.stdout + done.stderr
    assert last == "Finished without model broken. Run it again to try what is missing."
    assert set(rows(tmp_path / "run")["chains"]["model"]) == {"a", "c"}
    assert "torn file" in (tmp_path / "run" / "report.html").read_text()
    shown = in_process("status", tmp_path / "run", width=200)
    assert "Given up: The engine of model 'broken' cannot be kept up" in shown.stdout
    assert "broken / tracking: 2 not done" in shown.stdout

    again = run(tmp_path, spec(tmp_path / "run", stub("a"), stub("broken", load_error=WHY), stub("c")))
    assert again.returncode == 1  # it alone was tried; the others' results stay reported
    assert "Given up" in again.stderr

    assert run(tmp_path, spec(tmp_path / "run", stub("a"), stub("broken"), stub("c"))).returncode == 0
    assert read_given_up(LocalStore(tmp_path / "run")) == []
    whole = run(tmp_path, spec(tmp_path / "whole", stub("a"), stub("broken"), stub("c")))
    assert whole.returncode == 0
    assert all(rows(tmp_path / "run")[name].equals(frame) for name, frame in rows(tmp_path / "whole").items())


def test_if_all_models_are_broken_the_run_ends_with_their_reasons(tmp_path):
    done = run(tmp_path, spec(tmp_path / "run", stub("a", load_error="one"), stub("b", load_error="two")))
    assert done.returncode == 1
    assert "Error: The engine of model 'a' cannot be kept up:" in done.stderr
    assert "The engine of model 'b' cannot be kept up:" in done.stderr
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_broken_editor_costs_the_probes_that_need_it(tmp_path):
    probes = ("no_cot", "adding_mistakes")
    content = spec(tmp_path / "run", stub("a"), stub("e", "editor", load_error=WHY), probes=probes)
    done = run(tmp_path, content)
    assert done.returncode == 1
    assert "Given up: The engine of editor 'e' cannot be kept up: " in done.stderr
    found = rows(tmp_path / "run")
    assert set(found["observations"]["probe"]) == {"no_cot"}
    assert found["chains"].height == 4
    content["models"][1]["options"] = {}
    assert run(tmp_path, content).returncode == 0
    assert set(rows(tmp_path / "run")["observations"]["probe"]) == set(probes)


def test_a_model_that_crashes_on_everything_ends_only_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("cotfaith.cluster.fleet.attempts.MOST_IN_A_ROW", 1)
    content = spec(tmp_path / "run", stub("a"), stub("loop", kill_on="Human"))
    content["resources"]["attempts"] = 1
    done = run(tmp_path, content)
    assert done.returncode == 1
    assert "Finished without model loop." in done.stderr
    store = LocalStore(tmp_path / "run")
    assert completeness(store, load_run(store)).missing.keys() == {("loop", "tracking")}
    assert {shard.model for shard in read_ledger(store).logs} >= {"a"}
    assert {one.model for one in read_quarantine(store)} == {"loop"}


def test_a_record_counts_only_while_something_is_missing_for_it(tmp_path):
    broken = spec(tmp_path / "run", stub("a"), stub("broken", load_error=WHY))
    assert run(tmp_path, broken).returncode == 1
    done = run(tmp_path, spec(tmp_path / "run", stub("a")))  # the spec no longer asks for it
    assert (done.returncode, "Given up" in done.stderr) == (0, False)


def test_a_model_that_no_node_can_hold_is_given_up_when_its_wait_is_over(tmp_path):
    large = stub("large") | {"resources": {"gpus": 1}}
    content = spec(tmp_path / "run", stub("a"), large)
    content["resources"]["wait_minutes"] = 0.01
    done = run(tmp_path, content)
    assert done.returncode == 1
    assert (
        "No node of the cluster can hold the engine of model 'large', which asks for 1 CPUs and 1 GPUs" in done.stderr
    )
    assert "starts nodes by itself" not in done.stderr
    assert "Waiting up to 0.01 minutes for one (resources.wait_minutes)." in done.stderr
    assert set(rows(tmp_path / "run")["chains"]["model"]) == {"a"}
    large["resources"]["gpus"] = 0
    assert run(tmp_path, content).returncode == 0
