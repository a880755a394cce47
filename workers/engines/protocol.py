"""The engine protocol: token ids in, token ids and log-probabilities out.

An engine holds one model's weights. It knows nothing about text, items, chains or probes; stop strings are the one
exception, and are matched against its own decoding.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol

from cotfaith.schemas.errors import ContextOverflowError, EngineError
from cotfaith.schemas.records import Channel
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.precision import FLOAT32_RESOLUTION

FinishReason = Literal["stop", "length"]
CHAINS, PROBES, READINGS = "chains", "probes", "readings"
"""The stages of a run's work: sampling chains, probes on them, and probes that other models answer."""


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do; known before any weights load, except for the context window."""

    generate: bool
    score: bool
    prefill: bool
    """Whether it can continue an assistant turn that has begun."""
    max_context: int | None = None
    """Tokens of prompt and continuation together; null: no limit, or not known yet."""
    embed: bool = False
    """Whether it has ``embed(requests) -> list[tuple[float, ...]]``: a vector of length 1 for each text."""
    exact: bool = False
    """Whether a score depends on nothing but its request, by construction: there is no noise to measure."""


@dataclass(frozen=True)
class GenerateRequest:
    """Continue ``prompt``."""

    prompt: tuple[int, ...]
    max_tokens: int
    temperature: float
    """0 is greedy."""
    top_p: float
    seed: int
    """The random stream of only this request."""
    stop: tuple[str, ...] = ()
    """The text ends before the first of these. End-of-sequence tokens stop in any case."""
    min_tokens: int = 0
    """Until this many tokens, no end-of-sequence token is sampled, and completed stop strings do not count. A stop
    string that begins among them and ends later does count, so the text before it may be shorter.
    """
    one_of: tuple[str, ...] = ()
    """The text should be one of these; an engine whose server can force that does so, and others do not read this."""


@dataclass(frozen=True)
class Told:
    """What a server says about one reply. Engines with weights leave it as it is: their ids say it all."""

    status: Status = Status.OK
    """Not ok: there is no text, or it is not what was asked for."""
    error: str | None = None
    """Why, if it is not ok."""
    prompt_tokens: int | None = None
    """Null: not said."""
    generated_tokens: int | None = None
    """Those of the text; null: not said."""
    seeded: bool = True
    """Whether the server took the request's seed."""
    channel: Channel | None = None
    """What the text is; null: not told apart."""


@dataclass(frozen=True)
class Generation:
    """A continuation: ids without the end-of-sequence token and without the tokens from a stop string's start on."""

    tokens: tuple[int, ...]
    finish_reason: FinishReason
    told: Told = Told()


@dataclass(frozen=True)
class ScoreRequest:
    """Ask for the log-probability of each candidate as a continuation of ``prompt``."""

    prompt: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...]
    """Each candidate has at least one token; one may be a prefix of another."""


class Scores(tuple[float, ...]):
    """The result of one ``ScoreRequest``: log-probabilities in nats, and their resolution.

    An engine that returns plain tuples has the resolution of float32.
    """

    resolution: float
    """Nats: two candidates that are closer than this are a near tie."""

    def __new__(cls, values: Iterable[float], resolution: float = FLOAT32_RESOLUTION) -> "Scores":
        """Take the log-probabilities, one per candidate."""
        scores = super().__new__(cls, values)
        scores.resolution = resolution
        return scores


@dataclass(frozen=True)
class EmbedRequest:
    """Ask for the vector of a text's meaning."""

    prompt: tuple[int, ...]


class StageKey(NamedTuple):
    """What an engine's call belongs to."""

    model: str
    """The model whose engine answers: a helper's work belongs to the model that it helps."""
    task: str
    stage: str
    """``CHAINS``, ``PROBES`` or ``READINGS``."""


@dataclass(frozen=True)
class StageWork:
    """Work of engines in one stage."""

    requests: float = 0.0
    """Those with a result; a running call's are shared out, so they may not be whole."""
    generated_tokens: float = 0.0
    seconds: float = 0.0
    """Time in the engine."""

    def __add__(self, other: "StageWork") -> "StageWork":
        """Return the work of both."""
        return StageWork(
            self.requests + other.requests,
            self.generated_tokens + other.generated_tokens,
            self.seconds + other.seconds,
        )

    def times(self, share: float) -> "StageWork":
        """Return a share of the work."""
        return StageWork(self.requests * share, self.generated_tokens * share, self.seconds * share)


