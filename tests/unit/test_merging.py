"""How calls are merged: the order of service, and the cost of an error. With fake engines, without Ray."""

import threading
import weakref
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor

import pytest

from cotfaith.schemas.errors import EngineError, EngineLostError, EngineMemoryError
from cotfaith.workers.actor.merging import Call, Merger, next_batch


class Fake:
    """An engine that doubles numbers and refuses ``bad`` ones. A test can block it within a call."""

    def __init__(self, bad=(), error=EngineError):
        self.bad, self.error = bad, error
        self.batches = []
        self.threads = {threading.get_ident()}
        self.open = threading.Event()
        self.open.set()
        self.busy = threading.Semaphore(0)

    def generate(self, requests):
        return self.work("generate", requests)

    def score(self, requests):
        return self.work("score", requests)

    def work(self, method, requests):
        self.threads.add(threading.get_ident())
        self.batches.append((method, list(requests)))
        self.busy.release()
        assert self.open.wait(10), "nobody let the engine go on"
        for request in requests:
            if request in self.bad:
                raise self.error(f"refused {request}")
        return [2 * request for request in requests]

    @property
    def sizes(self):
        return [len(batch) for _, batch in self.batches]


def merger_of(fake, **options):
    return Merger(lambda: fake, **{"patience": 0.0} | options)


def held_up(fake, **options):
    """A merger whose engine is within a call; new submissions wait until ``fake.open.set()``."""
    merger = merger_of(fake, **options)
    fake.open.clear()
    first = merger.submit("score", [0])
    assert fake.busy.acquire(timeout=10)
    return merger, first


def results(futures):
    return [future.result(10) for future in futures]


def test_calls_that_wait_together_are_one_engine_call_and_each_gets_its_own():
    fake = Fake()
    merger, first = held_up(fake)
    futures = [merger.submit("score", [10 * n, 10 * n + 1]) for n in range(1, 6)]
    fake.open.set()
    assert results([first, *futures]) == [[0], *([20 * n, 20 * n + 2] for n in range(1, 6))]
    assert fake.sizes == [1, 10]
    assert merger.calls == 2


def test_methods_are_not_mixed_and_the_oldest_call_is_served_first():
    fake = Fake()
    merger, _ = held_up(fake)
    futures = [merger.submit(m, [n]) for n, m in enumerate(["generate", "score", "generate", "score"], 1)]
    fake.open.set()
    assert results(futures) == [[2], [4], [6], [8]]
    assert fake.batches == [("score", [0]), ("generate", [1, 3]), ("score", [2, 4])]


def test_a_huge_call_is_cut_and_takes_turns():
    fake = Fake()
    merger, _ = held_up(fake, most_requests=4)
    huge = merger.submit("score", range(100, 110))
    small = [merger.submit("score", [n, n]) for n in (1, 2, 3)]
    fake.open.set()
    assert results([huge, *small]) == [[2 * n for n in range(100, 110)], [2, 2], [4, 4], [6, 6]]
    batches = [batch for _, batch in fake.batches[1:]]
    assert batches == [[100, 101, 102, 103], [1, 1, 2, 2], [3, 3], [104, 105, 106, 107], [108, 109]]


@pytest.mark.parametrize("sizes", [[1] * 9, [7, 1, 30, 2, 2, 11], [5, 5, 5], [40, 1, 1, 40], [0, 3, 0]])
def test_whoever_waits_is_served_within_one_batch_for_each_call_ahead(sizes):
    waiting = deque(Call("score" if n % 3 else "generate", range(size)) for n, size in enumerate(sizes))
    calls, taken = list(waiting), Counter()
    while waiting:
        ahead = {call: place for place, call in enumerate(waiting)}
        oldest, batch = waiting[0], next_batch(waiting, 5)
        assert batch[0].call is oldest
        assert sum(len(part.requests) for part in batch) <= 5
        assert len({part.call.method for part in batch}) == 1
        assert all(list(waiting).index(call) < ahead[call] for call in waiting if call is not oldest)
        for part in batch:
            assert list(part.requests) == list(range(taken[part.call], taken[part.call] + len(part.requests)))
            taken[part.call] += len(part.requests)
    assert [taken[call] for call in calls] == sizes


def test_a_caller_that_asks_again_and_again_does_not_overtake():
    long = Call("score", range(50))
    waiting, batches = deque([long]), 0
    while long.left:
        if waiting == deque([long]):
            waiting.append(Call("score", range(5)))
        next_batch(waiting, 5)
        batches += 1
        assert batches < 50
    assert batches == 19  # every second call


def test_an_error_costs_only_the_call_that_raises_it():
    fake = Fake(bad={20})
    merger, _ = held_up(fake)
    good, bad, other = [merger.submit("score", batch) for batch in ([1, 2], [3, 20], [4])]
    fake.open.set()
    assert results([good, other]) == [[2, 4], [8]]
    with pytest.raises(EngineError, match="refused 20"):
        bad.result(10)
    assert [batch for _, batch in fake.batches[1:]] == [[1, 2, 3, 20, 4], [1, 2], [3, 20], [4]]


def test_a_cut_call_that_failed_is_not_gone_on_with():
    fake = Fake(bad={1})
    merger, _ = held_up(fake, most_requests=2)
    bad, good = merger.submit("score", range(9)), merger.submit("score", [30])
    fake.open.set()
    assert good.result(10) == [60]
    with pytest.raises(EngineError):
        bad.result(10)
    assert [batch for _, batch in fake.batches[1:]] == [[0, 1], [30]]


