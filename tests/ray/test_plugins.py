"""Plug-ins from the working directory run in Ray's processes too: a probe, and the engine that answers it."""

import re
from pathlib import Path

from commands import as_process

from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore

ENGINE = """
from dataclasses import replace

from cotfaith.workers.engines import ENGINES
from cotfaith.workers.registry import register

register(replace(ENGINES["stub"], name="mine"))
"""


def test_the_pages_probe_and_an_engine_on_workers(repo, tmp_path):
    code, _, spec, *_ = re.findall(r"```\w+\n(.*?)```", (repo / "docs" / "add-a-probe.md").read_text(), re.DOTALL)
    (tmp_path / "last_step.py").write_text(code)
    (tmp_path / "my_engine.py").write_text(ENGINE)
    spec = spec.replace("plugins: [last_step, last_step_metrics]\n", "").replace(
        "engine: stub", "engine: mine, source: none"
    )
    (tmp_path / "spec.yaml").write_text(spec)
    done = as_process("run", "spec.yaml", "--plugin", "last_step", "--plugin", "my_engine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = read_tables(LocalStore(Path(tmp_path) / "runs" / "last-step"))["observations"].filter(probe="last_step")
    assert (rows.height, set(rows["status"])) == (5, {"ok"})
