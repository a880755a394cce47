"""Estimates of a large run, from kept sums and from rows, beside a plain scan of the same rows.

    python benchmarks/aggregate.py [--rows 100000 1000000] [--folder FOLDER] [--json FILE]

A run of stub models with all probes is made once. Its rows are written again and again under new item ids, shard by
shard, by the product's own writer, so that every object is one that the product verifies. Each range of items is then
summed as the job that completes it does (``cluster/fleet/range_sums.py``); the processor time of that is stated by
range. Then a process each reads the run: ``plain``, one streaming group-by over the observations (mean by chain, sum by
item, then the sums that an interval needs), which computes one share of each probe and checks nothing; ``sums``,
`cotfaith aggregate` with the sums that are kept; ``rows``, the same without them, which makes and keeps them. It takes
no weights. The seconds leave out the start of the process and imports; the memory is the largest of the process.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pyarrow as pa

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.range_sums import keep_sums
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.fleet.writer import Draft, Effort, Writer
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage.batches import ranges
from cotfaith.cluster.storage.ledger import Shard, ShardLog, Wanted
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.parquet import read_parquet
from cotfaith.schemas.run_objects import Commit, RunRecord
from cotfaith.schemas.spec import RunSpec, parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.probes import PROBES
from cotfaith.workers.shard.rows import chains_from_table

ITEMS = 16
"""Items of the run whose rows are repeated."""
SHARD_ITEMS = 256
"""Items of a shard of the large run."""
PLACE = ("task", "start", "stop")
GROUP = ["model", "task", "strategy", "probe"]


def spec(folder: Path) -> RunSpec:
    """Return a run of all probes that need no judge, with a hint, two models and two chains an item."""
    probes = [{"name": name, **OPTIONS.get(name, {})} for name, one in PROBES.items() if one.reader_role == "reader"]
    content = {
        "models": [
            {"id": "reads", "engine": "stub", "options": {"max_steps": 6}},
            {"id": "ignores", "engine": "stub", "options": {"relies_on": "question", "max_steps": 6}},
        ],
        "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": ITEMS}],
        "interventions": [{"name": "hint_metadata"}],
        "sampling": {"chains_per_item": 2},
        "probes": probes,
        "resources": {"shard_size": ITEMS},
        "output": {"path": str(folder)},
    }
    return parse_spec(content)


OPTIONS: dict[str, dict[str, Any]] = {"resampling": {"options": {"rollouts": 4}}}


def small_run(folder: Path) -> LocalStore:
    """Do the run in this process, without Ray."""

    def run_here(plan: Any, jobs: Any, *_: object) -> RunOutcome:
        for job in jobs:
            run_job(job, {"subject": StubEngine(plan.model(job.model))})
        return RunOutcome(done=len(jobs))

    with ExitStack() as stack:
        stack.enter_context(patch("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext()))
        stack.enter_context(patch("cotfaith.cluster.fleet.run.run_jobs", run_here))
        execute(spec(folder))
    return LocalStore(folder)


def large_run(small: LocalStore, folder: Path, n_rows: int) -> LocalStore:
    """Write a run of at least ``n_rows`` observations."""
    store, run = LocalStore(folder), load_run(small)
    assert run is not None, "the small run was just made"
    logs = read_ledger(small).logs
    rows = sum(part.rows for log in logs.values() for c in log.commits for part in c.parts if part.table[0] == "o")
    n_shards = max(1, round(n_rows / (rows * SHARD_ITEMS / ITEMS)))
    store.put(keys.RUN, _grown(run, n_shards * SHARD_ITEMS).as_json())
    for shard, log in logs.items():
        tables = [(commit, dict(_tables(small, commit))) for commit in log.commits]
        texts = pa.concat_tables([table["chains"] for _, table in tables if "chains" in table])
        for n in range(n_shards):
            _write_shard(store, Shard(shard.model, shard.task, n * SHARD_ITEMS, (n + 1) * SHARD_ITEMS), tables, texts)
    return store


def sum_ranges(folder: str) -> int:
    """Keep the sums of each range, as the job that completes it does; return their number."""
    store = LocalStore(Path(folder))
    run = load_run(store)
    assert run is not None, "there is a run"
    return sum(_summed(store, run, logs) for logs in ranges(read_ledger(store, run)).values())


def _summed(store: LocalStore, run: RunRecord, logs: Sequence[ShardLog]) -> bool:
    """Do what ``range_sums`` does at the end of a range's last job."""
    shards = {Shard(log.commits[0].model, *(getattr(log.commits[0], one) for one in PLACE)): log for log in logs}
    last = list(shards)[-1]
    pieces = {shard.model: frozenset(log.pieces) for shard, log in shards.items()}
    job = Job(run.run_id, spec(store.root), last, (), Wanted(frozenset()), of_range=pieces)
    return keep_sums(job, store, shards[last])


def _grown(run: RunRecord, n: int) -> RunRecord:
    (task,) = run.ranges
    grown = run.ranges[task][0].model_copy(update={"stop": n, "shard_size": SHARD_ITEMS})
    return run.model_copy(update={"ranges": {task: [grown]}})


