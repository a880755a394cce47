"""An undisturbed run to compare with, and the table of faults, printed at the end."""

import os
import sys
from pathlib import Path

import pytest
from chaos import FaultTable, Reference, run, spec
from process_tree import below

from cotfaith.cluster.storage.store import open_store

TABLE = pytest.StashKey[FaultTable]()
HERE = Path(__file__).parent


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
    """Fail if a process that these tests started outlives them. Ray's own processes need some seconds to end."""
    before = {process.pid for process in below(os.getpid())}
    yield
    held_ray.down()
    found = [process for process in below(os.getpid()) if process.pid not in before]
    left = [process for process in found if "multiprocessing.resource_tracker" not in process.title]
    assert not left, left
