"""Engines in Ray actors, and their stand-in for the shard loop. The only file of ``workers`` that knows Ray."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic, sleep
from traceback import format_exception
from types import MappingProxyType
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError

from cotfaith.schemas.errors import ContextOverflowError, CotfaithError, EngineError, EngineLostError, ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.schemas.unshown import without_credentials
from cotfaith.workers.actor.merging import Merger
from cotfaith.workers.actor.noise import NoiseFloor, measure_noise
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EmbedRequest,
    Engine,
    EngineUsage,
    GenerateRequest,
    Generation,
    ScoreRequest,
    StageKey,
)
from cotfaith.workers.engines.waiting import wait_asleep
from cotfaith.workers.log_lines import MOST_TEXT, log_event, log_to_stderr
from cotfaith.workers.plugins import import_plugins

LAST_WORDS_S = 1.0
"""Seconds that an engine that cannot continue has to report why, before its process ends."""
UNAVAILABLE_S = 60.0
"""Seconds that an engine may be out of reach; by default Ray takes 14 s to notice that a node is dead."""
_ASK_EVERY_S = 0.5


class EngineActor:
    """Holds one model's weights. Errors cross the process boundary as text, so that they always unpickle.

    The methods are coroutines, so that several calls can wait to be merged, and ``usage`` is answered while the engine
    works.
    """

    def __init__(
        self,
        spec: ModelSpec,
        threads: int | None,
        plugins: Sequence[str] = (),
        about: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Load the weights; ``about``: what each line of the process's log says, such as the run's id."""
        began_s = monotonic()
        wait_asleep()  # first: a plug-in may import torch
        self._about = dict(about)
        log_to_stderr()
        log_event("engine_loading", self._about)
        with self._told_without_secrets():
            import_plugins(plugins)  # the engine may be one of theirs
            self.merger = Merger(lambda: self._made(spec, threads))
        self._loading_s = monotonic() - began_s
        log_event("engine_up", self._about | {"seconds": round(self._loading_s, 3)})

    def _made(self, spec: ModelSpec, threads: int | None) -> Engine:
        """Return the engine, in whose thread this runs, when its noise is measured."""
        engine = find_engine(spec).make(spec, threads)
        self._noise = measure_noise(engine, lambda: load_codec(spec))
        return engine

    @contextmanager
    def _told_without_secrets(self) -> Iterator[None]:
        """Raise errors of ours only, without what caused them: Ray writes into its logs whatever is raised here."""
        try:
            yield
        except Exception as error:
            said = without_credentials("".join(format_exception(error)))
            log_event("engine_failed", self._about | {"error": said[-MOST_TEXT:]}, logging.ERROR)
            if isinstance(error, ModelSourceError):
                raise ModelSourceError(f"On node {socket.gethostname()}: {error}") from None
            if isinstance(error, CotfaithError):
                raise type(error)(str(error)) from None
            raise EngineError(f"{type(error).__name__}: {error}") from None

    async def describe(self) -> tuple[Capabilities, list[str], NoiseFloor]:
        """Return the engine's capabilities, its notes and its noise floor."""
        return self.merger.engine.capabilities, [*self.merger.engine.notes(), *self._noise.notes()], self._noise

    async def call(self, method: str, requests: Sequence[Any], stage: StageKey | None = None) -> list[Any]:
        """Run ``generate``, ``score`` or ``embed``; the work counts for ``stage``.

        The resolution of scores is nowhere below the engine's noise floor.
        """
        try:
            found = await asyncio.wrap_future(self.merger.submit(method, requests, stage))
            return self._noise.judged(found) if method == "score" else found
        except EngineLostError as error:
            log_event("engine_lost", self._about | {"error": str(error)}, logging.ERROR)
            asyncio.get_running_loop().call_later(LAST_WORDS_S, os._exit, 1)  # then the driver starts another
            raise EngineLostError(str(error)) from None
        except ContextOverflowError as error:
            raise ContextOverflowError(str(error)) from None
        except EngineError as error:
            raise EngineError(str(error)) from None
        except Exception as error:
            raise EngineError(f"{type(error).__name__}: {error}") from None

    async def usage(self) -> EngineUsage:
        """Return the work done so far."""
        usage = self.merger.engine.usage()
        return replace(
            usage,
            calls=self.merger.calls,
            notes=tuple(self.merger.notes()),
            stages=self.merger.work.so_far(usage.running),
            loading_s=self._loading_s,
        )


class RemoteEngine:
    """The engine protocol over an actor's handle."""

    def __init__(self, actor: Any, capabilities: Capabilities) -> None:
        self.actor = actor
        self.capabilities = capabilities
        self.stage: StageKey | None = None
        """What the next calls belong to."""

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt."""
        return self._call("generate", requests)

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Return each candidate's log-probability in nats."""
        return self._call("score", requests)

    def embed(self, requests: Sequence[EmbedRequest]) -> list[tuple[float, ...]]:
        """Return each text's vector."""
        return self._call("embed", requests)

    def usage(self) -> EngineUsage:
        """Return the work that the actor has done, summed over all its callers; nothing if it is gone.

        The work that was asked for is done by then: the loss matters to the next who asks for some.
        """
        try:
            usage: EngineUsage = ray.get(self.actor.usage.remote())
        except RayActorError:
            return EngineUsage()
        return usage

    def notes(self) -> list[str]:
        """Return nothing: the driver asks the actor itself."""
        return []

    def _call(self, method: str, requests: Sequence[Any]) -> list[Any]:
        try:
            results = self._reached(method, requests)
        except RayActorError as error:
            lost = EngineLostError(f"The engine's process ended: {type(error).__name__}")
            lost.preempted = error.preempted
            raise lost from error
        except RayTaskError as error:
            raise error.cause from None  # Ray's own message would put a traceback into the row
        return results

    def _reached(self, method: str, requests: Sequence[Any]) -> list[Any]:
        """Call the actor, and again if it was out of reach: a result depends only on its request.

        An actor on a node that has just died is out of reach at first; Ray says later that it is dead, and why.
        """
        until_s = monotonic() + UNAVAILABLE_S
        while True:
            try:
                results: list[Any] = ray.get(self.actor.call.remote(method, requests, self.stage))
                return results
            except ActorUnavailableError:
                if monotonic() > until_s:
                    raise
            sleep(_ASK_EVERY_S)
