"""The live status of a run, counted from what the scheduler tells, and written beside the run every few seconds.

In: a run's progress. Out: a ``LiveStatus``, in ``_status.json`` and in Ray's metrics. A store or a metric that fails or
is slow ends and delays nothing: a thread writes, and keeps only the newest snapshot. Knows nothing about terminals.
"""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nsmallest
from time import monotonic
from typing import Any, NamedTuple

from cotfaith.cluster.fleet.error_text import first_line
from cotfaith.cluster.fleet.events import RunEvent
from cotfaith.cluster.fleet.forecast import Forecast, Outlook
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.metrics import RayMetrics
from cotfaith.cluster.fleet.reporter import EngineCount, NoProgress
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.live_status import LiveStatus, ModelStatus, RunningJob, Stage, State
from cotfaith.schemas.run_folder import parse_live_status
from cotfaith.schemas.run_objects import ProcessEntry
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import EngineUsage

EVERY_S = 10.0
"""Time between two snapshots."""
WINDOW_S = 60.0
"""Rates are those of about this time."""
OLDEST = 5
_CLOSE_S = 5.0
"""The longest wait for the last write: a store that is down must not keep the driver from ending."""

Row = tuple[str, Stage]
"""Model that answers, stage."""


class _Sums(NamedTuple):
    """What the engines of a row have done, and for how long they were up."""

    tokens: float = 0.0
    distinct: float = 0.0
    busy_s: float = 0.0
    up_s: float = 0.0

    def plus(self, other: "_Sums") -> "_Sums":
        return _Sums(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: "_Sums") -> "_Sums":
        return _Sums(*(a - b for a, b in zip(self, other, strict=True)))


@dataclass
class _Counts:
    """A row's jobs, and its engines' work."""

    past: deque[tuple[float, _Sums]]
    """Time -> the sums then, from the window's begin on."""
    done: int = 0
    failed: int = 0
    preempted: int = 0
    quarantined: int = 0
    sums: _Sums = field(default_factory=_Sums)

    def recent(self, now_s: float) -> tuple[float, _Sums]:
        """Return how long the window is, and what was done in it."""
        while len(self.past) > 1 and self.past[1][0] <= now_s - WINDOW_S:
            self.past.popleft()
        then_s, then = self.past[0]
        return now_s - then_s, self.sums.minus(then)


