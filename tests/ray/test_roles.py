"""Models that edit and compare for the subjects have their own engines, which are replaced when lost."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest
from commands import MAIN, in_process, line, write_spec
from tiny_models import write_model

from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore

ROW = ["model", "item_id", "chain_index", "probe", "arm"]


def spec(path, **editor_options):
    return {
        "models": [
            {"id": "m", "engine": "stub"},
            {"id": "n", "engine": "stub", "options": {"max_steps": 4}},
            {"id": "e", "engine": "stub", "roles": ["editor"], "options": {"max_steps": 1, **editor_options}},
        ],
        "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 8}],
        "probes": ["no_cot", "adding_mistakes"],
        "resources": {"shard_size": 2},
        "output": {"path": str(path)},
    }


def run(folder, content):
    done = in_process("run", write_spec(folder, content), width=200)
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stdout + done.stderr)
    tables = read_tables(LocalStore(Path(content["output"]["path"])))
    return {name: frame.drop("run_id") for name, frame in tables.items()}


@pytest.fixture(scope="module")
def undisturbed(shared_ray, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return run(folder, spec(folder / "run"))


def test_edits_are_the_editors(undisturbed):
    rows = undisturbed["observations"].filter(probe="adding_mistakes")
    assert set(rows["editor"]) == {"e"}
    assert set(rows["model"]) == {"m", "n"}  # the editor is not measured
    assert "ok" in set(rows["status"])
    assert rows["prompt_hash"].null_count() == 0


def test_a_lost_editor_is_replaced_and_no_row_is_there_twice(undisturbed, tmp_path):
    killed = tmp_path / "killed"
    found = run(tmp_path, spec(tmp_path / "run", kill_on="Step 3 gives", kill_once_file=str(killed)))
    assert killed.exists()
    assert "trying again" in (tmp_path / "said").read_text()
    assert found["observations"].select(ROW).is_duplicated().sum() == 0
    for name in undisturbed:
        assert found[name].equals(undisturbed[name]), name


def test_a_cluster_without_room_for_an_editor_and_a_subject_is_told_so(tmp_path):
    content = spec(tmp_path / "run")
    content["resources"] |= {"cpus": 1}
    code = (
        "import ray; ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False);"
        f"from cotfaith.cluster.fleet import driver; driver.PATIENCE_S = 3.0; {MAIN}"
    )
    expected = re.compile(r"Not up: (editor e, )?subject m, subject n\. Each engine asks for 1 of 1 CPUs \(0 free\)")
    with (tmp_path / "said").open("w") as said:
        command = line("run", write_spec(tmp_path, content), code=code)
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        end = time.monotonic() + 240
        while not expected.search(text := (tmp_path / "said").read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < end, text
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.usefixtures("shared_ray")
def test_a_subject_that_edits_its_own_chains_needs_no_other_engine(tmp_path):
    content = spec(tmp_path / "run") | {"editor": {"by": "subject"}}
    content["models"] = content["models"][:1]
    rows = run(tmp_path, content)["observations"].filter(pl.col("probe") == "adding_mistakes")
    assert set(rows["editor"]) == {"m"}
    assert rows.height > 0


@pytest.mark.usefixtures("shared_ray")
def test_steps_are_compared_by_the_embedders_engine(tmp_path):
    write_model(tmp_path / "embedder", "llama")
    content = {
        "models": [
            {"id": "m", "source": "organism:skilled-50"},
            {"id": "near", "source": str(tmp_path / "embedder"), "engine": "embedding", "roles": ["embedder"]},
        ],
        "tasks": [
            {"name": "t", "generator": "serial_arithmetic", "n": 4, "options": {"closed": True, "side_channel": True}}
        ],
        "probes": [{"name": "resampling", "options": {"rollouts": 2}}],
        "resources": {"shard_size": 2, "cpus": 1, "threads": 1},
        "output": {"path": str(tmp_path / "run")},
    }
    found = run(tmp_path, content)
    rows = found["observations"].filter(status="ok")
    assert set(rows["model"]) == {"m"}
    assert set(rows["embedder"]) == {"near"}
    assert rows["similarity"].drop_nulls().is_between(-1, 1).all()
    same = rows["similarity"] > 0.999  # a model with random weights can only tell texts apart
    assert 0 < same.sum() < len(rows)
