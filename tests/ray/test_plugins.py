"""A probe from the working directory runs in Ray's processes too."""

import re
import subprocess
import sys
from pathlib import Path

from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore


def test_the_pages_probe_on_workers(repo, tmp_path):
    code, spec, *_ = re.findall(r"```\w+\n(.*?)```", (repo / "docs" / "add-a-probe.md").read_text(), re.DOTALL)
    (tmp_path / "last_step.py").write_text(code)
    (tmp_path / "spec.yaml").write_text(spec.replace("plugins: [last_step]\n", ""))
    line = [sys.executable, "-c", "from cotfaith.cluster.cli.app import main; main()", "run", "spec.yaml"]
    done = subprocess.run(
        [*line, "--plugin", "last_step"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    rows = read_tables(LocalStore(Path(tmp_path) / "runs" / "last-step"))["observations"].filter(probe="last_step")
    assert (rows.height, set(rows["status"])) == (5, {"ok"})
