"""The lease on a run between real processes, each with a Ray of its own."""

import sys

import pytest
from chaos import Reference, n_commits, run, spec, started, wait_for

from cotfaith.cluster.storage.store import open_store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which processes have ended")
SECONDS_PER_CALL = 1.0
"""The first driver has work for minutes."""


@pytest.fixture(scope="module")
def undisturbed(held_ray, tmp_path_factory):
    """The rows of a run that had one driver."""
    held_ray.up()
    path = tmp_path_factory.mktemp("undisturbed") / "run"
    run(spec(path))
    held_ray.down()
    return Reference.of(open_store(str(path)))


@pytest.mark.chaos
def test_a_second_driver_is_refused_until_the_first_is_dead(undisturbed, tmp_path):
    path = tmp_path / "run"
    with started(tmp_path, spec(path, SECONDS_PER_CALL)) as first:
        wait_for(lambda: n_commits(path) >= 2, first)
        with started(tmp_path, spec(path)) as second:
            assert second.wait(60) == 2, second.text()
            assert f"Another driver works on this run: process {first.pid} on" in second.text()
        assert first.runs()
        first.kill()
        with started(tmp_path, spec(path)) as third:
            assert third.wait(120) == 0, third.text()
        assert f"The driver that held this run has ended: process {first.pid} on" in third.text()
        assert "Waiting" not in third.text()
    assert undisturbed.against(open_store(str(path))).equal
    assert not (path / "_lease.json").exists()
