"""The work of one engine by stage: requests, generated tokens and seconds, those of the running call included.

In: each batch's calls, with the stage that each belongs to, and the replies. Out: totals by stage. Calls of several
stages in one batch share its seconds by their size. Knows nothing about Ray or weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from cotfaith.workers.engines.protocol import GenerateRequest, Generation, Running, StageKey, StageWork

PROMPT_WEIGHT = 0.1
"""What a prompt's token costs, of what a generated token does: a guess, that only divides the seconds of one batch."""


@dataclass(frozen=True)
class Asked:
    """The requests of one call in a batch."""

    stage: StageKey | None
    requests: Sequence[Any]

    @property
    def size(self) -> float:
        """Its size, compared with others of the same method."""
        return sum(len(one.prompt) * PROMPT_WEIGHT + _new_tokens(one) for one in self.requests)


def _new_tokens(request: Any) -> int:
    return request.max_tokens if isinstance(request, GenerateRequest) else 0


@dataclass(frozen=True)
class _Batch:
    asked: Sequence[Asked]
    began_s: float

    @property
    def shares(self) -> list[float]:
        """Return each call's share of the batch; they sum to 1."""
        sizes = [one.size for one in self.asked]
        return [size / (sum(sizes) or 1.0) for size in sizes]


class WorkLog:
    """Counts the batches of one engine. ``begin`` and ``end`` are called by one thread, ``so_far`` by any."""

    def __init__(self) -> None:
        self._done: Mapping[StageKey, StageWork] = {}
        self._batch: _Batch | None = None

    def begin(self, asked: Sequence[Asked]) -> None:
        """Note that the engine was given a batch; one whose calls belong to no stage is not counted."""
        self._batch = _Batch(asked, monotonic()) if any(one.stage for one in asked) else None

    def end(self, replies: Sequence[Any]) -> None:
        """Count the batch. A reply is a call's list of results, or an error: then only its seconds count."""
        batch = self._batch
        if batch is None:
            return
        spent_s = monotonic() - batch.began_s
        work = [_work(reply, spent_s * share) for reply, share in zip(replies, batch.shares, strict=True)]
        self._batch, self._done = None, _added(self._done, batch.asked, work)

    def so_far(self, running: Running) -> dict[StageKey, StageWork]:
        """Return the work by stage; ``running``: what the engine has done of the batch that it works on."""
        batch, done = self._batch, self._done
        if batch is None:
            return dict(done)
        spent_s = monotonic() - batch.began_s
        now = StageWork(running.ended, running.generated_tokens, spent_s)
        return dict(_added(done, batch.asked, [now.times(share) for share in batch.shares]))


def _work(reply: Any, seconds: float) -> StageWork:
    if isinstance(reply, BaseException):
        return StageWork(seconds=seconds)
    return StageWork(len(reply), sum(len(one.tokens) for one in reply if isinstance(one, Generation)), seconds)


def _added(
    done: Mapping[StageKey, StageWork], asked: Sequence[Asked], work: Sequence[StageWork]
) -> Mapping[StageKey, StageWork]:
    found = dict(done)
    for one, more in zip(asked, work, strict=True):
        if one.stage is not None:
            found[one.stage] = found.get(one.stage, StageWork()) + more
    return found
