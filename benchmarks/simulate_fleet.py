"""A run on thousands of GPUs: the planner, jobs, scheduler and ledger are real, and what they run on is simulated.

    python benchmarks/simulate_fleet.py [--actors 1000] [--shards 50000] [--lifetime-h 4] [--notice-s 120] ...

In: how many engines and shards, and what goes wrong. Out: how the GPUs' time was spent, and what the driver took. The
processor time of the driver is real and passes on the clock, so a driver that is too slow is seen as idle GPUs. What
Ray takes of it is added for each call (``--ray-submit-ms``, ``--ray-finish-ms``: measured by benchmarks/driver.py).

A shard is two parts, chains and probes, of equal length. Its time is lognormal, its own, and the same each time it is
done; a slow attempt takes five times as long. Nodes of eight GPUs live for an exponential time. Without notice the loss
of one is seen after 14 s; with notice it drains. Its replacement's engines are up 300 s after the loss, or the notice.
A commit takes a lognormal time, and one in some fails for good. In an outage commits wait until it is over.
"""

import argparse
import json
import resource
import sys
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from random import Random
from time import process_time
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table
from simulated_machines import Commit, Conditions, Engine, Machines, plain_report

from cotfaith.cluster.fleet import stragglers
from cotfaith.cluster.fleet.driver import RunOutcome, Scheduler
from cotfaith.cluster.fleet.forecast import Forecast
from cotfaith.cluster.fleet.jobs import Job, Jobs
from cotfaith.cluster.fleet.lacking import FromStates
from cotfaith.cluster.fleet.observers import Feeding
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.segments import Entry
from cotfaith.cluster.storage.shard_state import PieceState, ShardState
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.run_objects import PieceName
from cotfaith.schemas.spec import RunSpec, parse_spec
from cotfaith.workers.engines.protocol import StageKey, StageWork

SIGMA = 0.5
SLOW = 5.0
TAG = 2**40
"""A folder's tag: the state of a shard is taken as its worker's."""


def make_spec(folder: Path, options: argparse.Namespace) -> RunSpec:
    """Return the spec: a model's engines share its shards."""
    shards = options.shards // options.models // options.tasks
    return parse_spec(
        {
            "models": [{"id": f"model-{at:02}-72B-Instruct", "engine": "stub"} for at in range(options.models)],
            "tasks": [
                {"name": f"task_{at:02}", "generator": "addition", "n": shards * options.items}
                for at in range(options.tasks)
            ],
            "probes": ["no_cot"],
            "resources": {
                "shard_size": options.items,
                "replicas": options.actors // options.models,
                "in_flight": options.in_flight,
                "gpus": 1,
                "cpus": 1,
                "ray_address": "auto",
            },
            "output": {"path": str(folder)},
        }
    )


class Chances:
    """What happens by chance; the same for the same seed, in any order."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self._commits = Random(f"{options.seed} commits")

    def parts(self, job: Job) -> tuple[float, ...]:
        """Return a shard's own seconds."""
        options = self.options
        total_s = Random(f"{options.seed} {job.shard.id}").lognormvariate(log(options.shard_s), SIGMA)
        return (total_s / 2, total_s / 2) if options.parts == 2 else (total_s,)

    def slowness(self, number: int) -> float:
        """Return how many times as long an attempt takes."""
        return SLOW if Random(f"{self.options.seed} slow {number}").random() < self.options.slow else 1.0

    def commit(self, time_s: float) -> Commit:
        """Return what the store answers."""
        options = self.options
        if options.outage_at_s <= time_s < options.outage_at_s + options.outage_s:
            time_s, wait_s = options.outage_at_s + options.outage_s, options.outage_at_s + options.outage_s - time_s
        else:
            wait_s = 0.0
        if self._commits.random() < options.store_fails:
            return Commit(options.patience_s, failed=True)
        return Commit(wait_s + self._commits.lognormvariate(log(options.commit_s), 0.8))


