"""A failed job: tried alone, halved down to one item, quarantined; and when the run stops instead."""

from collections import deque

import pytest

from cotfaith.cluster.fleet.attempts import MOST_IN_A_ROW, Attempts, Pending
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.storage.ledger import Shard, Wanted
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import read_quarantine
from cotfaith.schemas.errors import EngineLostError, RunFailedError
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import PieceName

LOST = EngineLostError("The engine's process ended")
ITEMS = tuple(Item(f"i{n}", "?", "1", "number") for n in range(40))


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def pending(first=0, stop=8, **more):
    wanted = Wanted(frozenset({PieceName("cot")}), quarantined=True)
    return Pending(Job("r", None, Shard("m", "t", 0, 40), ITEMS[first:stop], wanted, **more), {})


def attempts(store):
    return Attempts(3, store, {"t": ITEMS}, lambda line: None)


def search(attempts, first, bad):
    """Do what the scheduler does with one job, if an engine dies on the items ``bad``; return how often it died."""
    queue, died = deque([first]), 0
    while queue:
        one = queue.popleft()
        if one.job.quarantined or not {item.id for item in one.job.items} & bad:
            attempts.done(one)
            continue
        died += 1
        others = attempts.after(queue, one, LOST, charged=True)
        assert all(other in queue for other in others)
    return died


@pytest.mark.parametrize(("bad", "died"), [({"i0"}, 6), ({"i5"}, 6), ({"i7"}, 6), ({"i1", "i6"}, 10)])
def test_only_the_items_that_are_the_cause_are_quarantined(store, bad, died):
    counting = attempts(store)
    assert search(counting, pending(), bad) == died
    found = read_quarantine(store)
    assert {(one.item, one.index, one.attempts) for one in found} == {(item, int(item[1:]), 3) for item in bad}
    assert all("The engine's process ended" in one.reason for one in found)
    assert len(counting.quarantined) == len(bad)


def test_one_failure_beside_others_is_nobodys(store):
    one = pending()
    assert attempts(store).after(deque(), one, LOST, charged=False) == [one]
    assert one.tries == 0
    assert attempts(store).after(deque(), one, LOST, charged=True) == [one]  # from now on it runs alone
    assert one.tries == 1


def test_the_place_of_a_quarantined_item_is_rows_without_a_try(store):
    one = pending(3, 4)
    one.tries = 2
    (left,) = attempts(store).after(deque(), one, LOST, charged=True)
    assert left.job.quarantined == {"i3": "The engine's process ended"}
    assert left.tries == 0
    assert not left.job.wanted.quarantined  # else it would be wanted anew for ever


def test_a_reader_s_item_is_quarantined_for_that_reader(store):
    one = pending(3, 4, reader="r")
    one.tries = 2
    attempts(store).after(deque(), one, LOST, charged=True)
    (found,) = read_quarantine(store)
    assert (found.reader, found.name) == ("r", "m / t / i3 read by r")


def test_if_every_item_fails_the_run_stops_and_says_why(store):
    counting = attempts(store)
    with pytest.raises(RunFailedError, match=r"9 items in a row failed every attempt, the last with: The engine's"):
        search(counting, pending(0, 40), {item.id for item in ITEMS})
    assert len(read_quarantine(store)) == MOST_IN_A_ROW


def test_a_job_that_is_done_begins_the_count_anew(store):
    search(attempts(store), pending(0, 40), {item.id for item in ITEMS[::2]})  # 20 bad ones, good ones between them
    assert len(read_quarantine(store)) == 20
