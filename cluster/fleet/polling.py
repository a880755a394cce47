"""Asks engine actors for their usage every few seconds while they work, and never waits for an answer."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import ray
from ray.exceptions import RayError

from cotfaith.workers.engines.protocol import EngineUsage

_EVERY_S = 2.0


class UsagePoll:
    """Pending usage requests, at most one per engine."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._asked: dict[Any, str] = {}
        self._next_s = 0.0

    def answers(self, actors: Mapping[str, Any]) -> dict[str, EngineUsage]:
        """If it is time, ask each actor that owes no answer; return the answers that have arrived, by actor name."""
        if monotonic() >= self._next_s:
            self._next_s = monotonic() + self._every_s
            owing = set(self._asked.values())
            self._asked |= {actor.usage.remote(): name for name, actor in actors.items() if name not in owing}
        if not self._asked:
            return {}
        ready, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        found = {self._asked.pop(reference): _usage(reference) for reference in ready}
        return {name: usage for name, usage in found.items() if usage is not None}


def _usage(reference: Any) -> EngineUsage | None:
    try:
        usage: EngineUsage = ray.get(reference)
    except RayError:
        return None  # the engine is gone: its tasks report that
    return usage
