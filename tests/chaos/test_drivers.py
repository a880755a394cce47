"""Two drivers on one run at once: what both do is done twice, and counts once."""

import pytest
import ray
from chaos import n_commits, spec, started, to_the_end, wait_for
from commands import MAIN

from cotfaith.cluster.fleet.run import execute
from cotfaith.schemas.spec import parse_spec

SECONDS_PER_CALL = 0.03
UNLEASED = (
    "from functools import partial; from cotfaith.cluster.fleet import run; "
    f"run.execute = partial(run.execute, lease=False); {MAIN}"
)
"""The command line without the lease: what counts rests on commits only."""


@pytest.mark.usefixtures("shared_ray")
def test_two_drivers_at_once(check, tmp_path):
    """The short form: both are processes of one Ray, and begin together."""
    path = tmp_path / "run"
    driver = ray.remote(execute).options(num_cpus=0, max_retries=0)
    given_up = ray.get(
        [driver.remote(parse_spec(spec(path, SECONDS_PER_CALL)), lease=False) for _ in range(2)], timeout=120
    )
    assert given_up == [[], []]
    check("two drivers on one run at once", path)


@pytest.mark.chaos
def test_drivers_that_begin_one_after_the_other(check, tmp_path):
    """Without the lease; each has a Ray of its own. The second begins amid the first, and the third amid both."""
    path = tmp_path / "run"
    content = spec(path, 10 * SECONDS_PER_CALL)
    with started(tmp_path, content, code=UNLEASED) as first:
        wait_for(lambda: n_commits(path) >= 5, first)
        with started(tmp_path, content, code=UNLEASED) as second:
            wait_for(lambda: n_commits(path) >= 20, second)
            with started(tmp_path, content, code=UNLEASED) as third:
                for tree in (first, second, third):
                    assert tree.wait(300) == 0, tree.text()
    check("two drivers on one run at once", path, tried=3)


@pytest.mark.chaos
def test_a_second_driver_is_refused_and_can_take_over(check, tmp_path):
    path = tmp_path / "run"
    content = spec(path, 10 * SECONDS_PER_CALL)
    with started(tmp_path, content) as first:
        wait_for(lambda: n_commits(path) >= 3, first)
        code, said = to_the_end(tmp_path, content)
        assert code == 2, said
        assert first.runs()
        with started(tmp_path, content, "--take-over") as second:
            assert first.wait(60) == 1, first.text()
            assert second.wait(300) == 0, second.text()
    check("a run taken over by another driver", path)
