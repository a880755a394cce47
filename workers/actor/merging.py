"""Merges the calls of several callers into fewer and larger calls of one engine, which are faster.

In: calls from any thread. Out: a future of each call's own results, in order. Only one thread makes and runs the
engine: a backend's settings, such as torch's number of threads, belong to a thread, and few backends are thread-safe.

The call that has waited longest is always served; others of its method join it, oldest first, as far as they fit whole
into ``MOST_REQUESTS``. A longer call is cut, and the rest of it goes to the end of the queue: no call waits forever.
An error fails only the calls that raise it: the calls of a failed batch are run again one by one. A batch that runs out
of memory is halved until it fits, and later batches are no larger than what fitted.

Knows nothing about Ray or the content of requests.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from threading import Condition
from time import monotonic
from typing import Any

from cotfaith.schemas.errors import EngineLostError, EngineMemoryError
from cotfaith.workers.actor.work import Asked, WorkLog
from cotfaith.workers.engines.protocol import Engine, StageKey

MOST_REQUESTS = 1024
"""The most requests of one engine call. It counts requests and not tokens, because engines cut batches into passes that
fit their memory: it bounds only how long others wait."""
PATIENCE = 0.05
"""The next engine call waits this share of the last call's time for the callers that were just answered."""
OUT_OF_MEMORY = (EngineMemoryError, MemoryError)
"""The errors that a smaller batch may avoid."""

Reply = list[Any] | BaseException
"""The engine's reply to one slice: its results, or an error."""


@dataclass(eq=False)
class Call:
    """What one caller asks of one method, and the results so far."""

    method: str
    requests: Sequence[Any]
    stage: StageKey | None = None
    """What it belongs to."""
    future: "Future[list[Any]]" = field(default_factory=Future)
    results: list[Any] = field(default_factory=list)
    taken: int = 0

    @property
    def left(self) -> int:
        """The number of requests that have not been given to the engine."""
        return len(self.requests) - self.taken

    def take(self, most: int) -> "Slice":
        """Return the next requests."""
        piece = Slice(self, self.requests[self.taken : self.taken + most])
        self.taken += len(piece.requests)
        return piece


@dataclass(frozen=True)
class Slice:
    """The requests of a call that are in one batch."""

    call: Call
    requests: Sequence[Any]

    def deliver(self, reply: Reply) -> None:
        """Add the results; the caller gets all results of a call together. An error ends the whole call."""
        call = self.call
        if isinstance(reply, BaseException):
            call.future.set_exception(reply)
            return
        call.results.extend(reply)
        if len(call.results) == len(call.requests):
            call.future.set_result(call.results)


def next_batch(waiting: deque[Call], most: int) -> list[Slice]:
    """Take the next batch out of ``waiting``, which is ordered by age and not empty."""
    oldest = waiting.popleft()
    slices = [oldest.take(most)]
    room = most - len(slices[0].requests)
    for call in list(waiting):
        if call.method == oldest.method and call.left <= room:
            waiting.remove(call)
            slices.append(call.take(room))
            room -= len(slices[-1].requests)
    if oldest.left:
        waiting.append(oldest)
    return slices


class Merger:
    """Holds an engine and the calls that wait for it."""

    def __init__(
        self, make: Callable[[], Engine], most_requests: int = MOST_REQUESTS, patience: float = PATIENCE
    ) -> None:
        self._thread = ThreadPoolExecutor(1, "engine")
        self.engine = self._thread.submit(make).result()
        self.calls = 0
        """Calls of the engine."""
        self.work = WorkLog()
        self._most = most_requests
        self._fits: dict[str, int] = {}
        """Method -> the most requests of one call, once a larger call has run out of memory."""
        self._overflows = 0
        self._patience = patience
        self._waiting: deque[Call] = deque()
        self._changed = Condition()
        self._callers = 0
        self._until = 0.0

    def notes(self) -> list[str]:
        """Return a note for each method whose batches were halved."""
        found = sorted(self._fits.items())
        return [f"{method}: halved to {most} requests a call after running out of memory." for method, most in found]

    def submit(self, method: str, requests: Sequence[Any], stage: StageKey | None = None) -> "Future[list[Any]]":
        """Call the engine's ``generate``, ``score`` or ``embed`` as soon as it is free."""
        call = Call(method, requests, stage)
        call.future.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        with self._changed:
            self._waiting.append(call)
            self._changed.notify()
        self._thread.submit(self._step)
        return call.future

    def _step(self) -> None:
        with self._changed:
            if not self._waiting:
                return  # merged into an earlier step
            self._await_callers()
            slices = next_batch(self._waiting, self._largest(self._waiting[0].method))
        began = monotonic()
        self.work.begin([Asked(piece.call.stage, piece.requests) for piece in slices])
        replies = self._run(slices)
        self.work.end(replies)
        with self._changed:  # held, so that no caller that is answered counts as waiting again
            for piece, reply in zip(slices, replies, strict=True):
                piece.deliver(reply)
            self._waiting = deque(call for call in self._waiting if not call.future.done())
            self._callers = len(self._waiting) + sum(piece.call.future.done() for piece in slices)
            self._until = monotonic() + self._patience * (monotonic() - began)
            if self._waiting:
                self._thread.submit(self._step)

    def _await_callers(self) -> None:
        """Give callers that were just answered time to call again: otherwise two of them would take turns forever."""
        wait_s = self._until - monotonic()
        if wait_s > 0:
            self._changed.wait_for(lambda: len(self._waiting) >= self._callers, wait_s)

    def _run(self, slices: Sequence[Slice]) -> list[Reply]:
        """Return the reply to each slice."""
        requests = [request for piece in slices for request in piece.requests]
        try:
            results = iter(self._fitted(slices[0].call.method, requests))
        except BaseException as error:  # any error at all: callers must not wait forever
            if len(slices) == 1 or isinstance(error, EngineLostError):
                return [error] * len(slices)
            return [reply for piece in slices for reply in self._run([piece])]
        return [list(islice(results, len(piece.requests))) for piece in slices]

    def _largest(self, method: str) -> int:
        return self._fits.get(method, self._most)

    def _fitted(self, method: str, requests: Sequence[Any]) -> list[Any]:
        """Ask the engine; halve a batch that runs out of memory, and remember the halves' size if both of them fit.

        If a request does not fit by itself, it and not the size of the batch is the cause: nothing is remembered.
        """
        try:
            return self._ask(method, requests)
        except OUT_OF_MEMORY:
            self._overflows += 1
            if len(requests) == 1:
                raise
        # Here the error is dropped: it holds the failed call's tensors, and the next call needs the room.
        before, half = self._overflows, (len(requests) + 1) // 2
        results = self._fitted(method, requests[:half]) + self._fitted(method, requests[half:])
        if self._overflows == before:
            self._fits[method] = min(half, self._largest(method))
        return results

    def _ask(self, method: str, requests: Sequence[Any]) -> list[Any]:
        self.calls += 1
        results: list[Any] = getattr(self.engine, method)(requests)
        assert len(results) == len(requests), f"{len(requests)} requests gave {len(results)} results"
        return results
