"""A run's folder with many commits that no engine made, for measurements of what reads or plans it.

    python benchmarks/fabricate_run.py FOLDER --shards 100000 [--done 0.5] [--probe] [--ledger]

In: how many shards, and the share that is done. Out: a folder whose run.json and commits are those of stub models on
one-item shards: chains, and with ``--probe`` a second commit of a probe on them. It has no parts, so its rows cannot be
read. Commits are valid, and differ only in names and digests. ``--ledger`` also writes what a driver would have kept
beside them. What is there already stays, so that a folder can grow. Files are not flushed to disk.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import Plan, make_plan
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage import segments
from cotfaith.cluster.storage.ledger import Shard, log_of
from cotfaith.cluster.storage.segments import Entry, entry_of, short, table_of
from cotfaith.cluster.storage.store import Store, open_store
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import ChainTexts, Commit, Part, Piece, PieceName, RunRecord, TableName
from cotfaith.schemas.spec import RunSpec, parse_spec

PROBE = "no_cot"
ATTEMPT = "0" * 12
SETTLED_S = 2.5
"""After so many seconds without a change a folder has a tag."""


@dataclass(frozen=True)
class Size:
    """What a run has."""

    shards: int
    models: int = 10
    tasks: int = 30
    probe: bool = False


def fleet_spec(folder: Path, size: Size) -> RunSpec:
    """Return the spec of a run with about so many shards of one item."""
    items = max(1, round(size.shards / size.models / size.tasks))
    return parse_spec(
        {
            "models": [{"id": f"model-{at:02}-72B-Instruct", "engine": "stub"} for at in range(size.models)],
            "tasks": [{"name": f"task_{at:02}", "generator": "addition", "n": items} for at in range(size.tasks)],
            "probes": [PROBE] * size.probe,
            "resources": {"shard_size": 1},
            "output": {"path": str(folder)},
        }
    )


def fabricate(folder: Path, size: Size, done: float, ledger: bool = False) -> tuple[Plan, RunRecord]:
    """Write the folder; return its plan and its record. The first shards of each task are done."""
    plan = make_plan(fleet_spec(folder, size))
    store = open_store(plan.spec.output)
    run = open_run(store, plan.resolved, identity(plan.resolved, plan.weights, plan.templates, plan.items), plan.items)
    for group in plan.groups:
        bounds = run.shards(group[1])
        for start, stop in bounds[: round(done * len(bounds))]:
            _write_shard(folder, Shard(*group, start, stop), plan.items[group[1]][start].id, 1 + size.probe)
    if ledger:
        time.sleep(SETTLED_S)
        segments.forget(store)
        segments.write(store, run.run_id, _tables(plan, run, store, 1 + size.probe))
    return plan, run


def _write_shard(folder: Path, shard: Shard, item: str, commits: int) -> None:
    place = folder / keys.commit_folder(shard.id)
    if not place.exists():
        place.mkdir(parents=True)
        for generation, text in enumerate(_commits(shard, item, commits)):
            (place / f"{generation:05d}.json").write_text(text)


def _tables(plan: Plan, run: RunRecord, store: Store, commits: int) -> Iterator[pa.Table]:
    """Yield the ledger's entries, of one group after another."""
    for group in plan.groups:
        entries: list[Entry] = []
        for name, tag in store.tagged_folders(f"{keys.COMMITS}{'/'.join(group)}/"):
            shard = Shard(*group, int(name.split("-")[0]), int(name.split("-")[1]))
            assert tag is not None, "folders have settled"
            log = log_of(_commit(generation, shard, "item") for generation in range(0 if entries else commits))
            one = entries[0] if entries else entry_of(shard, log, ())
            entries.append(replace(one, shard=shard, tag=short(tag)))
        yield table_of(entries)


_TEMPLATES: list[dict[str, Any]] = []


def _commits(shard: Shard, item: str, commits: int) -> Iterator[str]:
    """Yield the commits of a shard's chains, and of the probe on them; only their names and digests are new."""
    if not _TEMPLATES:
        _TEMPLATES.extend(_commit(generation, shard, item).data() for generation in range(2))
    for generation, template in enumerate(_TEMPLATES[:commits]):
        named = template | shard._asdict() | {"key": keys.commit(shard.id, generation), "items": [item]}
        named["parts"] = [one | {"key": keys.part(one["table"], shard.id, ATTEMPT)} for one in template["parts"]]
        named.pop("sha256", None)
        yield json.dumps(named | {"sha256": hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()})


def _commit(generation: int, shard: Shard, item: str) -> Commit:
    tables: tuple[TableName, ...] = ("observations",) if generation else ("items", "chains")
    piece = PieceName("cot", probe=PROBE if generation else None)
    return Commit(
        **shard._asdict(),
        key=keys.commit(shard.id, generation),
        generation=generation,
        attempt=ATTEMPT,
        items=[item],
        pieces=[Piece(**piece._asdict(), statuses={"ok": [1]})],
        texts=[ChainTexts(strategy="cot", hashes=[["0" * 16]])],
        parts=[
            Part(table=name, key=keys.part(name, shard.id, ATTEMPT), rows=1, bytes=1000, sha256="0" * 64)
            for name in tables
        ],
        max_tokens=256,
        began=0.0,
        seconds=60.0,
        timed_with=[PROBE] * generation,
        tokens={"subject": 1000},
    ).sealed()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a folder, and say what it holds."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("folder", type=Path)
    made.add_argument("--shards", type=int, default=10_000)
    made.add_argument("--done", type=float, default=1.0, help="the share of shards that is done")
    made.add_argument("--models", type=int, default=10)
    made.add_argument("--tasks", type=int, default=30)
    made.add_argument("--probe", action="store_true", help="a second commit a shard")
    made.add_argument("--ledger", action="store_true", help="also write the ledger beside the commits")
    options = made.parse_args(arguments)
    size = Size(options.shards, options.models, options.tasks, options.probe)
    plan, run = fabricate(options.folder, size, options.done, options.ledger)
    print(f"{options.folder}: {sum(run.n_shards(task) for _, task in plan.groups)} shards")


if __name__ == "__main__":
    main()
