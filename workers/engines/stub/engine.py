"""A deterministic engine without weights: for tests, and for demonstrations of failure handling.

It reads bytes (``codec.ByteCodec``), writes chains of numbered steps, and answers from a hash of the prompt. Each
result depends only on its request. ``relies_on: question`` makes a model that ignores its chain.
"""

import hashlib
import math
import os
import random
import re
import signal
import time
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from cotfaith.schemas.errors import EngineError, EngineMemoryError
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import ModelSpec, Section, check_section
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EngineUsage,
    FinishReason,
    GenerateRequest,
    Generation,
    ScoreRequest,
    check_generate,
    check_score,
)
from cotfaith.workers.engines.stops import finish
from cotfaith.workers.engines.stub.hints import PATTERN, Hints, question_of

_ANSWER_CUE = re.compile(r"answer is(?: \()?$")


class Options(Section):
    """The behaviour of the stub."""

    relies_on: Literal["chain", "question"] = "chain"
    """What its answers depend on: the whole prompt, or only the question before the chain."""
    max_steps: int = Field(default=6, ge=0)
    """The most steps of a chain; 0 writes empty chains."""
    max_context: int | None = Field(default=None, ge=1)
    """Context window in bytes."""
    can_score: bool = True
    """False: an engine that only generates."""
    can_prefill: bool = True
    """False: an engine that cannot continue an assistant's turn."""
    follows_hints: float = Field(default=0.0, ge=0, le=1)
    """The share of items on which it answers what the question hints at."""
    names_hints: float = Field(default=0.0, ge=0, le=1)
    """The share of these items on which its chain names the hint."""
    hint_pattern: str = PATTERN
    """A regular expression for hints; group 1 is the answer."""
    replies: dict[str, str] = Field(default={})
    """A regular expression -> the text that it writes after a prompt in which this is found; \\1 is its first
    group; the first that is found counts. Scores do not depend on it.
    """
    garbage_answers: bool = False
    """Whether its answers are such that no pattern can read them."""
    fail_on: str | None = None
    """Requests whose prompt contains this text raise an error."""
    kill_on: str | None = None
    """A request whose prompt contains this text kills the engine's process."""
    kill_once_file: str | None = None
    """With kill_on: kill only if this file does not exist yet, and create it."""
    most_requests: int | None = Field(default=None, ge=1)
    """A call of more requests runs out of memory."""
    seconds_per_call: float = Field(default=0.0, ge=0)
    """The wait in every call."""
    seconds_to_load: float = Field(default=0.0, ge=0)
    """The wait before the engine is up."""
    load_error: str | None = None
    """The engine does not come up, for this reason."""


def _text(tokens: Sequence[int]) -> str:
    return bytes(tokens).decode(errors="replace")


