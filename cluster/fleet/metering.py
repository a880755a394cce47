"""A stand-in for an engine in the shard loop's process: counts what one shard's work uses in one role, also by stage.

An actor's own totals cover all its callers; it is told the stage of each call. An ``EngineLostError`` gets its role
here, so that the scheduler replaces the right engine.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from cotfaith.schemas.errors import EngineLostError
from cotfaith.workers.actor.remote import RemoteEngine
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EmbedRequest,
    Engine,
    EngineUsage,
    GenerateRequest,
    Generation,
    ScoreRequest,
    StageKey,
    StageWork,
)


class MeteredEngine:
    """Passes each call to an engine, and counts its tokens."""

    def __init__(self, engine: Engine, role: str) -> None:
        self.engine: Any = engine  # only some engines offer embed
        self.role = role
        self.tokens = 0
        """Prompt tokens, each prompt counted whole, and generated tokens."""
        self.stages: dict[StageKey, StageWork] = {}
        """Requests and generated tokens; the seconds also hold the wait for other callers."""
        self._stage: StageKey | None = None

    def begin(self, stage: StageKey) -> None:
        """Count the next calls for ``stage``."""
        self._stage = stage
        if isinstance(self.engine, RemoteEngine):
            self.engine.stage = stage

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        can: Capabilities = self.engine.capabilities
        return can

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt."""
        found = self._asked(self.engine.generate, requests)
        generated = sum(len(generation.tokens) for generation in found)
        self.tokens += generated
        self._count(StageWork(generated_tokens=generated))
        return found

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Return each candidate's log-probability in nats."""
        return self._asked(self.engine.score, requests)

    def embed(self, requests: Sequence[EmbedRequest]) -> list[tuple[float, ...]]:
        """Return each text's vector."""
        return self._asked(self.engine.embed, requests)

    def usage(self) -> EngineUsage:
        """Return the engine's own totals."""
        usage: EngineUsage = self.engine.usage()
        return usage

    def notes(self) -> list[str]:
        """Return the engine's notes."""
        notes: list[str] = self.engine.notes()
        return notes

    def _asked(self, call: Callable[[Sequence[Any]], list[Any]], requests: Sequence[Any]) -> list[Any]:
        began_s = monotonic()
        try:
            results = call(requests)
        except EngineLostError as error:
            error.role = self.role
            raise
        self.tokens += sum(len(request.prompt) for request in requests)
        self._count(StageWork(len(results), seconds=monotonic() - began_s))
        return results

    def _count(self, work: StageWork) -> None:
        if self._stage is not None:
            self.stages[self._stage] = self.stages.get(self._stage, StageWork()) + work


def metered(engines: Mapping[str, Engine]) -> dict[str, MeteredEngine]:
    """Return a stand-in for each role's engine."""
    return {role: MeteredEngine(engine, role) for role, engine in engines.items()}
