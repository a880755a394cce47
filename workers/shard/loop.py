"""The shard loop: advances many coroutines in rounds, and sends each engine one batch a round.

Failure is data: an engine's error fails only the requests that cause it, and a coroutine's error only that coroutine.
Only the loss of the engine itself ends the loop. Knows nothing about the content of requests.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cotfaith.schemas.errors import ContextOverflowError, EngineLostError
from cotfaith.schemas.status import Status
from cotfaith.schemas.unshown import without_credentials
from cotfaith.workers.engines.protocol import EmbedRequest, Engine, GenerateRequest, ScoreRequest, check_fits
from cotfaith.workers.shard.request import Request
from cotfaith.workers.shard.rounds import Coroutine, together

T = TypeVar("T")
Engines = Mapping[str, Engine]
"""Role -> engine."""
_METHODS = {GenerateRequest: "generate", ScoreRequest: "score", EmbedRequest: "embed"}


@dataclass(frozen=True)
class Failed:
    """A coroutine that raised."""

    error: str


def drive(coroutines: Sequence[Coroutine[T]], engines: Engines) -> list[T | Failed]:
    """Run all coroutines to their end and return what each returned, in order."""
    rounds = together([_guarded(coroutine) for coroutine in coroutines])
    replies: list[Any] | None = None
    while True:
        try:
            requests = next(rounds) if replies is None else rounds.send(replies)
        except StopIteration as end:
            results: list[T | Failed] = end.value
            return results
        replies = dispatch(requests, engines)


def _guarded(coroutine: Coroutine[T]) -> Coroutine[T | Failed]:
    """Return what the coroutine returns, or its error."""
    try:
        return (yield from _checked(coroutine))
    except Exception as error:
        return Failed(without_credentials(f"{type(error).__name__}: {error}"))


def _checked(coroutine: Coroutine[T]) -> Coroutine[T]:
    """Pass the coroutine's requests on; raise ``TypeError`` if it is no coroutine, or yields anything else."""
    if not isinstance(coroutine, Generator):
        raise TypeError(f"expected a coroutine that yields lists of requests, got {type(coroutine).__name__}")
    replies: list[Any] | None = None
    while True:
        try:
            requests = next(coroutine) if replies is None else coroutine.send(replies)
        except StopIteration as end:
            result: T = end.value
            return result
        if not isinstance(requests, list | tuple) or not all(isinstance(one, Request) for one in requests):
            coroutine.close()
            raise TypeError(f"expected a list of requests, got {requests!r:.80}")
        replies = yield list(requests)


def dispatch(requests: Sequence[Request], engines: Engines) -> list[Any]:
    """Send the requests, one batch per engine and kind, and return the interpreted replies in order.

    Of shared requests with one payload, the first is sent, and the others get its reply.
    """
    replies: list[Any] = [None] * len(requests)
    batches: dict[tuple[str, type], list[int]] = {}
    first: dict[Any, int] = {}
    same: dict[int, int] = {}
    for index, request in enumerate(requests):
        if request.shared and (sent := first.setdefault((request.role, request.payload), index)) != index:
            same[index] = sent
            continue
        engine = engines[request.role]
        try:
            check_fits(len(request.payload.prompt), _new_tokens(request), engine.capabilities.max_context)
        except ContextOverflowError as error:
            replies[index] = request.failed(Status.CONTEXT_OVERFLOW, str(error))
            continue
        batches.setdefault((request.role, type(request.payload)), []).append(index)
    for (role, kind), members in batches.items():
        call: Callable[[Sequence[Any]], list[Any]] = getattr(engines[role], _METHODS[kind])
        for index, reply in zip(members, _call(call, [requests[i] for i in members]), strict=True):
            replies[index] = reply
    for index, sent in same.items():
        replies[index] = replies[sent]
    return replies


@dataclass(frozen=True)
class _Refusal:
    """Why a call failed. The error itself is dropped: it holds the call's tensors, and the next call needs the room."""

    status: Status
    error: str


def _call(call: Callable[[Sequence[Any]], list[Any]], requests: Sequence[Request]) -> list[Any]:
    """Call the engine; if a batch fails, halve it until the requests that fail by themselves are found."""
    results = _attempt(call, requests)
    if isinstance(results, _Refusal):
        if len(requests) == 1:
            return [requests[0].failed(results.status, results.error)]
        middle = len(requests) // 2
        return _call(call, requests[:middle]) + _call(call, requests[middle:])
    assert len(results) == len(requests), "an engine returned another number of results than of requests"
    return [request.interpret(result) for request, result in zip(requests, results, strict=True)]


def _attempt(call: Callable[[Sequence[Any]], list[Any]], requests: Sequence[Request]) -> list[Any] | _Refusal:
    try:
        return call([request.payload for request in requests])
    except EngineLostError:
        raise
    except Exception as error:
        too_long = isinstance(error, ContextOverflowError)  # from a server that does not state its window
        status = Status.CONTEXT_OVERFLOW if too_long else Status.ENGINE_ERROR
        return _Refusal(status, without_credentials(f"{type(error).__name__}: {error}"))


def _new_tokens(request: Request) -> int:
    payload = request.payload
    if isinstance(payload, ScoreRequest):
        return max(len(candidate) for candidate in payload.candidates)
    return payload.max_tokens if isinstance(payload, GenerateRequest) else 0
