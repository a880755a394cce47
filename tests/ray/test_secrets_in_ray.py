"""A run on real actors whose engines tell every secret when they fail: none is in Ray's logs, the run or its messages.

One engine fails at each request, the other when it starts.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml
from commands import as_process
from planted import LEAKY, PLANTED, found_in, leaks_of

pytestmark = pytest.mark.usefixtures("no_ray")
TOLD = LEAKY.replace(PLANTED["RAY_AUTH_TOKEN"], "")  # not in this environment: Ray would use it
SPEC = {
    "models": [{"id": "asked", "engine": "stub"}, {"id": "started", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 2, "options": {"operands": [2], "choices": 4}}],
    "probes": ["no_cot"],
    "plugins": ["telling_engine"],
    "output": {"path": "run"},
}
PLUGIN = f"""
from cotfaith.workers.engines.stub.engine import StubEngine
start = StubEngine.__init__

def telling(*_, **__):
    raise ValueError(bytes.fromhex({TOLD.encode().hex()!r}).decode())

def started(self, spec, *more, **options):
    start(self, spec, *more, **options)
    if spec.id == "started":
        telling()

StubEngine.__init__, StubEngine.generate = started, telling
"""


def test_engines_that_tell(tmp_path, monkeypatch):
    session = Path(tempfile.mkdtemp(prefix="cf"))  # short: sockets are below it
    monkeypatch.setenv("RAY_TMPDIR", str(session))
    for name, value in PLANTED.items():
        if value in TOLD:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "telling_engine.py").write_text(PLUGIN)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(SPEC))
    try:
        done = as_process("run", "spec.yaml", "--log", "log.jsonl", cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert found_in(done.stdout + done.stderr) == []
        logs = "".join(path.read_text() for path in session.rglob("*.err") if not path.is_symlink())
        assert "ValueError" in logs, "the actors said what failed"
        assert leaks_of(session) == {}
        assert leaks_of(tmp_path) == {}
    finally:
        shutil.rmtree(session, ignore_errors=True)
