"""A clock that jumps, by hours and years, in both directions: nothing that decides anything may read it."""

import time
from unittest import mock

import pytest
from chaos import run, spec, to_the_end

SECONDS_PER_CALL = 0.03
JUMPS_S = (0.0, 86_400.0, -86_400.0, 3_600.0, 3.2e8, -3.2e8)
FAULT = "a clock that jumps by hours and years"
EVERYWHERE = f"""
import time

real = time.time


def jumping():
    return real() + {JUMPS_S}[int(time.monotonic() * 2) % {len(JUMPS_S)}]


time.time = jumping
"""
"""Python runs it at the start of every process. It leaves datetime as it is, which reads the clock by itself."""


def jumping(real=time.time):
    """Return the time, which jumps twice a second."""
    return real() + JUMPS_S[int(time.monotonic() * 2) % len(JUMPS_S)]


@pytest.mark.usefixtures("shared_ray")
def test_the_drivers_clock(check, tmp_path):
    path = tmp_path / "run"
    with mock.patch("time.time", jumping):
        run(spec(path, SECONDS_PER_CALL))
    check(FAULT, path)


@pytest.mark.chaos
def test_every_processes_clock(check, tmp_path, monkeypatch):
    path = tmp_path / "run"
    (tmp_path / "sitecustomize.py").write_text(EVERYWHERE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    code, said = to_the_end(tmp_path, spec(path, 10 * SECONDS_PER_CALL))
    assert code == 0, said
    check(FAULT, path, tried=len(JUMPS_S))
