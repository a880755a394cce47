"""A probe of the package itself: the two files of docs/add-a-probe.md, put into a copy of the package, and no other."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
PLACES = ("workers/probes/last_step.py", "cluster/stats/metrics/last_step.py")
RUN = """
import json, sys
from contextlib import nullcontext
import polars as pl
from cotfaith.cluster.cli import app
from cotfaith.cluster.fleet import run
from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.workers.engines.stub.engine import StubEngine

def run_here(plan, jobs, progress, *_):
    for job in jobs:
        run_job(job, {"subject": StubEngine(plan.model(job.model))})
    return RunOutcome(done=len(jobs))

run.ray_session = lambda *_: nullcontext()
run.run_jobs = run_here
sys.argv = ["cotfaith", *sys.argv[1:]]
app.main()
"""


@pytest.fixture
def copy(repo, tmp_path):
    """A folder with a copy of the package, the page's two files in it, and the page's spec without its plug-ins."""
    package = tmp_path / "package"
    shutil.copytree(repo / "infra" / "package", package, ignore=shutil.ignore_patterns("__pycache__"))
    found = FENCE.findall((repo / "docs" / "add-a-probe.md").read_text())
    blocks = [text for language, text in found if language != "bash"]
    for place, text in zip(PLACES, blocks, strict=False):
        path = package / "cotfaith" / place
        assert not path.exists()
        kept = [line for line in text.splitlines(keepends=True) if not line.startswith("register")]
        path.write_text("".join(kept).replace(", register", ""))
        assert "register" not in path.read_text()
    (tmp_path / "spec.yaml").write_text("".join(x for x in blocks[2].splitlines(keepends=True) if "plugins" not in x))
    (tmp_path / "labelled.jsonl").write_text(blocks[3])
    return tmp_path


def command(folder, *arguments):
    env = os.environ | {"PYTHONPATH": str(folder / "package"), "COLUMNS": "80"}
    call = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_files_are_a_probe(copy):
    command(copy, "validate", "spec.yaml", "--chains", "labelled.jsonl")
    run = copy / "runs" / "validate-labelled"
    html = re.sub(r"<script.*?</script>", "", (run / "report.html").read_text(), flags=re.DOTALL)
    assert "With only the last step of its chain, it gives another answer in" in html
    assert "<th>Changed, only the last step</th>" in html
    made = json.loads((run / "validation.json").read_text())
    found = [one for one in made["figures"] if one["metric"] == "last_step_changed"]
    assert found
    assert all((one["n_faithful"], one["n_unfaithful"]) == (2, 2) for one in found)
    assert all(0 <= one["auroc"] <= 1 for one in found)
