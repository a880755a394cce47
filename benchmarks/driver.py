"""What the driver takes: processor time a shard, memory, and the time to go on with a run.

    python benchmarks/driver.py ray [--shards 400]            the driver on a real Ray on this machine, stub engines
    python benchmarks/driver.py calls [--shards 4000]         the same, with runners that do nothing
    python benchmarks/driver.py shards [--shards 10000 ...]   the driver on machines that answer at once
    python benchmarks/driver.py resume [--shards 10000 ...]   what a run lacks, with and without its ledger

In: how many shards. Out: milliseconds of processor time, for the whole and for its parts, megabytes, seconds. In "ray"
all is real: the time is that of the driver's process with Ray's threads in it, while engines and runners have others.
In "calls" runners do no work, so that this machine can do as many shards a second as a fleet would.
In "shards" jobs are made, packed, scheduled and counted as in a run, and the machines are simulated (their own time is
left out), so that a million shards take minutes. In "resume" the commits are fabricated (fabricate_run.py).
"""

import argparse
import gc
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from time import process_time
from typing import Any

import simulate_fleet
from fabricate_run import Size, fabricate
from rich.console import Console
from rich.table import Table
from simulate_fleet import Followed, make_spec

from cotfaith.cluster.fleet import driver, ray_backend
from cotfaith.cluster.fleet.driver import run_jobs
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.lacking import FromStates
from cotfaith.cluster.fleet.ray_backend import RayBackend
from cotfaith.cluster.fleet.ray_session import ray_session
from cotfaith.cluster.fleet.shard_task import ShardReport
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import Plan, make_plan
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.store import Store, open_store
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.spec import RunSpec

GOAL_MS = 1000 / 300
Row = dict[str, Any]


class Times:
    """Processor time of some functions, each without those that are timed within it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._within: list[float] = []

    @contextmanager
    def of(self, name: str) -> Any:
        """Time a block."""
        self._within.append(0.0)
        began = process_time()
        try:
            yield
        finally:
            took = process_time() - began
            self.seconds[name] += took - self._within.pop()
            self.calls[name] += 1
            if self._within:
                self._within[-1] += took

    def timed(self, owner: Any, method: str, name: str) -> Callable[[], None]:
        """Time a method from now on; return what ends that."""
        before = getattr(owner, method)

        @wraps(before)
        def measured(*arguments: Any, **named: Any) -> Any:
            with self.of(name):
                return before(*arguments, **named)

        setattr(owner, method, measured)
        return lambda: setattr(owner, method, before)


PARTS: Sequence[tuple[Any, str, str]] = (
    (driver.Queue, "next", "making jobs"),
    (Followed, "finished", "states, ledger and forecast"),
    (Followed, "used", "states, ledger and forecast"),
    (Followed, "tick", "the display's outlook"),
    (driver.Scheduler, "_submit", "submitting"),
    (driver.Scheduler, "_finish", "collecting"),
    (driver.Scheduler, "_look", "looking after engines"),
)
RAY_PARTS: Sequence[tuple[Any, str, str]] = (
    (RayBackend, "size", "packing jobs"),
    (RayBackend, "submit", "Ray's part of submitting"),
    (RayBackend, "ask_usage", "Ray's part of asking engines"),
    (RayBackend, "events", "Ray's part of collecting"),
)


def prepared(spec: RunSpec) -> tuple[Plan, RunRecord, Store]:
    """Return the plan, record and store of a run that begins or goes on."""
    plan = make_plan(spec)
    store = open_store(plan.spec.output)
    ident = identity(plan.resolved, plan.weights, plan.templates, plan.items)
    return plan, open_run(store, plan.resolved, ident, plan.items), store


class Idle:
    """A runner that does nothing, and says that it is done."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def run(self, job: bytes, shared: list[Any], engines: Any) -> ShardReport:
        """Return a report."""
        found = pickle.loads(job)
        return ShardReport(found.shard.id, len(found.items))


def on_ray(options: argparse.Namespace) -> list[Row]:
    """Do a run on a Ray that is started here."""
    found = []
    if options.what == "calls":
        ray_backend.Runner = Idle  # type: ignore[attr-defined]
    for shards in options.shards or [4000 if options.what == "calls" else 400]:
        with tempfile.TemporaryDirectory() as folder:
            found.append(_on_ray(Path(folder), shards, f"{options.what}: on Ray"))
    return found