class Snapshot(NoProgress):
    """Counts one driver's run, over all its stages."""

    def __init__(
        self,
        run_id: str,
        process: ProcessEntry,
        resume: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.stops = False
        """Whether the run was told to stop before all is done."""
        self.process = process
        self._run_id, self._resume, self._clock = run_id, resume, clock
        self._began, self._began_s = _now(), clock()
        self._state: State = "loading"
        self._message: str | None = None
        self._stage: Stage = "shards"
        self._began_stages = 0
        self._looked_s = clock()
        self._rows: defaultdict[Row, _Counts] = defaultdict(lambda: _Counts(past=deque([(self._looked_s, _Sums())])))
        self._running: dict[tuple[str, str], tuple[Row, float]] = {}
        """(Job's name, engine) -> its row, and when it began."""
        self._waiting: Mapping[str, int] = {}
        self._engines: Mapping[str, EngineCount] = {}
        self._usage: dict[str, EngineUsage] = {}
        self._counted_s = clock()
        self._cost: tuple[float, str] | None = None
        self._statuses: dict[str, int] = {}
        self._preemptions = self._earlier_preemptions = 0
        self._forecast: Forecast | None = None
        self._counter = 0

    def begin_stage(self, forecast: Forecast) -> None:
        """Take the jobs of a stage, whose engines are new."""
        self._forecast, self._usage, self._engines, self._waiting = forecast, {}, {}, {}
        self._stage = "shards" if self._began_stages == 0 else "readings"  # or what the first job is
        self._began_stages += 1
        self._earlier_preemptions += self._preemptions
        self._preemptions = 0

    def end(self, state: State, message: str | None) -> None:
        """Take how the run ended; nothing runs any more."""
        self._count_time()
        self._state, self._message = state, message or self._message
        self._running, self._engines = {}, {}
        if state == "done":
            self._waiting = {}

    def began(self, job: Job, engine: str = "", node: str | None = None) -> None:  # noqa: D102
        self._stage = "shards" if job.reader is None else "readings"
        self._running[job.name, engine] = self._row(job), self._clock()
        if self._state == "loading":
            self._state = "running"

    def ended(self, job: Job, engine: str = "") -> None:  # noqa: D102
        self._running.pop((job.name, engine), None)

    def finished(self, model: str, report: ShardReport, engine: str) -> None:  # noqa: D102
        stage: Stage = "shards" if report.reader is None else "readings"
        self._rows[model, stage].done += 1
        for status, count in report.statuses.items():
            self._statuses[status] = self._statuses.get(status, 0) + count
        self.used(engine, report.usage)

    def used(self, engine: str, usage: EngineUsage) -> None:  # noqa: D102
        before = self._usage.get(engine, EngineUsage())
        grown = _work(usage).minus(_work(before))
        if grown.busy_s < 0:
            return  # late news; tokens can be fewer, because those of a call that failed are in no total
        self._usage[engine] = usage
        counts = self._rows[engine.partition("#")[0], self._stage]
        counts.sums = counts.sums.plus(grown)

    def preempted(self, count: int) -> None:  # noqa: D102
        self._preemptions = count

    def waiting(self, jobs: Mapping[str, int]) -> None:  # noqa: D102
        self._waiting = jobs

    def engines(self, counts: Mapping[str, EngineCount]) -> None:  # noqa: D102
        self._count_time()
        self._engines = counts

    def spent(self, cost: float, currency: str) -> None:  # noqa: D102
        self._cost = cost, currency

    def say(self, text: str) -> None:  # noqa: D102
        self._message = text

    def happened(self, event: RunEvent) -> None:  # noqa: D102
        if event.kind in ("draining", "stopping"):
            self._state, self.stops = "draining", True
        if event.kind in ("note", "draining", "stopping") and event.text is not None:
            self._message = event.text
        if event.job is not None:
            counts = self._rows[self._row(event.job)]
            counts.failed += event.kind == "job_failed" and event.charged is not False
            counts.preempted += event.kind == "job_preempted"
            counts.quarantined += event.kind == "item_quarantined"

    def status(self) -> LiveStatus:
        """Return the status now."""
        now_s = self._clock()
        self._count_time()
        look = None if self._forecast is None else self._forecast.outlook()
        self._counter += 1
        rows = dict.fromkeys([*self._rows, *((model, self._stage) for model in (*self._waiting, *self._engines))])
        running = Counter(row for row, _ in self._running.values())
        found = LiveStatus(
            run_id=self._run_id,
            process=self.process,
            began=self._began,
            written=_now(),
            counter=self._counter,
            state=self._state,
            message=self._message,
            resume=self._resume,
            **_outlook(look),
            elapsed_s=round(now_s - self._began_s, 1),
            engine_hours=round(sum(one.sums.up_s for one in self._rows.values()) / 3600, 6),
            cost=None if self._cost is None else self._cost[0],
            currency=None if self._cost is None else self._cost[1],
            rows=sum(self._statuses.values()),
            rows_not_ok=sum(self._statuses.values()) - self._statuses.get(Status.OK.value, 0),
            preemptions=self._earlier_preemptions + self._preemptions,
            models=[self._model(*row, running[row], now_s) for row in rows],
            oldest=self._oldest(now_s),
        )
        for counts in self._rows.values():
            counts.past.append((now_s, counts.sums))
        self._looked_s = now_s
        return found

    def _model(self, model: str, stage: Stage, running: int, now_s: float) -> ModelStatus:
        counts, is_now = self._rows[model, stage], stage == self._stage
        window_s, recent = counts.recent(now_s)
        engines = self._engines.get(model, EngineCount(0, 0)) if is_now else EngineCount(0, 0)
        counted = counts.sums.distinct > 0
        return ModelStatus(
            model=model,
            stage=stage,
            done=counts.done,
            running=running,
            waiting=self._waiting.get(model, 0) if is_now else 0,
            failed=counts.failed,
            preempted=counts.preempted,
            quarantined=counts.quarantined,
            tokens=round(counts.sums.tokens),
            distinct_tokens=round(counts.sums.distinct),
            tokens_per_s=_rate(recent.tokens, window_s),
            distinct_tokens_per_s=_rate(recent.distinct, window_s) if counted else None,
            busy_share=round(min(1.0, recent.busy_s / recent.up_s), 4) if recent.up_s else None,
            engines_up=engines.up,
            engines_asked=engines.asked,
        )

    def _row(self, job: Job) -> Row:
        return job.model, "shards" if job.reader is None else "readings"

    def _oldest(self, now_s: float) -> list[RunningJob]:
        found = nsmallest(OLDEST, self._running.items(), key=lambda one: one[1][1])
        return [
            RunningJob(job=job, engine=engine, seconds=round(now_s - since_s, 1))
            for (job, engine), (_, since_s) in found
        ]

    def _count_time(self) -> None:
        """Add the time since the last count to that of the engines that were up."""
        now_s = self._clock()
        for model, count in self._engines.items():
            if count.up:
                counts = self._rows[model, self._stage]
                counts.sums = counts.sums.plus(_Sums(up_s=count.up * (now_s - self._counted_s)))
        self._counted_s = now_s


class Publisher(NoProgress):
    """Writes snapshots to a store, and to Ray's metrics; at each tick, if the last one is old."""

    def __init__(
        self,
        snapshot: Snapshot,
        store: Store,
        warn: Callable[[str], None],
        metrics: RayMetrics | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._snapshot, self._store, self._warn, self._metrics = snapshot, store, warn, metrics
        self._every_s = every_s
        self._next_s = 0.0
        self._newest: LiveStatus | None = None
        self._ends = self._wrote = self._broken = self._in_stage = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write, name="status", daemon=True)

    def start(self) -> None:
        """Write the first snapshot, and begin to write those that follow."""
        self._thread.start()
        self.publish()

    @contextmanager
    def stage(self) -> Iterator[None]:
        """Follow a stage, in which Ray is there; a snapshot is published at its end."""
        self._in_stage = True
        try:
            yield
        finally:
            self.publish()
            self._in_stage = False

    def tick(self) -> None:
        """Publish a snapshot if it is time."""
        if monotonic() >= self._next_s:
            self.publish()

    def publish(self) -> None:
        """Publish a snapshot now."""
        self._next_s = monotonic() + self._every_s
        if (status := self._made()) is None:
            return
        with self._changed:
            self._newest = status
            self._changed.notify()

    def close(self) -> None:
        """Write the last snapshot, and end; wait for a few seconds at most."""
        status = self._made()
        with self._changed:
            self._newest, self._ends = status, True
            self._changed.notify()
        self._thread.join(_CLOSE_S)

    def _made(self) -> LiveStatus | None:
        """Return a snapshot; None if it cannot be made: a run is worth more than its status."""
        if self._broken:
            return None
        try:
            status = self._snapshot.status()
            if self._metrics is not None and self._in_stage:
                self._metrics.publish(status)
        except Exception as error:
            self._broken = True
            self._warn(f"The live status ends, and the run goes on: {first_line(error)}")
            return None
        return status

    def _write(self) -> None:
        ends = False
        while not ends:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._ends)
                status, self._newest, ends = self._newest, None, self._ends
            with suppress(Exception):  # the run goes on without its status, whatever the store's error is
                if status is not None and not (ends and self._is_anothers()):
                    self._store.put(keys.STATUS, status.as_json())
                    self._wrote = True

    def _is_anothers(self) -> bool:
        """Return whether another driver writes the status by now: this one lost the run."""
        data = self._store.get(keys.STATUS) if self._wrote else None
        return data is not None and parse_live_status(data).process != self._snapshot.process


def _outlook(look: Outlook | None) -> Mapping[str, Any]:
    if look is None:
        return {}
    return {
        "phase": look.phase,
        "share": min(1.0, max(0.0, look.share)),
        "requests_done": look.requests_done,
        "requests": look.requests,
        "eta_s": look.left_s,
    }


def _work(usage: EngineUsage) -> _Sums:
    """Return an engine's totals, with those of the call that runs."""
    running = usage.running.generated_tokens
    return _Sums(
        usage.prompt_tokens + usage.generated_tokens + running,
        usage.computed_tokens + (running if usage.computed_tokens else 0),
        sum(work.seconds for work in usage.stages.values()),
    )


def _rate(amount: float, seconds: float) -> float | None:
    return round(max(0.0, amount) / seconds, 1) if seconds else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
