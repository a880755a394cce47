"""How far a run is, and when it will be done.

In: what the jobs have to do (``to_do``), the engines' own counts of their work by stage, shards that are finished. Out:
an ``Outlook``. Knows nothing about terminals.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from cotfaith.cluster.fleet.chain_lengths import ChainLengths
from cotfaith.cluster.fleet.estimate import Estimate
from cotfaith.cluster.fleet.in_flight import InFlight
from cotfaith.cluster.fleet.jobs import Job, Jobs
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.fleet.to_do import Counts, Planned, ToDo, all_of, find_to_do
from cotfaith.cluster.fleet.wall import Wall
from cotfaith.cluster.plan.per_item import Amount, PerItem
from cotfaith.cluster.plan.roles import helpers
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.workers.engines.protocol import CHAINS, EngineUsage, StageKey, StageWork

LOADING = "loading"
ENOUGH = 0.02
"""The share of this session's work from which its speed is taken as known: the first call is no measure."""
UNKNOWN = Amount(requests=1, units=1)
"""The work of an item that cannot be planned: a plug-in's arms may raise, and that must not end a run."""


@dataclass(frozen=True)
class Outlook:
    """What a run shows of itself."""

    phase: str
    """``LOADING``, or the stage that the engines worked on last."""
    share: float
    """What is done, of the time that all takes; 0 to 1."""
    requests_done: int
    requests: int
    """Of the whole run, as far as is known."""
    left_s: float | None
    """Seconds on the clock until the engines are done; None: not known yet."""


@dataclass
class Forecast:
    """Follows one run's work."""

    per_item: PerItem
    to_do: ToDo
    whole: Counts
    """The run's counts, done or not."""
    lengths: ChainLengths
    forced: bool = False
    """Whether chains that the limit cuts are probed like others."""
    models: int = 0
    """The engines that are to be loaded."""
    replicas: Mapping[str, int] = field(default_factory=dict)
    """Model -> engines that share its work; by default one."""
    items: int = 0
    """Of the jobs that are now done."""
    began_s: float = field(default_factory=monotonic)
    in_flight: InFlight = field(default_factory=InFlight)
    wall: Wall = field(default_factory=lambda: Wall(monotonic))
    _done: Counts = field(default_factory=Counter)
    _made: dict[StageKey, StageWork] = field(default_factory=dict)
    _stages: int = 0
    """Stages that have begun."""
    _engines: dict[tuple[int, str], EngineUsage] = field(default_factory=dict)
    """Stage, from 1, and actor's name: each stage numbers its actors anew."""
    _counted: dict[StageKey, StageWork] = field(default_factory=dict)
    """The work of all of them: there may be ten thousand."""
    _phase: str = LOADING
    _before: dict[str, float] = field(default_factory=dict)
    """Stage -> seconds of engines at the last outlook."""

    def __post_init__(self) -> None:
        left = self.to_do.left()
        self._earlier: Counts = Counter({one: max(0.0, n - left[one]) for one, n in self.whole.items()})

    def begin_stage(self) -> None:
        """Note that the engines that follow are others than those so far, though they may have the same names."""
        self._stages += 1

    def used(self, engine: str, usage: EngineUsage) -> None:
        """Take an engine's totals. They may arrive late; smaller ones are ignored."""
        before = self._engines.get((self._stages, engine))
        if before is None or _seconds(usage) >= _seconds(before):
            self._engines[self._stages, engine] = usage
            self._count(usage, before)
        grown = _grown(usage, before)
        if {key.stage for key in grown} == {CHAINS}:
            for model in {key.model for key in grown}:
                self.lengths.running(model, usage.running)

    def _count(self, usage: EngineUsage, before: EngineUsage | None) -> None:
        for key, work in before.stages.items() if before else ():
            self._counted[key] += work.times(-1.0)
        for key, work in usage.stages.items():
            self._counted[key] = self._counted.get(key, StageWork()) + work

    def finished(self, report: ShardReport) -> None:
        """Take a finished shard."""
        self._done.update(self.to_do.take(report.shard, report.reader, report.items))
        for key, work in report.stages.items():
            self._made[key] = self._made.get(key, StageWork()) + work
            if key.stage == CHAINS:
                self.lengths.made(key.model, key.task, report.chains, report.chain_tokens)

    def outlook(self) -> Outlook:
        """Return how far the run is now."""
        work = self._work()
        left, cost = self.to_do.left(), self.per_item.unit_cost
        now = Estimate(self._planned, self._usable, cost, self.whole, self._done, left, self._made, work)
        spent_s, by_model = sum(one.seconds for one in work.values()), now.left_s()
        left_s = sum(by_model.values())
        self.wall.look(spent_s, len(self._engines))
        done_s, done = spent_s + now.seconds(self._earlier), now.requests_done(self._earlier)
        return Outlook(
            self._current_phase(work),
            done_s / (done_s + left_s) if done_s + left_s else 1.0,
            round(done),
            round(done + now.requests_left()),
            self._left_on_clock(by_model) if now.is_timed and spent_s >= ENOUGH * (spent_s + left_s) else None,
        )

    def _work(self) -> dict[StageKey, StageWork]:
        """Return all work so far, as engines count it; where they do not, as finished shards do."""
        return {**self._made, **self._counted}

    def _current_phase(self, work: dict[StageKey, StageWork]) -> str:
        """Return the stage whose seconds grew most since the last outlook."""
        now: dict[str, float] = {}
        for key, one in work.items():
            now[key.stage] = now.get(key.stage, 0.0) + one.seconds
        grown = {stage: seconds - self._before.get(stage, 0.0) for stage, seconds in now.items()}
        if grown and max(grown.values()) > 0:
            self._phase = max(grown, key=lambda stage: grown[stage])
        self._before = now
        return self._phase

    def _planned(self, one: Planned) -> Amount:
        model, task, _ = one.stage
        return self.per_item.at(self.lengths.mean(model, task)).get((model, task, one.name, one.variant), UNKNOWN)

    def _usable(self, key: StageKey) -> float:
        """Return the share of chains that will be probed, before any are."""
        return 1.0 if key.stage == CHAINS or self.forced else 1.0 - self.lengths.cut_share(key.model)

    def _left_on_clock(self, by_model: Mapping[str, float]) -> float | None:
        """Return the seconds on the clock; a model's replicas share its work."""
        counts = {model: self.replicas.get(model, 1) for model in by_model}
        split = [seconds / counts[model] for model, seconds in by_model.items() for _ in range(counts[model])]
        return self.wall.left_s(split, *self._loads())

    def _loads(self) -> tuple[int, list[float]]:
        """Return how many models are to be loaded, and the seconds that loading took so far."""
        models = {name.rpartition("#")[0] for _, name in self._engines}
        return max(0, self.models - len(models)), [one.loading_s for one in self._engines.values() if one.loading_s]


