"""The lease on a run: two drivers on one folder, by a clock that the tests move."""

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cotfaith.cluster.fleet import lease as lease_module
from cotfaith.cluster.fleet import process as process_module
from cotfaith.cluster.fleet.lease import LEASE_S, RENEW_S, LeaseHolder, hold_lease
from cotfaith.cluster.fleet.process import has_ended, this_process
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError, RunFailedError, RunFolderError, StoreError
from cotfaith.schemas.run_folder import parse_lease

YEARS = timedelta(days=3650)
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which processes have ended")


class Clock:
    """A monotonic clock that only sleeping moves, and what happens at its times."""

    def __init__(self):
        self.now_s = 100.0
        self.planned = []

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds
        due = [one for one in self.planned if one[0] <= self.now_s]
        self.planned = [one for one in self.planned if one not in due]
        for _, action in due:
            action()

    def plan(self, in_s, action):
        self.planned.append((self.now_s + in_s, action))


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(lease_module, "monotonic", found.monotonic)
    monkeypatch.setattr(lease_module, "sleep", found.sleep)
    return found


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


@pytest.fixture
def quick(monkeypatch):
    """Renewals follow each other at once."""
    monkeypatch.setattr(lease_module, "RENEW_S", 0.01)
    monkeypatch.setattr(lease_module, "_POLL_S", 0.01)


def held(store):
    data = store.get(keys.LEASE)
    return None if data is None else parse_lease(data)


def holder(store, **changes):
    """A driver that holds the lease; ``changes`` are of its process."""
    found = LeaseHolder(store)
    found.process = found.process.model_copy(update=changes)
    found.take(no_words)
    return found


def no_words(text):
    raise AssertionError(text)


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_free_lease_is_taken_at_once_and_released(store, clock):
    before_s = clock.now_s
    with hold_lease(store, no_words) as check:
        found = held(store)
        assert found.process == this_process()
        assert found.renewals == 0
        assert datetime.fromisoformat(found.until) - datetime.fromisoformat(found.since) == timedelta(seconds=LEASE_S)
        check()
    assert held(store) is None
    assert clock.now_s == before_s


@pytest.mark.parametrize("error", [RunFailedError("x"), KeyboardInterrupt()])
def test_it_is_released_after_errors_and_ctrl_c(store, error):
    with pytest.raises(type(error)), hold_lease(store, no_words):
        raise error
    assert held(store) is None


def test_a_driver_that_renews_is_left_alone(store, clock):
    first, said, before_s = holder(store, pid=1, host="far"), [], clock.now_s
    clock.plan(RENEW_S, first.renew)
    with pytest.raises(RunConflictError, match=r"works on this run: process 1 on far, since .*--take-over"):
        LeaseHolder(store).take(said.append)
    assert RENEW_S <= clock.now_s - before_s <= RENEW_S + 1
    assert len(said) == 1
    assert "process 1 on far" in said[0]
    assert "30 s" in said[0]
    assert first.renew()
    first.check()


def test_a_lease_that_nobody_renews_is_taken_after_30_s_and_its_holder_stops(store, clock):
    first, second, before_s = holder(store, pid=1, host="far"), LeaseHolder(store), clock.now_s
    said = []
    second.take(said.append)
    assert LEASE_S <= clock.now_s - before_s <= LEASE_S + 1
    assert len(said) == 1
    first.check()  # it does not know yet
    assert not first.renew()
    with pytest.raises(RunFailedError, match=rf"another driver took it over: process {second.process.pid} on"):
        first.check()
    second.check()
    first.release()
    assert held(store).holder == second.holder  # only one's own is released


def test_a_lease_that_is_released_while_it_is_watched_is_taken_at_once(store, clock):
    first, before_s = holder(store), clock.now_s
    clock.plan(3, first.release)
    second = LeaseHolder(store)
    second.take(lambda text: None)
    assert clock.now_s - before_s <= 4
    assert held(store).holder == second.holder


def test_of_two_that_wait_one_takes_it_and_the_other_is_told(store, clock):
    holder(store, host="far")
    second, third = LeaseHolder(store), LeaseHolder(store)
    second.process = second.process.model_copy(update={"host": "second"})
    clock.plan(LEASE_S - 1, lambda: second.take(lambda text: None, take_over=True))
    with pytest.raises(RunConflictError, match="on second"):
        third.take(lambda text: None)
    assert held(store).holder == second.holder


@pytest.mark.parametrize("content", [None, b"{", b"[]"])
def test_take_over_waits_for_nothing(store, clock, content):
    first, second, before_s = holder(store), LeaseHolder(store), clock.now_s
    if content is not None:
        store.put(keys.LEASE, content)
    second.take(no_words, take_over=True)
    assert clock.now_s == before_s
    assert not first.renew()
    with pytest.raises(RunFailedError, match="Finished work is kept"):
        first.check()


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"holder": "x", "process": {"host": "h", "pid": "1"}}'])
def test_an_object_that_is_no_lease_is_named(store, clock, content):
    store.put(keys.LEASE, content)
    with pytest.raises(RunFolderError, match=r"_lease\.json .*--take-over"):
        LeaseHolder(store).take(no_words)


def test_keys_of_later_versions_are_kept(store):
    data = holder(store).store.get(keys.LEASE).replace(b"{", b'{"new": 1,', 1)
    assert parse_lease(data).data()["new"] == 1


