"""Two drivers on one run at once, without the lease: what both do is done twice, and counts once."""

import pytest
import ray
from chaos import n_commits, spec, started, wait_for
from commands import MAIN

from cotfaith.cluster.fleet.run import execute
from cotfaith.schemas.spec import parse_spec

SECONDS_PER_CALL = 0.03
WITHOUT_LEASE = f"""
from functools import partial
from cotfaith.cluster.fleet import run

run.execute = partial(run.execute, lease=False)
{MAIN}
"""


@pytest.mark.usefixtures("shared_ray")
def test_two_drivers_at_once(check, tmp_path):
    """The short form: both are processes of one Ray, and begin together."""
    path = tmp_path / "run"
    driver = ray.remote(execute).options(num_cpus=0, max_retries=0)
    content = parse_spec(spec(path, SECONDS_PER_CALL))
    given_up = ray.get([driver.remote(content, lease=False) for _ in range(2)], timeout=120)
    assert given_up == [[], []]
    check("two drivers on one run at once", path)


@pytest.mark.chaos
def test_drivers_that_begin_one_after_the_other(check, tmp_path):
    """Each with a Ray of its own; the second begins in the middle of the first, and the third of both."""
    path = tmp_path / "run"
    content = spec(path, 10 * SECONDS_PER_CALL)
    with started(tmp_path, content, code=WITHOUT_LEASE) as first:
        wait_for(lambda: n_commits(path) >= 5, first)
        with started(tmp_path, content, code=WITHOUT_LEASE) as second:
            wait_for(lambda: n_commits(path) >= 20, second)
            with started(tmp_path, content, code=WITHOUT_LEASE) as third:
                for tree in (first, second, third):
                    assert tree.wait(300) == 0, tree.text()
    check("two drivers on one run at once", path, tried=3)
