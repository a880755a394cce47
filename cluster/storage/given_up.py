"""Shards that were given up: recorded in the run's folder, so that whoever reads it later learns of them and why.

One object a shard (or reader's part of it), written over when it is given up again. It is out of date once the shard is
committed: whoever lists them asks for those that are still missing.
"""

import json
from datetime import UTC, datetime
from typing import Any

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.storage.read import objects
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_folder import parse_given_up


def record_given_up(store: Store, job: Job, reason: str, attempts: int) -> None:
    """Write that ``job`` failed every attempt."""
    probe = job.probes[0] if job.reader is not None else None  # a reader's job is one probe
    key = keys.given_up(job.shard.id, probe, job.reader)
    record = {
        **job.shard.entry(key, probe, job.reader),
        "name": job.name,
        "reason": reason,
        "attempts": attempts,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    store.put(key, json.dumps(record, indent=1).encode())


def given_up(store: Store) -> list[dict[str, Any]]:
    """Return all records, in the order of their keys; raise ``RunFolderError`` where one is something else."""
    found = ((key, store.get(key)) for key in objects(store, keys.GIVEN_UP))
    return [parse_given_up(data, key) for key, data in found if data is not None]