def _tables(store: LocalStore, commit: Commit) -> Iterator[tuple[Any, pa.Table]]:
    for part in commit.parts:
        data = store.get(part.key)
        assert data is not None, "the small run was just made"
        yield part.table, read_parquet(data)


def _write_shard(store: LocalStore, shard: Shard, found: list[tuple[Commit, Any]], texts: pa.Table) -> None:
    log, copies = ShardLog(), range(shard.start, shard.stop, ITEMS)
    chains = chains_from_table(_repeated(texts, copies))
    for commit, tables in found:
        made = {name: _repeated(table, copies) for name, table in tables.items()}
        items = [f"{item}-{at}" for at in copies for item in commit.items]
        effort = Effort(0.0, 0.0, (), {})
        draft = Draft(items, [piece.name for piece in commit.pieces], made, chains, effort, commit.max_tokens)
        written = Writer(store, shard).commit(draft, log)
        assert written is not None, "nothing else writes here"
        log = ShardLog((*log.commits, written))


def _repeated(table: pa.Table, copies: range) -> pa.Table:
    """Return the rows once for each copy, under the ids of its items."""
    at, ids = table.column_names.index("item_id"), table.column("item_id").to_pylist()
    one = [table.set_column(at, table.field("item_id"), pa.array([f"{i}-{copy}" for i in ids])) for copy in copies]
    return pa.concat_tables(one)


def plain(folder: str) -> int:
    """Scan the observations once; return their number."""
    right = pl.when(pl.col("status") == "ok").then("correct").cast(pl.Float64)
    chains = pl.scan_parquet(_observations(folder))
    by_chain = chains.group_by(*GROUP, "item_id", "chain_index").agg(right.mean().alias("value"), pl.len().alias("n"))
    by_item = by_chain.group_by(*GROUP, "item_id").agg(
        pl.col("value").sum().alias("num"), pl.col("value").count().alias("den"), pl.col("n").sum()
    )
    num, den = pl.col("num"), pl.col("den").cast(pl.Float64)
    sums = {"n": num.sum(), "d": den.sum(), "nn": (num * num).sum(), "nd": (num * den).sum(), "dd": (den * den).sum()}
    found = by_item.group_by(GROUP).agg(rows=pl.col("n").sum(), **{f"sum_{k}": v for k, v in sums.items()})
    return int(found.collect(engine="streaming")["rows"].sum())


def _observations(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder, keys.PARTS).rglob("*.observations"))


def estimates(folder: str) -> int:
    """Write the estimates; return their number."""
    store = LocalStore(Path(folder))
    run = load_run(store)
    assert run is not None, "there is a run"
    return int(write_estimates(store, run).num_rows)


def from_rows(folder: str) -> int:
    """Write the estimates without the sums that are kept."""
    shutil.rmtree(Path(folder, keys.SUMS), ignore_errors=True)
    return estimates(folder)


WAYS: dict[str, Callable[[str], int]] = {
    "summing": sum_ranges,
    "plain": plain,
    "sums": estimates,
    "rows": from_rows,
}


def measured(way: str, folder: Path) -> dict[str, float]:
    """Return seconds, MB and what the way counted, from a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--way", way, "--folder", str(folder)], stdout=subprocess.PIPE)
    assert done.returncode == 0, f"{way} failed"
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure_here(way: str, folder: str) -> None:
    before, start = os.times(), time.perf_counter()
    count = WAYS[way](folder)
    seconds, after = time.perf_counter() - start, os.times()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    busy = after.user + after.system - before.user - before.system
    print(json.dumps({"seconds": seconds, "cpu_seconds": busy, "peak_mb": memory, "count": count}))


def _compared(small: LocalStore, folder: Path, n_rows: int) -> dict[str, Any]:
    large_run(small, folder, n_rows)
    found = {way: measured(way, folder) for way in WAYS}
    kept = sum(path.stat().st_size for path in Path(folder, keys.SUMS).rglob("*.zip"))
    rows, ranges = int(found["plain"]["count"]), int(found["summing"]["count"])
    by_range = 1000 * found["summing"]["cpu_seconds"] / ranges
    print(f"{rows:,} rows, {ranges} ranges: each summed in {by_range:.0f} ms of CPU; all sums {kept / 1e6:.1f} MB")
    for way, one in found.items():
        ratio = one["cpu_seconds"] / found["plain"]["cpu_seconds"]
        seconds = f"{one['seconds']:7.1f} s, {one['cpu_seconds']:7.1f} s of CPU ({ratio:5.1f} times plain)"
        print(f"  {way:8} {seconds}, {one['peak_mb']:6.0f} MB", flush=True)
    assert found["sums"]["count"] == found["rows"]["count"], "both have all estimates"
    return {"rows": rows, "ranges": ranges, "kept_bytes": kept, **found}


def main() -> None:
    """Make the runs, time both ways and print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000], help="observations, at least about as many")
    parser.add_argument("--folder", help="where runs are kept; default: a temporary folder")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--way", choices=WAYS, help="time one way on the run in --folder, in this process")
    options = parser.parse_args()
    if options.way:
        _measure_here(options.way, options.folder)
        return
    with tempfile.TemporaryDirectory() as made:
        top = Path(options.folder or made)
        small = small_run(top / "small")
        found = [_compared(small, top / f"rows-{n}", n) for n in options.rows]
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
