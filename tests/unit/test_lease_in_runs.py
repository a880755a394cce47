"""Which commands take the lease on a run, and what they do without it."""

from pathlib import Path

import pytest
import yaml
from recorder import Recorder
from runs_here import run_here, without_ray

import cotfaith
from cotfaith.cluster.fleet import lease as lease_module
from cotfaith.cluster.fleet.lease import LeaseHolder
from cotfaith.cluster.fleet.run import Again, execute
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError, RunFailedError
from cotfaith.schemas.run_folder import parse_lease
from cotfaith.schemas.spec import parse_spec

SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 2}],
    "probes": ["no_cot"],
    "output": {"path": "run"},
}
TAKE_OVER = "--take-over"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The run's store, whose leases are counted; the working directory is beside the run."""
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC))
    taken = []

    def counted(self, key, data, put=LocalStore.put_if_absent):
        if key == keys.LEASE:
            taken.append(parse_lease(data))
        return put(self, key, data)

    monkeypatch.setattr(LocalStore, "put_if_absent", counted)
    found = LocalStore(tmp_path / "run")
    found.taken = taken
    return found


@pytest.fixture
def other(store, monkeypatch):
    """Another driver, which holds the lease and renews it whenever somebody waits."""
    driver = LeaseHolder(store)
    driver.take(lambda text: None)
    store.taken.clear()
    monkeypatch.setattr(lease_module, "sleep", lambda seconds: driver.renew())
    return driver


def n_commits(store):
    return sum(1 for _ in read_ledger(store).commits())


def test_the_lease_is_held_during_the_work_and_not_if_there_is_none(store, monkeypatch):
    seen = []

    def seeing(*arguments):
        seen.append(store.get(keys.LEASE))
        return run_here(*arguments)

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", seeing)
    for again in (None, None, Again(quarantined=True)):
        assert execute(parse_spec(SPEC), again=again) == []
        assert len(store.taken) == len(seen) == 1
        assert store.get(keys.LEASE) is None
    assert parse_lease(seen[0]) == store.taken[0]


def test_a_second_driver_does_nothing(store, other, cli):
    code, out, err = cli("run", "spec.yaml")
    assert code == 2
    assert "Another driver holds this run: process" in out
    assert "Another driver works on this run: process" in err
    assert TAKE_OVER in err
    with pytest.raises(RunConflictError, match="take_over=True"):
        cotfaith.run(SPEC)
    assert n_commits(store) == 0
    assert parse_lease(store.get(keys.LEASE)).holder == other.holder


@pytest.mark.parametrize("damaged", [True, False])
def test_nor_does_a_repair(store, other, damaged):
    with pytest.raises(RunConflictError):
        execute(parse_spec(SPEC), again=Again(damaged, quarantined=not damaged))
    assert n_commits(store) == 0


@pytest.mark.parametrize("command", ["run", "validate"])
def test_take_over_on_the_command_line(store, other, cli, command):
    out = ("--out", "run") if command == "validate" else ()
    assert cli(command, "spec.yaml", *out)[0] == 2
    assert cli(command, "spec.yaml", *out, TAKE_OVER)[0] == 0
    assert n_commits(store) > 0
    assert not other.renew()


def test_take_over_from_python(store, other):
    assert cotfaith.run(SPEC, take_over=True).complete
    assert not other.renew()


def test_commands_that_only_read_take_none(store, cli):
    assert cli("run", "spec.yaml")[0] == 0
    store.taken.clear()
    driver = LeaseHolder(store)
    driver.take(lambda text: None)
    mine = store.get(keys.LEASE)
    for command in ("status", "aggregate", "report", "verify"):
        assert cli(command, "run")[0] == 0, command
    assert cli("show", "run", "t-000001")[0] == 0
    assert cli("run", "spec.yaml")[0] == 0  # nothing is missing
    assert len(store.taken) == 1
    assert store.get(keys.LEASE) == mine


def test_a_driver_that_loses_the_run_stops_and_says_to_whom(store, cli, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 0.01)

    def working(plan, jobs, progress, check, *_):
        LeaseHolder(store).take(lambda text: None, take_over=True)
        while True:
            check()

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", working)
    code, _, err = cli("run", "spec.yaml")
    assert code == 1
    assert "another driver took it over: process" in " ".join(err.split())
    assert "Finished work is kept" in " ".join(err.split())
    with pytest.raises(RunFailedError):
        execute(parse_spec(SPEC), take_over=True)


def test_what_another_driver_did_while_this_one_waited_is_not_done_again(store, other, monkeypatch):
    """The other ends in the meantime: its commits are read, and Ray is not even started."""

    def finish(seconds):
        if store.get(keys.LEASE) is not None:
            execute(parse_spec(SPEC), lease=False)
            other.release()
            monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", None)

    monkeypatch.setattr(lease_module, "sleep", finish)
    told = Recorder()
    execute(parse_spec(SPEC), told)
    assert told.said[-1] == "1 of 1 shards are done, 0 to do."
    assert n_commits(store) == 2


def test_without_the_lease_two_drivers_commit_each_row_once(store, other):
    """The second begins and ends while the first is about to do its jobs."""
    spec = parse_spec(SPEC)

    def overtaken(plan, jobs, progress, *_):
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr("cotfaith.cluster.fleet.run.run_jobs", run_here)
            execute(spec, lease=False)
        return run_here(plan, jobs, progress)

    with pytest.MonkeyPatch.context() as outer:
        outer.setattr("cotfaith.cluster.fleet.run.run_jobs", overtaken)
        execute(spec, lease=False)
    assert not store.taken
    assert read_ledger(store).statuses() == {"ok": 4}
