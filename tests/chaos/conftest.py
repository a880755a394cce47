"""An undisturbed run to compare with, and the table of faults, printed at the end."""

import os
import sys
import time
from pathlib import Path

import pytest
from chaos import FaultTable, Reference, run, spec
from process_tree import ENDS_WITHIN_S, below

from cotfaith.cluster.storage.store import open_store

TABLE = pytest.StashKey[FaultTable]()
HERE = Path(__file__).parent
TRACKER = "multiprocessing.resource_tracker"


def pytest_collection_modifyitems(items):
    if sys.platform != "linux":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="finds processes in /proc, which only Linux has"))


def pytest_terminal_summary(terminalreporter, config):
    if TABLE in config.stash:
        terminalreporter.write_line("\n")
        terminalreporter.write(config.stash[TABLE].markdown())


@pytest.fixture(scope="session")
def fault_table(pytestconfig):
    return pytestconfig.stash.setdefault(TABLE, FaultTable())


@pytest.fixture(scope="session")
def reference(held_ray, tmp_path_factory):
    """The rows of a run that nothing disturbed."""
    held_ray.up()
    folder = tmp_path_factory.mktemp("undisturbed")
    run(spec(folder / "run"))
    return Reference.of(open_store(str(folder / "run")))


@pytest.fixture
def check(reference, fault_table):
    """A function that compares a run's tables with the undisturbed ones, and adds a line to the table of faults."""

    def compared(fault, path, tried=1, wanted=lambda row: True):
        found = reference.against(open_store(str(path)), wanted)
        fault_table.add(fault, tried, found)
        assert found.equal, found

    return compared


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(held_ray):
    """Fail if a process outlives the tests that started it; Python's own tracker ends with this process."""
    before = {process.pid for process in below(os.getpid())}
    yield
    held_ray.down()
    end = time.monotonic() + ENDS_WITHIN_S
    while left := [one for one in below(os.getpid()) if one.pid not in before and TRACKER not in one.title]:
        assert time.monotonic() < end, left
        time.sleep(0.1)