def _grown(usage: EngineUsage, before: EngineUsage | None) -> list[StageKey]:
    """Return the stages that an engine has worked in since it was heard of before."""
    earlier = {} if before is None else before.stages
    return [key for key, work in usage.stages.items() if work.seconds > earlier.get(key, StageWork()).seconds]


def _seconds(usage: EngineUsage) -> float:
    return sum(work.seconds for work in usage.stages.values())


def make_forecast(missing: Jobs, jobs: Sequence[Job], ledger: Ledger) -> Forecast:
    """Return the forecast of a run that lacks the jobs, and what readers do after them."""
    readings = [reader for _, _, reader in missing.unread(ledger)]
    return forecast_of(missing, find_to_do(missing, jobs, ledger), [job.model for job in jobs], readings)


def forecast_of(missing: Jobs, to_do: ToDo, subjects: Iterable[str], readers: Iterable[str]) -> Forecast:
    """Return the forecast of a run in which these subjects and readers have something to do."""
    plan, sampling = missing.plan, missing.plan.spec.sampling
    answering = set(subjects)
    helping = [m.id for one in plan.resolved.subjects for m in helpers(plan.spec, one.spec, plan.probes).values()]
    models = {*answering, *readers, *(helping if answering else ())}
    return Forecast(
        PerItem(plan),
        to_do,
        all_of(missing),
        ChainLengths(sampling.max_tokens),
        forced=sampling.budget_forcing,
        models=len(models),
        replicas={model.id: plan.spec.resources.of(model).replicas.max for model in plan.spec.models},
    )
