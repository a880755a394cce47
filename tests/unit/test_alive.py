"""Whether a driver works on a run: by what it writes while our clock runs, and by its process where that is seen."""

import os

import pytest

from cotfaith.cluster.fleet.alive import Watch
from cotfaith.cluster.fleet.lease import LEASE_S, LeaseHolder
from cotfaith.cluster.fleet.process import is_here, this_process
from cotfaith.cluster.fleet.snapshot import Snapshot
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys

ELSEWHERE = {"host": "far-away", "boot_id": "b", "pid_namespace": "n", "start_ticks": 1}


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


@pytest.fixture
def holder(store):
    """A driver on another machine, which has the lease."""
    made = LeaseHolder(store)
    made.process = made.process.model_copy(update=ELSEWHERE)
    made.take(print)
    return made


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def watch(store, now):
    return Watch(store, lambda: now[0])


def test_nobody_has_a_run_without_a_lease(store, watch):
    assert watch.look().verdict == "nobody"
    store.put(keys.STATUS, b"no status")
    assert (watch.look().verdict, watch.look().status) == ("nobody", None)


def test_a_driver_elsewhere_works_once_its_lease_changes_and_is_dead_once_it_stays(holder, watch, now):
    verdicts = []
    for second in range(0, 120, 5):
        now[0] = float(second)
        if second in (20, 30, 40):
            holder.renew()
        verdicts.append((second, watch.look().verdict))
    assert [v for s, v in verdicts if s < 20] == ["unsure"] * 4
    assert [v for s, v in verdicts if 20 <= s < 40 + LEASE_S] == ["works"] * 10
    assert {v for s, v in verdicts if s >= 40 + LEASE_S} == {"dead"}


def test_a_status_that_changes_is_a_sign_of_life_too(store, holder, watch, now):
    snapshot = Snapshot("r", holder.process)
    store.put(keys.STATUS, snapshot.status().as_json())
    assert watch.look().verdict == "unsure"
    now[0] = 5.0
    store.put(keys.STATUS, snapshot.status().as_json())
    seen = watch.look()
    assert seen.verdict == "works"
    assert seen.live.counter == 2


def test_a_lease_that_is_never_renewed_is_dead_after_its_time(holder, watch, now):
    watch.look()
    now[0] = LEASE_S - 1
    assert watch.look().verdict == "unsure"
    now[0] = LEASE_S
    assert watch.look().verdict == "dead"


def test_a_process_of_this_machine_needs_one_look(store, holder, watch):
    """This process lives; a process that has been waited for does not."""
    for pid, verdict in ((os.getpid(), "works"), (dead_pid(), "dead")):
        process = this_process().model_copy(update={"pid": pid})
        store.put(keys.LEASE, LeaseOf(process))
        assert watch.look().verdict == verdict
        assert is_here(process) == (verdict == "works")


def LeaseOf(process):  # noqa: N802
    holder = LeaseHolder(None)
    holder.process = process
    return holder._data()


def dead_pid():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_the_status_of_an_earlier_driver_is_not_that_of_the_one_that_has_the_lease(store, holder, watch):
    store.put(keys.STATUS, Snapshot("r", this_process()).status().as_json())
    seen = watch.look()
    assert seen.status is not None
    assert seen.live is None
