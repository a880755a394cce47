"""_status.json: how far the driver of a run is, as it says itself, while it works and when it has ended.

The driver replaces it about every 10 s. It is for people and their tools: nothing of a run rests on it, and it may be
missing or old. Counts begin with the driver: what earlier drivers committed is in none of them.
"""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from cotfaith.schemas.run_objects import ProcessEntry, RunObject, Text
from cotfaith.schemas.spec import Name

State = Literal["loading", "running", "draining", "done", "stopped", "failed"]
"""What the driver does: no engine is up yet; jobs run; it gives out no more jobs. Or how it ended: nothing is left to
do; it was told to stop, or reached a limit; an error ended it."""
ENDED: tuple[State, ...] = ("done", "stopped", "failed")
Stage = Literal["shards", "readings"]
"""What a job is: chains of a shard and their own model's probes, or what a reader answers on such chains."""


class ModelStatus(RunObject):
    """What one model has done in one stage. Counts are of jobs: a shard can be several."""

    model: Name
    """The one whose engines answer."""
    stage: Stage
    done: NonNegativeInt = 0
    running: NonNegativeInt = 0
    waiting: NonNegativeInt = 0
    failed: NonNegativeInt = 0
    """Attempts that failed and were charged to a job."""
    preempted: NonNegativeInt = 0
    """Attempts that ended because a node was taken away."""
    quarantined: NonNegativeInt = 0
    """Items."""
    tokens: NonNegativeInt = 0
    """Of prompts, each counted whole, and generated ones."""
    distinct_tokens: NonNegativeInt = 0
    """Those that went through the model: what prompts share counts once. 0: its engine does not count them."""
    tokens_per_s: NonNegativeFloat | None = None
    """In the last minute, as the next two; null: not known yet."""
    distinct_tokens_per_s: NonNegativeFloat | None = None
    busy_share: float | None = Field(default=None, ge=0, le=1)
    """The share of the time of its engines that were up in which they worked."""
    engines_up: NonNegativeInt = 0
    engines_asked: NonNegativeInt = 0


class RunningJob(RunObject):
    """A job that an engine works on."""

    job: Text
    engine: str = ""
    seconds: NonNegativeFloat
    """Since it was given to the engine."""


class LiveStatus(RunObject):
    """_status.json."""

    run_id: Text
    process: ProcessEntry
    began: str
    """When the driver began, by its own clock, as ``written``."""
    written: str
    counter: PositiveInt
    """Of the driver's snapshots; it grows with each."""
    state: State
    message: str | None = None
    """The last line that the driver said, or how it ended. It can quote other programs."""
    resume: str | None = None
    """The command that goes on with the run; null: the driver was not started by one."""
    phase: str = "loading"
    """The stage that the engines worked on last: chains, probes, readings; or loading."""
    share: float = Field(default=0.0, ge=0, le=1)
    """What is done of the whole run, of the time that all takes."""
    requests_done: NonNegativeInt = 0
    requests: NonNegativeInt = 0
    """Of the whole run, as far as is known."""
    eta_s: NonNegativeFloat | None = None
    """Seconds until the engines are done; null: not known."""
    elapsed_s: NonNegativeFloat = 0.0
    engine_hours: NonNegativeFloat = 0.0
    """The sum of the times that engines were up."""
    cost: NonNegativeFloat | None = None
    """Of the engines so far; null: the spec has no prices."""
    currency: str | None = None
    rows: NonNegativeInt = 0
    rows_not_ok: NonNegativeInt = 0
    preemptions: NonNegativeInt = 0
    """Engines and tasks that were lost with their node."""
    models: list[ModelStatus] = Field(default_factory=list)
    oldest: list[RunningJob] = Field(default_factory=list)
    """The jobs that run for longest, a few of them."""

    @property
    def has_ended(self) -> bool:
        """Whether the driver said that it is at its end."""
        return self.state in ENDED

    def sum(self, name: str) -> float:
        """Return the sum of one figure over all models and stages; unknown ones count as 0."""
        return float(sum(getattr(one, name) or 0 for one in self.models))

    @property
    def busy_share(self) -> float | None:
        """The share of all engines that are up, as ``ModelStatus.busy_share``."""
        known = [(one.busy_share, one.engines_up) for one in self.models if one.busy_share is not None]
        up = sum(engines for _, engines in known)
        return sum(share * engines for share, engines in known) / up if up else None
