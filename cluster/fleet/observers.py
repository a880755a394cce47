"""Everything that follows a run: the reporter that was given, its forecast, the live status, Ray's metrics, a log.

In: a run's reporter and what else shall be written. Out: a reporter for the run's parts, which tells them all. What
fails while it is written beside the run never ends the run. Knows nothing about what is shown or written.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from cotfaith.cluster.fleet.error_text import first_line
from cotfaith.cluster.fleet.event_log import EventLog
from cotfaith.cluster.fleet.events import RunEvent
from cotfaith.cluster.fleet.forecast import Forecast
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.metrics import RayMetrics
from cotfaith.cluster.fleet.process import this_process
from cotfaith.cluster.fleet.reporter import EngineCount, NoProgress, Progress, Reporter
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.fleet.snapshot import Publisher, Snapshot
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.live_status import State
from cotfaith.workers.engines.protocol import EngineUsage


@dataclass(frozen=True)
class Watching:
    """How a run is followed, besides by its reporter."""

    log: EventLog | None = None
    resume: str | None = None
    """The command that goes on with the run, for the live status."""
    ray_metrics: bool = False
    """Whether Ray collects metrics: a cluster that was joined does, the private Ray does not."""


class Several(NoProgress):
    """A progress that tells several others, in order."""

    def __init__(self, others: Sequence[Progress]) -> None:
        self._others = others

    def began(self, job: Job, engine: str = "", node: str | None = None) -> None:
        """Tell all others, as all methods do."""
        for one in self._others:
            one.began(job, engine, node)

    def ended(self, job: Job, engine: str = "") -> None:  # noqa: D102
        for one in self._others:
            one.ended(job, engine)

    def finished(self, model: str, report: ShardReport, engine: str) -> None:  # noqa: D102
        for one in self._others:
            one.finished(model, report, engine)

    def used(self, engine: str, usage: EngineUsage) -> None:  # noqa: D102
        for one in self._others:
            one.used(engine, usage)

    def preempted(self, count: int) -> None:  # noqa: D102
        for one in self._others:
            one.preempted(count)

    def happened(self, event: RunEvent) -> None:  # noqa: D102
        for one in self._others:
            one.happened(event)

    def waiting(self, jobs: Mapping[str, int]) -> None:  # noqa: D102
        for one in self._others:
            one.waiting(jobs)

    def engines(self, counts: Mapping[str, EngineCount]) -> None:  # noqa: D102
        for one in self._others:
            one.engines(counts)

    def spent(self, cost: float, currency: str) -> None:  # noqa: D102
        for one in self._others:
            one.spent(cost, currency)

    def tick(self) -> None:  # noqa: D102
        for one in self._others:
            one.tick()

    def say(self, text: str) -> None:  # noqa: D102
        for one in self._others:
            one.say(text)


class Feeding(NoProgress):
    """Tells a forecast what the engines do; it comes before those that show the forecast."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast = forecast
        forecast.begin_stage()

    def began(self, job: Job, engine: str = "", node: str | None = None) -> None:  # noqa: D102
        self._forecast.in_flight.began(job)

    def ended(self, job: Job, engine: str = "") -> None:  # noqa: D102
        self._forecast.in_flight.ended(job)

    def finished(self, model: str, report: ShardReport, engine: str) -> None:  # noqa: D102
        self._forecast.finished(report)
        self._forecast.used(engine, report.usage)

    def used(self, engine: str, usage: EngineUsage) -> None:  # noqa: D102
        self._forecast.used(engine, usage)


class Observed:
    """The reporter of a run that is followed."""

    def __init__(self, reporter: Reporter, snapshot: Snapshot, publisher: Publisher, log: EventLog | None) -> None:
        self._reporter, self._snapshot, self._publisher, self._log = reporter, snapshot, publisher, log

    def say(self, text: str) -> None:
        """Tell all."""
        self._reporter.say(text)
        self._tell(RunEvent("note", text=text))

    def warn(self, text: str) -> None:
        """Tell all."""
        self._reporter.warn(text)
        self._tell(RunEvent("warning", text=text))

    def _tell(self, event: RunEvent) -> None:
        self._snapshot.happened(event)
        if self._log is not None:
            self._log.happened(event)

    @contextmanager
    def progress(self, forecast: Forecast) -> Iterator[Progress]:
        """Follow the jobs of one stage; at its end the snapshot is published, while Ray is still there."""
        shown: AbstractContextManager[Progress] = self._reporter.progress(forecast)
        feeding = Feeding(forecast)
        self._snapshot.begin_stage(forecast)
        with shown as progress, self._publisher.stage():
            logs = [] if self._log is None else [self._log]
            yield Several([feeding, progress, self._snapshot, *logs, self._publisher])


@contextmanager
def observed(store: Store, run_id: str, reporter: Reporter, watching: Watching) -> Iterator[Observed]:
    """Follow a run until its end, however it ends: the last snapshot says how."""
    snapshot = Snapshot(run_id, this_process(), watching.resume)
    metrics = RayMetrics() if watching.ray_metrics else None
    publisher = Publisher(snapshot, store, reporter.warn, metrics)
    found = Observed(reporter, snapshot, publisher, watching.log)
    if watching.log is not None:
        watching.log.begin(run_id)
    publisher.start()
    state: State = "failed"
    message: str | None = None
    try:
        yield found
        state = "stopped" if snapshot.stops else "done"
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        state, message = "stopped", "It was interrupted."
        raise
    except BaseException as error:
        message = first_line(error) if isinstance(error, Exception) else type(error).__name__
        raise
    finally:
        snapshot.end(state, message)
        publisher.close()
        if watching.log is not None:
            watching.log.happened(RunEvent("run_ended", text=state, error=message))