@pytest.mark.parametrize("jumps", [(YEARS, -YEARS), (-YEARS, YEARS), (timedelta(hours=1), timedelta())])
@pytest.mark.parametrize("renews", [True, False])
def test_wall_clocks_that_jump_change_nothing(store, clock, monkeypatch, jumps, renews):
    """Each reading of a wall clock, on either machine, is years from the one before."""
    readings = iter(range(10**6))

    class Jumping(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + jumps[next(readings) % 2]

    monkeypatch.setattr(lease_module, "datetime", Jumping)
    monkeypatch.setattr(time, "time", lambda: next(readings) * 1e8)
    first, second, before_s = holder(store, host="far"), LeaseHolder(store), clock.now_s
    if renews:
        clock.plan(RENEW_S, first.renew)
        with pytest.raises(RunConflictError):
            second.take(lambda text: None)
    else:
        second.take(lambda text: None)
        assert LEASE_S <= clock.now_s - before_s <= LEASE_S + 1
        assert not first.renew()
    assert next(readings) > 2


def test_a_store_that_answers_slowly_makes_no_lease_look_old(store, clock):
    """An answer took 40 s, and shows the lease as it was when it was asked for; the holder's renewal was slow too."""
    first, second, get = holder(store, host="far"), LeaseHolder(store), store.get_tagged
    slow = [False, True]

    def get_tagged(key):
        if slow and slow.pop(0):
            clock.now_s += 40
            clock.plan(0, renew)
        return get(key)

    def renew():
        store.get_tagged = get
        assert first.renew()

    store.get_tagged = get_tagged
    with pytest.raises(RunConflictError):
        second.take(lambda text: None)
    assert not slow


@pytest.mark.usefixtures("quick")
def test_a_store_that_fails_for_a_while_is_no_loss(store):
    failing, get = threading.Event(), store.get_tagged
    calls = []

    def get_tagged(key):
        calls.append(key)
        if failing.is_set():
            raise StoreError("down")
        return get(key)

    store.get_tagged = get_tagged
    with hold_lease(store, no_words) as check:
        until(lambda: held(store).renewals > 2)
        failing.set()
        n, renewals = len(calls), held(store).renewals
        until(lambda: len(calls) > n + 5)
        check()
        failing.clear()
        until(lambda: held(store).renewals > renewals + 2)
        check()
    assert held(store) is None


@pytest.mark.usefixtures("quick")
def test_the_thread_ends_with_the_lease_and_leaves_anothers(store):
    with hold_lease(store, no_words) as check:
        other = LeaseHolder(store)
        other.take(no_words, take_over=True)
        until(lambda: raises(check))
        until(lambda: "lease" not in {thread.name for thread in threading.enumerate()})
    assert held(store).holder == other.holder


@pytest.mark.usefixtures("quick")
def test_a_lease_that_was_removed_stops_its_driver(store):
    with hold_lease(store, no_words) as check:
        store.delete(keys.LEASE)
        until(lambda: raises(check))
        with pytest.raises(RunFailedError, match=r"removed or changed .*_lease\.json.*Finished work is kept"):
            check()
    assert held(store) is None


@pytest.mark.usefixtures("quick")
def test_an_error_of_our_own_does_not_vanish_with_the_thread(store):
    def get_tagged(key):
        raise ZeroDivisionError

    with hold_lease(store, no_words) as check:
        store.get_tagged = get_tagged
        until(lambda: raises(check, ZeroDivisionError))


def test_a_store_that_is_down_does_not_keep_a_driver_from_ending(store, monkeypatch):
    monkeypatch.setattr(lease_module, "_RELEASE_S", 0.05)
    answers, get = threading.Event(), store.get

    def slow(key):
        answers.wait(20)
        return get(key)

    with hold_lease(store, no_words):
        store.get = slow
    assert get(keys.LEASE) is not None  # not yet
    answers.set()
    until(lambda: get(keys.LEASE) is None)


def raises(check, kind=RunFailedError):
    try:
        check()
    except kind:
        return True
    return False


@pytest.fixture
def other_process():
    """A process of this machine and its name."""
    with subprocess.Popen(["sleep", "60"]) as process:
        ticks = int(Path(f"/proc/{process.pid}/stat").read_text().split()[21])
        yield process, this_process().model_copy(update={"pid": process.pid, "start_ticks": ticks})
        process.kill()


@linux
def test_a_process_that_ended_is_known_on_its_own_machine(other_process, store, clock):
    process, name = other_process
    assert not has_ended(name)
    assert not has_ended(this_process())
    holder(store, **name.data())
    process.kill()
    until(lambda: has_ended(name))  # also while its parent has not asked for its end
    assert process.returncode is None
    process.wait()
    assert has_ended(name)
    said, before_s = [], clock.now_s
    LeaseHolder(store).take(said.append)
    assert clock.now_s == before_s
    assert [f"process {process.pid} on" in text and "has ended" in text for text in said] == [True]


@linux
@pytest.mark.parametrize(
    "elsewhere",
    [{"host": "far"}, {"boot_id": "other"}, {"pid_namespace": "pid:[1]"}, {"boot_id": None}, {"start_ticks": None}],
)
def test_a_process_that_cannot_be_seen_is_not_taken_for_dead(other_process, elsewhere):
    process, name = other_process
    process.kill()
    process.wait()
    assert has_ended(name)
    assert not has_ended(name.model_copy(update=elsewhere))


@linux
def test_a_later_process_of_the_same_number_is_another():
    mine = this_process()
    assert has_ended(mine.model_copy(update={"start_ticks": mine.start_ticks - 1}))


def test_where_the_system_says_little_no_process_is_taken_for_dead(monkeypatch):
    monkeypatch.setattr(process_module, "_BOOT_ID", Path("/no/such/file"))
    mine = this_process()
    assert mine.boot_id is None
    assert not has_ended(mine.model_copy(update={"pid": 2**22 + 1}))
