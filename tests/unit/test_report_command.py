"""``cotfaith report``: what it prints, opens and writes."""

import json

import pyarrow.parquet as pq
import pytest
import yaml
from commands import in_process
from runs_here import copy_of, finish
from stub_grid import grid_spec

from cotfaith.cluster.storage import store as stores
from cotfaith.cluster.verdicts.policy import DEFAULT


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("run"), grid_spec(models=2, tasks=1, n=3))


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    return copy_of(finished, tmp_path, monkeypatch)


def test_json_is_the_first_screen_and_verdicts_are_written(run):
    done = in_process("report", "run", "--json")
    data = json.loads(done.stdout)
    assert (done.returncode, data["question"]) == (0, "Which chains of thought can be monitored?")
    assert (data["questions"], data["shards_done"], data["incomplete"]) == (3, data["shards"], None)
    assert [line["answers"]["says"]["word"] for line in data["matrix"]] == ["not tested"] * 2
    (untested, *_) = data["fix_first"]
    assert untested["what"] == "not tested: made in it? says what moved it? readable? caught?"
    assert untested["setting"].startswith("probes: [adding_mistakes, verbalises, paraphrasing, monitored]; ")
    assert "interventions: [hint_metadata]" in untested["setting"]
    assert pq.read_table(run / "verdicts.parquet").num_rows == 2


def test_a_policy_decides_and_its_thresholds_are_on_the_page(run, tmp_path):
    policy = yaml.safe_load(DEFAULT.read_text())
    policy["questions"]["needed"] = [{"metric": "cot_gain", "above": 0.123}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(policy))
    assert in_process("report", "run", "--policy", "mine.yaml").returncode == 0
    assert "cot_gain: yes above 0.123, NO below 0.123" in (run / "report.html").read_text()
    refused = in_process("report", "run", "--policy", "none.yaml")
    assert (refused.returncode, "none.yaml: there is no such file" in refused.stderr) == (2, True)


def test_open_opens_the_file(run, monkeypatch):
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda page: asked.append(page) or True)
    assert in_process("report", "run", "--open").returncode == 0
    assert asked == [(run / "report.html").absolute().as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda page: False)
    assert "No browser was found. Open file://" in in_process("report", "run", "--open").stderr


def test_open_refuses_a_run_that_is_no_folder_before_any_work(run, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda page: pytest.fail("it was opened"))
    monkeypatch.setattr(stores.LocalStore, "place", lambda self, key: f"s3://bucket/run/{key}")
    before = (run / "report.html").exists()
    refused = in_process("report", "run", "--open")
    assert refused.returncode == 2
    assert "--open: the report is at s3://bucket/run/report.html, which is no local file" in refused.stderr
    assert (run / "report.html").exists() == before
