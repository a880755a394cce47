"""OpenMP as an engine's actor sets it, told by OpenMP itself when torch is imported."""

import os
import subprocess
import sys

import pytest

CODE = """
import sys
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.remote import EngineActor
assert "torch" not in sys.modules
EngineActor(ModelSpec(id="m", engine="stub"), 1)
import torch
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="torch's wheels bring another OpenMP")
def test_an_engines_threads_sleep_when_they_wait():
    """Takes seconds: a process imports Ray and torch."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    told = {**clean, "OMP_DISPLAY_ENV": "VERBOSE"}
    done = subprocess.run([sys.executable, "-c", CODE], env=told, capture_output=True, text=True, check=True)
    assert "GOMP_SPINCOUNT = '0'" in done.stderr  # 300000 if nothing is set
