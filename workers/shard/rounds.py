"""Several coroutines as one: advanced in common rounds, so that their requests share batches.

The shard loop runs all probes this way, and a strategy all its chains. An error in one ends them all.
"""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from cotfaith.workers.shard.request import Request

T = TypeVar("T")
Coroutine = Generator[list[Request], list[Any], T]
"""Yields requests and is sent their results, any number of times."""


def together(coroutines: Sequence[Coroutine[T]]) -> Coroutine[list[T]]:
    """Run all to their end and return what each returned, in order; use with ``yield from``."""
    results: dict[int, T] = {}
    replies: dict[int, list[Any] | None] = dict.fromkeys(range(len(coroutines)))
    while replies:
        asked: dict[int, list[Request]] = {}
        for index, reply in replies.items():
            try:
                # A generator that has not begun takes only None.
                asked[index] = next(coroutines[index]) if reply is None else coroutines[index].send(reply)
            except StopIteration as end:
                results[index] = end.value
        if not asked:
            break
        got = iter((yield [request for requests in asked.values() for request in requests]))
        replies = {index: [next(got) for _ in requests] for index, requests in asked.items()}
    return [results[index] for index in range(len(coroutines))]