def _on_ray(folder: Path, shards: int, kind: str) -> Row:
    options = simulate_fleet.make_parser().parse_args(
        ["--actors", "2", "--models", "2", "--tasks", "2", "--shards", str(shards)]
    )
    here = {"ray_address": None, "gpus": 0}
    data = make_spec(folder, options).model_dump()
    plan, run, store = prepared(RunSpec.model_validate(data | {"resources": data["resources"] | here}))
    lacking = FromStates(Jobs(plan, run), store)
    jobs = lacking.subjects()
    followed, times = Followed(lacking.forecast(jobs), lacking), Times()
    ends = [times.timed(*part) for part in (*PARTS, *RAY_PARTS)]
    listed: Any = jobs
    with ray_session(None, 4):
        began, wall = process_time(), time.monotonic()
        with times.of("the rest: the scheduler's loop, Ray's own threads"):
            run_jobs(plan, listed, followed)
        took, wall_s = process_time() - began, time.monotonic() - wall
    for end in ends:
        end()
    lacking.close()
    return {
        "kind": kind,
        "shards": followed.done,
        "driver, ms a shard": 1000 * took / followed.done,
        "its memory, MB": peak_mb(),
        "shards a second here": followed.done / wall_s,
        **{f"  {name}, ms": 1000 * seconds / followed.done for name, seconds in times.seconds.most_common()},
    }


def on_simulated(options: argparse.Namespace) -> list[Row]:
    """Do runs on machines that answer at once, each in a process of its own: it reports its peak of memory."""
    return [_elsewhere("_shards", n) for n in options.shards or [10_000, 100_000, 1_000_000]]


def _elsewhere(kind: str, shards: int, *more: str) -> Row:
    command = [sys.executable, __file__, kind, "--shards", str(shards), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def simulated_row(shards: int) -> Row:
    """Do a run of so many shards on 1,000 engines that take a second a shard."""
    options = simulate_fleet.make_parser().parse_args(
        f"--actors 1000 --shards {shards} --shard-s 1 --lifetime-h 0 --slow 0 --store-fails 0 --load-s 1".split()
    )
    times = Times()
    for part in PARTS:
        times.timed(*part)
    times.timed(simulate_fleet.Machines, "size", "packing jobs")
    times.timed(simulate_fleet.Machines, "events", "simulating machines")
    with tempfile.TemporaryDirectory() as folder:
        result = simulate_fleet.simulate(options, Path(folder))
    parts = {name: seconds for name, seconds in times.seconds.most_common() if name != "simulating machines"}
    return {
        "kind": "simulated machines",
        "shards": shards,
        "driver, ms a shard": 1000 * result.driving_s / shards,
        "its memory, MB": peak_mb(),
        "planning, processor s": result.planning_s,
        **{f"  {name}, ms": 1000 * seconds / shards for name, seconds in parts.items()},
    }


def resumes(options: argparse.Namespace) -> list[Row]:
    """Fabricate runs, and find what they lack."""
    found = []
    for shards in options.shards or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            fabricate(Path(folder), Size(shards, probe=True), done=0.9, ledger=True)
            named = ("--folder", folder)
            found.append({"kind": "with its ledger", **_elsewhere("_resume", shards, *named)})
            for one in (Path(folder) / "_ledger").iterdir():
                one.unlink()
            found.append({"kind": "from all commits", **_elsewhere("_resume", shards, *named)})
            found.append({"kind": "once more", **_elsewhere("_resume", shards, *named)})
    return found


def resume_row(folder: Path, shards: int) -> Row:
    """Find what a run lacks, up to its first job."""
    from fabricate_run import fleet_spec

    gc.collect()
    began, wall = process_time(), time.monotonic()
    plan, run, store = prepared(fleet_spec(folder, Size(shards, probe=True)))
    planned_s = time.monotonic() - wall
    lacking = FromStates(Jobs(plan, run), store)
    jobs = lacking.subjects()
    lacking.forecast(jobs)
    first = next(iter(jobs), None)
    wall_s, took = time.monotonic() - wall, process_time() - began
    lacking.close()
    return {
        "shards": shards,
        "left": len(jobs),
        "first job": "" if first is None else first.name,
        "wall, s": wall_s,
        "of that: the plan, s": planned_s,
        "processor, s": took,
        "its memory, MB": peak_mb(),
    }


def peak_mb() -> float:
    """Return this process's peak of memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(rows: Sequence[Row]) -> None:
    """Print rows side by side."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table("", *["" for _ in rows], show_header=False)
    for name in names:
        values = [row.get(name, "") for row in rows]
        table.add_row(name, *[f"{one:,.3f}" if isinstance(one, float) else str(one) for one in values])
    Console().print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("what", choices=["ray", "calls", "shards", "resume", "_shards", "_resume"])
    made.add_argument("--shards", type=int, nargs="+")
    made.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    made.add_argument("--json", type=Path, help="write all numbers here")
    options = made.parse_args(arguments)
    if options.what == "_shards":
        print(json.dumps(simulated_row(*options.shards)))
        return
    if options.what == "_resume":
        print(json.dumps(resume_row(options.folder, *options.shards)))
        return
    rows = {"ray": on_ray, "calls": on_ray, "shards": on_simulated, "resume": resumes}[options.what](options)
    show(rows)
    Console().print(f"Goal: {GOAL_MS:.1f} ms a shard, for 300 shards a second.")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