class Running(NamedTuple):
    """What is done of the call that an engine works on; zeros if none runs, or the engine does not count."""

    generated_tokens: int = 0
    ended: int = 0
    """Requests that have their result."""
    open: int = 0
    """Requests whose text has begun and not ended."""
    open_tokens: int = 0
    """Those of the generated tokens that are in such texts."""
    limit: int = 0
    """The largest ``max_tokens`` of such texts."""


@dataclass(frozen=True)
class EngineUsage:
    """The work done since the engine started. Tokens that several prompts share count once in ``distinct_tokens``."""

    prompt_tokens: int = 0
    """Tokens of all prompts, each prompt counted in full."""
    computed_tokens: int = 0
    """Positions that went through the model."""
    generated_tokens: int = 0
    reused_tokens: int = 0
    """Positions that were not computed because an earlier call, or another of the same server, had done so."""
    calls: int = 0
    """Batches that the engine received, if calls are merged (``merging``)."""
    cost: float | None = None
    """The price of the work, if the engine's options state a server's prices."""
    notes: tuple[str, ...] = ()
    """What the user should know about the work so far, if calls are merged (``merging``)."""
    running: Running = field(default_factory=Running)
    """The call that runs; its tokens are in no total yet."""
    stages: Mapping[StageKey, StageWork] = field(default_factory=dict)
    """The work by stage, with that of the call that runs, if calls are merged."""
    loading_s: float = 0.0
    """Seconds that the weights took to load, if the engine is in an actor."""

    def with_requests(
        self,
        requests: "Sequence[GenerateRequest | ScoreRequest | EmbedRequest]",
        generated: int = 0,
    ) -> "EngineUsage":
        """Return the work with the tokens of these prompts, and those ``generated``, added."""
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + sum(len(request.prompt) for request in requests),
            generated_tokens=self.generated_tokens + generated,
        )


class Engine(Protocol):
    """The interface of every engine. A call raises for the whole batch or returns one result per request, in order.

    An engine that keeps what earlier calls computed may have ``forget()``, which only costs time.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt. A result depends only on its request, not on its neighbours."""
        ...

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Return, per request, log P(candidate | prompt) in nats: the sum over the candidate's tokens.

        A result is ``Scores`` if its resolution is not that of float32.
        """
        ...

    def usage(self) -> EngineUsage:
        """Return the work done so far."""
        ...

    def notes(self) -> list[str]:
        """Return notes for the user, each once, such as a slower fallback in use."""
        ...


def check_fits(length: int, new_tokens: int, max_context: int | None) -> None:
    """Raise ``ContextOverflowError`` unless a prompt of ``length`` and ``new_tokens`` fit the window."""
    if max_context is not None and length + new_tokens > max_context:
        raise ContextOverflowError(
            f"Prompt ({length} tokens) and continuation ({new_tokens}) exceed the context window ({max_context})."
        )


def check_generate(requests: Sequence[GenerateRequest], max_context: int | None) -> None:
    """Raise unless every prompt has tokens and fits the window with its continuation, and limits agree."""
    for request in requests:
        _check_prompt(request.prompt, request.max_tokens, max_context)
        if request.min_tokens > request.max_tokens:
            raise EngineError(f"Got min_tokens {request.min_tokens}, expected at most max_tokens {request.max_tokens}.")


def check_score(requests: Sequence[ScoreRequest], max_context: int | None, sampled: int = 0) -> None:
    """Raise unless prompts and candidates have tokens and fit the window.

    A candidate's last token is not read; ``sampled``: the tokens that the backend samples to get its log-probability.
    """
    for request in requests:
        longest = max((len(candidate) - 1 + sampled for candidate in request.candidates), default=0)
        _check_prompt(request.prompt, longest, max_context)
        if not all(request.candidates):
            raise EngineError("A candidate has no tokens; expected at least one.")


def check_embed(requests: Sequence[EmbedRequest], max_context: int | None) -> None:
    """Raise unless every text has tokens and fits the window."""
    for request in requests:
        _check_prompt(request.prompt, 0, max_context)


def _check_prompt(prompt: tuple[int, ...], new_tokens: int, max_context: int | None) -> None:
    if not prompt:
        raise EngineError("A prompt has no tokens; expected at least one.")
    check_fits(len(prompt), new_tokens, max_context)
