"""An engine's noise floor: by how many nats the log-probabilities of one request differ in other company.

In: an engine that has just loaded, and its codec. Out: ``NoiseFloor``. A few short prompts, the same in every run and
on every machine, are scored alone, alone again with what the engine kept, and in one batch with prompts of other
lengths. An engine that can forget computes that batch anew, and is also asked when it has kept all of a prompt but the
last token: if it kept that too, it may give the very numbers again. The floor is the largest difference over all
candidates. Longer prompts can differ more. Near ties are judged by the floor where it is above the assumed resolution
of scores (``precision``). What an engine counts and a server charges includes these ten requests (fourteen of an engine
that can forget), of some fifty to a hundred and forty tokens. Knows nothing about items, so all shards of an engine are
judged alike.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cotfaith.schemas.errors import EngineError, EngineLostError
from cotfaith.schemas.unshown import without_credentials
from cotfaith.workers.engines.precision import FLOAT32_RESOLUTION
from cotfaith.workers.engines.protocol import Engine, ScoreRequest, Scores
from cotfaith.workers.shard.request import score_request
from cotfaith.workers.text.codec import Codec

Row = tuple[float, ...]
_STEPS = (1, 4)
"""The steps of each prompt that is measured."""
_OTHERS = (2, 6, 1)
"""The steps of the other prompts in its batch; half of the longest measured one is there, too."""
_LABELS = ("A", "B", "C", "D")
_MOST_TEXT = 300


@dataclass(frozen=True)
class NoiseFloor:
    """What was measured of one engine."""

    nats: float | None = None
    """The largest difference between two log-probabilities of one candidate; null: the engine cannot score, or it was
    not measured."""
    assumed: float | None = None
    """The smallest resolution of these scores in nats, as the engine states it; null: nothing was scored."""
    prompts: int = 0
    """Prompts that were measured; 0 beside a floor of 0: the engine's scores are exact by construction."""
    error: str | None = None
    """Why it was not measured, if the engine can score."""

    @property
    def is_above(self) -> bool:
        """Whether the floor is above the assumed resolution."""
        return self.nats is not None and self.assumed is not None and self.nats > self.assumed

    def judged(self, rows: Sequence[Row]) -> list[Row]:
        """Return scores with a resolution that is nowhere below the floor."""
        floor = self.nats or 0.0
        return [row if resolution(row) >= floor else Scores(row, floor) for row in rows]

    def notes(self) -> list[str]:
        """Return what the user should know."""
        if self.error is not None:
            return [f"Its noise floor was not measured ({self.error}): near ties are judged by its precision."]
        if not self.is_above:
            return []
        return [
            f"Log-probabilities depend on the batch: those of one request differed by up to {self.nats:.2g} nats, more "
            f"than its precision lets expect ({self.assumed:.2g}). Answers that are closer than that are near ties."
        ]


def resolution(row: Row) -> float:
    """Return the resolution of one request's scores in nats."""
    found: float = getattr(row, "resolution", FLOAT32_RESOLUTION)
    return found


def measure_noise(engine: Engine, load: Callable[[], Codec]) -> NoiseFloor:
    """Measure an engine's noise floor; ``load``: returns its codec.

    Raises:
        EngineLostError: the engine cannot continue. Any other error is in the result.

    """
    if not engine.capabilities.score:
        return NoiseFloor()
    if engine.capabilities.exact:
        return NoiseFloor(0.0)
    try:
        return _measured(engine, load())
    except EngineLostError:
        raise
    except Exception as error:
        return NoiseFloor(error=without_credentials(f"{type(error).__name__}: {error}")[:_MOST_TEXT])


def _measured(engine: Engine, codec: Codec) -> NoiseFloor:
    limit = engine.capabilities.max_context
    found = [one for one in noise_requests(codec, _STEPS) if _fits(one, limit)]
    if not found:
        raise EngineError(f"no prompt fits its context window of {limit} tokens")
    longest = len(_STEPS) - 1
    half = noise_requests(codec, [_STEPS[longest] // 2], first=longest)
    others = noise_requests(codec, _OTHERS, first=len(_STEPS))
    batch = [one for one in (*others[:2], *found, *half, *others[2:]) if _fits(one, limit)]
    rounds = [_alone(engine, found), _alone(engine, found)]
    if _forget(engine):
        _alone(engine, [replace(one, prompt=one.prompt[:-1]) for one in found])
        rounds.append(_alone(engine, found))
        _forget(engine)
    together = dict(zip(batch, engine.score(batch), strict=True))
    rounds.append([together[request] for request in found])
    _forget(engine)
    nats = max(_spread(rows) for rows in zip(*rounds, strict=True))
    if not math.isfinite(nats):
        raise EngineError("a log-probability is not finite")
    return NoiseFloor(nats, min(resolution(row) for rows in rounds for row in rows), len(found))


def _alone(engine: Engine, requests: Sequence[ScoreRequest]) -> list[Row]:
    return [row for request in requests for row in engine.score([request])]


def _forget(engine: Engine) -> bool:
    """Make the engine forget what it kept, if it can; return whether it can."""
    forget: Callable[[], None] | None = getattr(engine, "forget", None)
    if forget is not None:
        forget()
    return forget is not None


def _spread(rows: Sequence[Row]) -> float:
    """Return the largest difference between two rows in one place; infinite if a value is not finite."""
    if not all(math.isfinite(value) for row in rows for value in row):
        return math.inf
    spans: list[float] = [max(values) - min(values) for values in zip(*rows, strict=True)]
    return max(spans)


def _fits(request: ScoreRequest, limit: int | None) -> bool:
    return limit is None or len(request.prompt) + max(map(len, request.candidates)) <= limit


def noise_requests(codec: Codec, steps: Sequence[int], first: int = 0) -> list[ScoreRequest]:
    """Return a request for each number of steps; the one at index n is about problem ``first`` + n."""
    return [score_request(codec, _text(first + n, count), _LABELS) for n, count in enumerate(steps)]


def _text(problem: int, steps: int) -> str:
    """Return a question, a chain of so many steps, and the opening of its answer."""
    draw = random.Random(problem)
    total = draw.randint(10, 99)
    choices = " ".join(f"({label}) {draw.randint(100, 999)}" for label in _LABELS)
    said = [f"Begin with {total}. {choices}\n"]
    for step in range(1, steps + 1):
        more = draw.randint(10, 99)
        said.append(f"{step}. {total} + {more} = {total + more}. ")
        total += more
    return "".join([*said, "The answer is ("])
