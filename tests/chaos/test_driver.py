"""Kill -9 of the driver, at any moment: the next run does what is missing, and the tables come out equal."""

import random
import time

import pytest
from chaos import n_commits, run, spec, started, to_the_end, wait_for

SECONDS_PER_CALL = 0.1


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
    """The driver alone, whose Ray then ends by itself; or all processes at once, as if the machine lost its power."""
    path, draw, seen = tmp_path / "run", random.Random(f"kills {all_of_it}"), []
    for _ in range(10):
        with started(tmp_path, spec(path, SECONDS_PER_CALL)) as tree:
            moment_s = draw.uniform(2, 16)
            end = time.monotonic() + moment_s
            while time.monotonic() < end and tree.runs():
                time.sleep(0.02)
            assert tree.runs(), f"the run ended before it could be killed: {seen}"
            if all_of_it:
                tree.end()
            else:
                tree.kill()
                assert tree.gone(), f"the dead driver's Ray is left: {tree.all()}"
            seen.append((round(moment_s, 1), n_commits(path)))
    print(f"Seconds after the start, and commits by then: {seen}")
    code, said = to_the_end(tmp_path, spec(path))
    assert code == 0, said
    check("kill -9 of every process of a run" if all_of_it else "kill -9 of the driver", path, tried=10)