def test_a_lost_engine_is_told_to_all_and_not_asked_again():
    fake = Fake(bad={2}, error=EngineLostError)
    merger, _ = held_up(fake)
    futures = [merger.submit("score", [n]) for n in (1, 2, 3)]
    fake.open.set()
    for future in futures:
        with pytest.raises(EngineLostError):
            future.result(10)
    assert fake.sizes == [1, 3]


@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_no_error_leaves_a_caller_waiting(error):
    merger = merger_of(Fake(bad={7}, error=error))
    with pytest.raises(error):
        merger.submit("score", [7]).result(10)
    assert merger.submit("score", [8]).result(10) == [16]


def test_an_engine_that_returns_too_few_results_is_an_error():
    class Short(Fake):
        def work(self, method, requests):
            return super().work(method, requests)[:-1]

    with pytest.raises(AssertionError, match="2 requests gave 1 results"):
        merger_of(Short()).submit("score", [1, 2]).result(10)


def test_one_thread_makes_and_runs_the_engine():
    made = []
    merger = Merger(lambda: made.append(Fake()) or made[0])
    results([merger.submit("score", [n]) for n in range(20)])
    assert len(made[0].threads) == 1
    assert threading.get_ident() not in made[0].threads


def test_an_engine_that_cannot_be_made_says_so():
    def fail():
        raise EngineError("no weights")

    with pytest.raises(EngineError, match="no weights"):
        Merger(fail)


@pytest.mark.parametrize("patience", [0.0, 0.5])
def test_three_callers_ask_a_hundred_times(patience):
    fake = Fake()
    merger = merger_of(fake, most_requests=50, patience=patience)

    def caller(name):
        for n in range(100):
            asked = [name * 10_000 + 100 * n + k for k in range(1 + (7 * n + name) % 60)]
            method = "score" if n % 2 else "generate"
            assert merger.submit(method, asked).result(10) == [2 * request for request in asked]
        return True

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(caller, (1, 2, 3)))
    asked = sum(1 + (7 * n + name) % 60 for name in (1, 2, 3) for n in range(100))
    assert sum(fake.sizes) == asked
    assert max(fake.sizes) <= 50


def test_patience_brings_two_callers_together_for_good():
    """Each caller asks again as soon as it is answered, so the waiting caller is held for the other."""
    fake = Fake()
    merger, first = held_up(fake, patience=1e6)
    second = merger.submit("score", [1])
    fake.open.set()
    for n in range(2, 12, 2):
        assert first.result(10) == [2 * max(0, n - 2)]
        first = merger.submit("score", [n])
        assert second.result(10) == [2 * (n - 1)]
        second = merger.submit("score", [n + 1])
    first.result(10)
    results([merger.submit("score", [12]), second])
    assert fake.sizes == [1, 2, 2, 2, 2, 2, 2]


def test_patience_is_a_share_of_the_last_call_s_time():
    """A caller that never returns delays the next batch by this long, and no longer."""
    fake = Fake()
    merger, first = held_up(fake, patience=0.01)
    second = merger.submit("score", [1])
    fake.open.set()
    assert first.result(10) == [0]
    assert second.result(10) == [2]


class Small(Fake):
    """An engine that runs out of memory above a size, and on the requests in ``giant``."""

    def __init__(self, most, error=EngineMemoryError, giant=()):
        super().__init__()
        self.most, self.kind, self.giant = most, error, set(giant)

    def work(self, method, requests):
        results = super().work(method, requests)
        if len(requests) > self.most or self.giant.intersection(requests):
            raise self.kind("no room")
        return results


@pytest.mark.parametrize("error", [EngineMemoryError, MemoryError])
def test_a_batch_that_runs_out_of_memory_is_halved_and_later_ones_start_smaller(error):
    fake = Small(3, error)
    merger = merger_of(fake)
    assert merger.notes() == []
    assert merger.submit("score", range(10)).result(10) == [2 * n for n in range(10)]
    assert fake.sizes == [10, 5, 3, 2, 5, 3, 2]
    assert merger.notes() == ["score: halved to 3 requests a call after running out of memory."]
    fake.batches.clear()
    assert merger.submit("score", range(10)).result(10) == [2 * n for n in range(10)]
    assert fake.sizes == [3, 3, 3, 1]
    assert merger.submit("generate", [1, 2, 3]).result(10) == [2, 4, 6]
    assert len(merger.notes()) == 1


def test_a_request_that_does_not_fit_by_itself_fails_and_does_not_make_others_smaller():
    fake = Small(100, giant={5})
    merger, _ = held_up(fake)
    bad, good = merger.submit("score", range(8)), merger.submit("score", [20, 21])
    fake.open.set()
    assert good.result(10) == [40, 42]
    with pytest.raises(EngineMemoryError, match="no room"):
        bad.result(10)
    assert merger.notes() == []
    fake.batches.clear()
    assert merger.submit("score", range(10, 20)).result(10) == [2 * n for n in range(10, 20)]
    assert fake.sizes == [10]


def test_the_error_of_a_halved_batch_is_dropped_before_the_next_call():
    """It holds the failed call's tensors."""

    class Tensor:
        pass

    class Holding(Small):
        def work(self, method, requests):
            assert held is None or held() is None, "the failed call's tensors are still in memory"
            tensor = Tensor()
            if len(requests) > self.most:
                hold(tensor)
                raise EngineMemoryError("no room")
            return super().work(method, requests)

    held = None

    def hold(tensor):
        nonlocal held
        held = weakref.ref(tensor)

    assert merger_of(Holding(2)).submit("score", range(8)).result(10) == [2 * n for n in range(8)]
    assert held is not None