class Nodes:
    """Adds nodes, takes them away, and replaces them."""

    def __init__(self, machines: Machines, options: argparse.Namespace) -> None:
        self.machines, self.options = machines, options
        self.taken = self._count = 0
        self._random = Random(f"{options.seed} nodes")
        for _ in range(-(-options.actors // options.per_node)):
            self.add(0.0)

    def add(self, time_s: float) -> None:
        """Add a node that lives for a while."""
        self._count += 1
        name, n = f"node-{self._count}", self.options.per_node
        self.machines.add_node(name, {"GPU": n, "CPU": n})
        if self.options.lifetime_h:
            life_s = self._random.expovariate(1 / (3600 * self.options.lifetime_h))
            self.machines.at(time_s + life_s, lambda then_s: self.take(name, then_s))

    def take(self, name: str, time_s: float) -> None:
        """Take a node away."""
        self.taken += 1
        if self.options.notice_s:
            self.machines.give_notice(name, self.options.notice_s, time_s)
        else:
            self.machines.lose_node(name, time_s)
        self.machines.at(time_s + self.options.replaced_s - self.options.load_s, self.add)


class Followed(Feeding):
    """What a run tells its forecast and its ledger; nothing is shown."""

    def __init__(self, forecast: Forecast, lacking: FromStates) -> None:
        super().__init__(forecast)
        self.outlook, self.lacking = forecast.outlook, lacking
        self.done = 0
        self.clock: Callable[[], float] = float
        self.at_s = array("d", [0.0])
        """When so many shards were done."""
        self.lines: Counter[str] = Counter()
        """What was said, by its last words."""

    def finished(self, model: str, report: ShardReport, engine: str) -> None:
        """Take a finished shard."""
        self.done += 1
        self.at_s.append(self.clock())
        self.lacking.finished(report)
        super().finished(model, report, engine)

    def tick(self) -> None:
        """Look ahead, as a display does."""
        self.outlook()

    def say(self, text: str) -> None:
        """Count a line."""
        self.lines[text.rpartition(":")[2][:60]] += 1


def report_of(job: Job, engine: Engine, stages: Mapping[StageKey, StageWork]) -> ShardReport:
    """Return a job's report; all that it wanted is committed."""
    found = plain_report(job, engine, stages)
    n = len(job.items)
    found.statuses = Counter(ok=2 * n)
    found.committed = Entry(
        job.shard, 2, (), TAG, _state(job.wanted.pieces), f'{{"reader":{{}},"subject":{{"ok":{n}}}}}'
    )
    return found


_STATES: dict[frozenset[PieceName], str] = {}


def _state(pieces: frozenset[PieceName]) -> str:
    if pieces not in _STATES:
        _STATES[pieces] = ShardState({one: PieceState(True) for one in pieces}).text
    return _STATES[pieces]


@dataclass
class Result:
    """What a run came to."""

    machines: Machines
    outcome: RunOutcome
    followed: Followed
    makespan_s: float
    planning_s: float
    """Processor time before the first job."""
    driving_s: float
    """Processor time of the driver with jobs, Ray's not counted."""
    taken: int

    def _since(self, share: float) -> float:
        return self.makespan_s - self.followed.at_s[max(1, int(share * self.followed.done))]

    def figures(self, options: argparse.Namespace) -> dict[str, Any]:
        """Return its figures."""
        spent, shards = self.machines.spent, self.followed.done
        lost_s, available_s = spent.lost, spent.there - spent.loading
        by_node = lost_s.get("engine lost", 0.0)
        return {
            "engines": options.actors,
            "shards done": shards,
            "makespan, s": round(self.makespan_s),
            "  of that: after 99% of shards were done, s": self._since(0.99),
            "  of that: after 99.9%, s": self._since(0.999),
            "GPUs idle while up, %": 100 * (1 - spent.computing / spent.up),
            "makespan over its bound": available_s / spent.accepted,
            "the same, no attempt being slow": available_s / spent.own,
            "computed and lost, %": 100 * sum(lost_s.values()) / spent.computing,
            **{f"  of that: {why}, %": 100 * seconds / spent.computing for why, seconds in sorted(lost_s.items())},
            "nodes taken": self.taken,
            "engines lost while up": spent.losses,
            "work lost for each engine of these nodes, s": by_node / max(1, self.taken * options.per_node),
            "jobs issued again": self.outcome.issued_again,
            "planning, processor s": self.planning_s,
            "driver, ms a shard": 1000 * self.driving_s / max(1, shards),
            "Ray calls a shard": self.machines.calls / max(1, shards),
            "driver busy, %": 100 * self.machines.driver_s / self.makespan_s,
            "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def simulate(options: argparse.Namespace, folder: Path) -> Result:
    """Plan and do a run."""
    began_s = process_time()
    plan = make_plan(make_spec(folder, options))
    store = open_store(plan.spec.output)
    run = open_run(store, plan.resolved, identity(plan.resolved, plan.weights, plan.templates, plan.items), plan.items)
    lacking = FromStates(Jobs(plan, run), store)
    jobs = lacking.subjects()
    followed = Followed(lacking.forecast(jobs), lacking)
    planning_s = process_time() - began_s
    chances = Chances(options)
    machines = Machines(
        Conditions(
            chances.parts,
            chances.slowness,
            chances.commit,
            load_s=options.load_s,
            driver_time=not options.no_driver_time,
            submit_s=options.ray_submit_ms / 1000,
            finish_s=options.ray_finish_ms / 1000,
        ),
        report_of,
    )
    nodes = Nodes(machines, options)
    lacking.writer.clock = followed.clock = machines.now
    with patch.object(stragglers, "FACTOR", float("inf") if options.no_reissue else stragglers.FACTOR):
        outcome = Scheduler(plan, jobs.models, machines, followed, store).run()
    lacking.close()
    return Result(machines, outcome, followed, machines.now(), planning_s, machines.own_s, nodes.taken)


def make_parser() -> argparse.ArgumentParser:
    """Return the options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--actors", type=int, default=1000, help="engines, each of one GPU")
    made.add_argument("--shards", type=int, default=50_000)
    made.add_argument("--models", type=int, default=10)
    made.add_argument("--tasks", type=int, default=10)
    made.add_argument("--items", type=int, default=4, help="items of a shard")
    made.add_argument("--in-flight", type=int, default=2, help="jobs that an engine has at a time")
    made.add_argument("--parts", type=int, default=2, choices=[1, 2], help="commits of a shard")
    made.add_argument("--shard-s", type=float, default=60.0, help="median")
    made.add_argument("--slow", type=float, default=0.01, help="share of attempts that take five times as long")
    made.add_argument("--no-reissue", action="store_true", help="issue no late job a second time")
    made.add_argument("--per-node", type=int, default=8, help="GPUs of a node, which are lost together")
    made.add_argument("--lifetime-h", type=float, default=4.0, help="mean life of a node; 0: none is taken away")
    made.add_argument("--notice-s", type=float, default=0.0, help="0: none")
    made.add_argument("--replaced-s", type=float, default=300.0)
    made.add_argument("--load-s", type=float, default=60.0)
    made.add_argument("--commit-s", type=float, default=0.3, help="median")
    made.add_argument("--store-fails", type=float, default=1e-4, help="share of commits")
    made.add_argument("--patience-s", type=float, default=300.0, help="until such a commit is given up")
    made.add_argument("--outage-at-s", type=float, default=1000.0)
    made.add_argument("--outage-s", type=float, default=0.0)
    made.add_argument("--ray-submit-ms", type=float, default=0.6)
    made.add_argument("--ray-finish-ms", type=float, default=0.4)
    made.add_argument("--no-driver-time", action="store_true", help="the driver takes no time: every run is the same")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--json", type=Path, help="write all numbers here")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate a run, and print its figures."""
    options = make_parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = simulate(options, Path(folder))
    found = result.figures(options)
    table = Table("", "", show_header=False)
    for name, value in found.items():
        table.add_row(name, f"{value:,.3f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
    Console(stderr=True).print(dict(result.followed.lines.most_common(12)))
    if options.json:
        setting = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        options.json.write_text(json.dumps({"setting": setting, **found}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