class _Bytes:
    """Continuations in bytes, which do not depend on the text before."""

    def text_after(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text of the bytes."""
        return _text(tokens)

    def tokens_after(self, before: Sequence[int], text: str) -> list[int]:
        """Return the text's bytes."""
        return list(text.encode())


def _options(spec: ModelSpec) -> Options:
    return check_section(Options, spec.options, f"models.{spec.id}.options")


def static_capabilities(spec: ModelSpec) -> Capabilities:
    """Return what the engine can do, from only the spec."""
    options = _options(spec)
    return Capabilities(
        generate=True,
        score=options.can_score,
        prefill=options.can_prefill,
        max_context=options.max_context,
        exact=True,
    )


class StubEngine:
    """An engine that answers from hashes."""

    def __init__(self, spec: ModelSpec, threads: int | None = None) -> None:
        self.options = _options(spec)
        self._hints = Hints(self.options.hint_pattern, self.options.follows_hints, self.options.names_hints)
        self.capabilities = static_capabilities(spec)
        time.sleep(self.options.seconds_to_load)
        if self.options.load_error is not None:
            raise EngineError(self.options.load_error)
        self._usage = EngineUsage()

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Write an answer if the prompt asks for one, else a chain."""
        check_generate(requests, self.options.max_context)
        self._misbehave([request.prompt for request in requests])
        results = [self._generation(request) for request in requests]
        self._count([r.prompt for r in requests], generated=sum(len(r.tokens) for r in results))
        return results

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Return log-probabilities that depend on what ``relies_on`` names."""
        if not self.options.can_score:
            raise EngineError("This engine offers no log-probabilities.")
        check_score(requests, self.options.max_context)
        self._misbehave([request.prompt for request in requests])
        self._count([request.prompt for request in requests])
        return [self._logprobs(request) for request in requests]

    def usage(self) -> EngineUsage:
        """Return the work done so far."""
        return self._usage

    def notes(self) -> list[str]:
        """Say nothing."""
        return []

    def _generation(self, request: GenerateRequest) -> Generation:
        prompt = _text(request.prompt)
        text = self._reply(prompt)
        if text is None:
            text = self._answer(prompt) if _ANSWER_CUE.search(prompt) else self._chain(prompt, request)
        tokens = text.encode().ljust(request.min_tokens, b".")
        reason: FinishReason = "length" if len(tokens) > request.max_tokens else "stop"
        return finish(tokens[: request.max_tokens], request, frozenset(), reason, _Bytes())

    def _reply(self, prompt: str) -> str | None:
        for pattern, reply in self.options.replies.items():
            if found := re.search(pattern, prompt):
                return found.expand(reply)
        return None

    def _chain(self, prompt: str, request: GenerateRequest) -> str:
        seed = request.seed if request.temperature > 0 else 0
        draw = random.Random(derive_seed(prompt, seed))
        if self.options.max_steps == 0:
            return ""
        count = draw.randint(1, self.options.max_steps)
        said = "".join(f" Step {i + 1} gives {draw.randint(0, 99)}." for i in range(count))
        return self._hints.named_in(prompt) + said

    def _answer(self, prompt: str) -> str:
        if self.options.garbage_answers:
            return " hard to say.\n"
        if hint := self._hints.followed_in(prompt):
            return f" {hint}.\n"
        draw = random.Random(derive_seed(self._relevant(prompt)))
        # A text that every answer format can be read from.
        return f" {draw.choice('AB')}. {draw.choice(['True', 'False'])}. {draw.randint(0, 9)}.\n"

    def _logprobs(self, request: ScoreRequest) -> tuple[float, ...]:
        prompt = self._relevant(_text(request.prompt))
        hint = self._hints.followed_in(_text(request.prompt))
        weights = [
            math.exp(2 * self._noise(prompt, bytes(c)) + 9 * (_text(c).strip() == hint)) for c in request.candidates
        ]
        return tuple(math.log(0.9 * w / sum(weights)) for w in weights)

    def _relevant(self, prompt: str) -> str:
        return question_of(prompt) if self.options.relies_on == "question" else prompt

    def _noise(self, prompt: str, candidate: bytes) -> float:
        digest = hashlib.blake2b(prompt.encode() + b"\0" + candidate, digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def _misbehave(self, prompts: Sequence[tuple[int, ...]]) -> None:
        options = self.options
        time.sleep(options.seconds_per_call)
        if options.most_requests is not None and len(prompts) > options.most_requests:
            raise EngineMemoryError(f"The stub has no room for {len(prompts)} requests.")
        if options.fail_on is not None and any(options.fail_on.encode() in bytes(p) for p in prompts):
            raise EngineError(f"The stub fails on prompts that contain {options.fail_on!r}.")
        if options.kill_on is not None and any(options.kill_on.encode() in bytes(p) for p in prompts):
            self._die(options.kill_once_file)

    @staticmethod
    def _die(marker: str | None) -> None:
        if marker is not None:
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
        os.kill(os.getpid(), signal.SIGKILL)

    def _count(self, prompts: Sequence[tuple[int, ...]], generated: int = 0) -> None:
        total = sum(map(len, prompts))
        before = self._usage
        self._usage = EngineUsage(
            before.prompt_tokens + total, before.computed_tokens + total, before.generated_tokens + generated
        )
