"""Run records, commits and quarantined items for tests that need only a part of them."""

from cotfaith.cluster.storage.ledger import ledger_of, log_of
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import Commit, PieceName, Quarantined, RunRecord


def run_record(
    n=5, size=2, models=("m",), tasks=("t",), probes=(), strategies=("cot",), readers=None, helpers=(), **more
):
    """The run.json of a run with ``n`` items per task."""
    roles = dict.fromkeys(models, "subject") | dict.fromkeys(helpers, "editor")
    content = {
        "schema_version": 5,
        "run_id": "r",
        "created": "2026-01-02T03:04:05+00:00",
        "identity": {
            "seed": 0,
            "sampling": {},
            "models": {name: {} for name in roles},
            "tasks": {name: {} for name in tasks},
            "strategies": dict.fromkeys(strategies),
            "probes": {name: {} for name in probes},
        },
        "ranges": {name: [{"start": 0, "stop": n, "shard_size": size, "items": ""}] for name in tasks},
        "readers": readers or {},
        "spec": {
            "seed": 0,
            "models": [{"id": name, "source": "", "roles": [role]} for name, role in roles.items()],
            "tasks": [{"name": name} for name in tasks],
            "probes": [{"name": name} for name in probes],
            "strategies": list(strategies),
        },
    }
    return RunRecord.model_validate(content | more)


def commit(
    start=0,
    stop=2,
    probe=None,
    reader=None,
    *,
    model="m",
    task="t",
    strategies=("cot",),
    pieces=None,
    items=None,
    generation=0,
    text="",
    statuses=None,
    cut=(),
    **more,
):
    """A commit of one piece for each of ``strategies``, or of ``pieces``.

    Items are ``i0``, ``i1`` and so on, by their place in the task; ``text`` is the hash of each item's only chain, or
    maps items to them. ``statuses`` are of each piece; ``cut`` names items of each piece. The parts are keys only.
    """
    names = list(pieces or (PieceName(strategy, probe=probe, reader=reader) for strategy in strategies))
    ids = [f"i{at}" for at in range(start, stop)] if items is None else list(items)
    of_item = text if isinstance(text, dict) else dict.fromkeys(ids, text)
    shard, attempt = keys.shard_id(model, task, start, stop), f"a{generation}"
    content = {
        "key": keys.commit(shard, generation),
        **{"model": model, "task": task, "start": start, "stop": stop},
        "generation": generation,
        "attempt": attempt,
        "items": ids,
        "pieces": [
            {
                **name._asdict(),
                "statuses": statuses or {"ok": [1] * len(ids)},
                "cut": [at for at, item in enumerate(ids) if item in cut],
            }
            for name in names
        ],
        "texts": [
            {"strategy": strategy, "variant": variant, "hashes": [[of_item[item]] for item in ids]}
            for strategy, variant in dict.fromkeys(name[:2] for name in names)
        ],
        "parts": [
            {"table": table, "key": keys.part(table, shard, attempt), "rows": 0, "bytes": 0, "sha256": "0" * 64}
            for table in (("items", "chains") if names[0].probe is None else ("observations",))
        ],
    }
    return Commit.model_validate(content | more)


def ledger(*found):
    """The ledger of some commits."""
    return ledger_of(found)


def log(*found):
    """The log of some commits of one shard."""
    return log_of(found)


def quarantined(index, reader=None, reason="lost", start=0, stop=2):
    """The record of an item that was quarantined."""
    about = {"model": "m", "task": "t", "start": start, "stop": stop, "item": f"i{index}", "index": index}
    key = keys.quarantine(keys.shard_id("m", "t", start, stop), index, reader)
    more = {"key": key, "reader": reader, "reason": reason, "attempts": 3, "at": "2026-01-02"}
    return Quarantined.model_validate(about | more)
