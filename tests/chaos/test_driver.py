"""Kill -9 of the driver, at any moment: the next run does what is missing, and the tables come out equal."""

import random
import time

import pytest
from chaos import n_commits, run, spec, started, to_the_end, wait_for

SECONDS_PER_CALL = 0.2


@pytest.mark.usefixtures("shared_ray")
def test_kill_9_of_the_driver(check, tmp_path):
    """The short form: one kill, in the middle, while tasks of the dead driver can still commit."""
    path = tmp_path / "run"
    with started(tmp_path, spec(path, SECONDS_PER_CALL)) as tree:
        wait_for(lambda: n_commits(path) >= 10, tree)
        tree.kill()
        run(spec(path))
        assert tree.gone(), f"the dead driver's Ray is left: {tree.all()}"
    check("kill -9 of the driver", path)


@pytest.mark.chaos
@pytest.mark.parametrize("all_of_it", [False, True], ids=["driver", "machine"])
def test_ten_kills_at_random_moments(check, tmp_path, all_of_it):
    """The driver alone, whose Ray then ends by itself; or all processes at once, as if the machine lost its power.

    Half of the moments are drawn from the seconds after the start, in which the run is planned and Ray comes up; the
    others from those after its first commit.
    """
    path, draw, seen = tmp_path / "run", random.Random(f"kills {all_of_it}"), []
    slow = spec(path, 3 * SECONDS_PER_CALL, resources={"shard_size": 1, "cpus": 1})  # so that the last kill finds work
    for turn in range(10):
        with started(tmp_path, slow) as tree:
            before = n_commits(path)
            if turn % 2:
                wait_for(lambda before=before: n_commits(path) > before, tree)
            sleep_while_it_runs(tree, draw.uniform(0, 3 if turn % 2 else 10))
            if all_of_it:
                tree.end()
            else:
                tree.kill()
                assert tree.gone(), f"the dead driver's Ray is left: {tree.all()}"
            seen.append(n_commits(path) - before)
    print(f"Commits made before each kill: {seen}")
    assert all(seen[1::2])
    code, said = to_the_end(tmp_path, spec(path))
    assert code == 0, said
    check("kill -9 of every process of a run" if all_of_it else "kill -9 of the driver", path, tried=10)


def sleep_while_it_runs(tree, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert tree.runs(), f"the run ended before it could be killed: {tree.text()}"
        time.sleep(0.02)
