"""Writes runs and tables as old versions of cotfaith did (schema versions 2 to 5).

An old run had one commit for each strategy and range of items, and for each probe (and reader) on it, flat in
``_commits/``; parts lay in folders by model, task and probe, and one shard size held for the whole run.
"""

import hashlib
import io
import json
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.tables import ITEMS, TABLES

_SINCE_5 = {"items": ["supplied_channel"], "chains": [], "observations": ["read_share"]}
_SINCE_4 = {
    "items": ITEMS.names[ITEMS.names.index("hint") :],
    "chains": ["variant", "intervention", "target", "channel", "no_cot_mechanism"],
    "observations": [
        *_SINCE_5["observations"],
        *("condition", "shown_choices", "reader_role", "question", "label", "score", "quote", "quote_found"),
        *("text_hash", "hint_asked", "weight", "variant", "intervention", "target", "channel", "no_cot_mechanism"),
    ],
}
_SINCE_3 = ("tied", "gap", "near_tie", "edit_seeds")
SINCE = {
    5: _SINCE_5,
    4: _SINCE_5,
    3: _SINCE_4,
    2: {name: [*columns, *_SINCE_3] for name, columns in _SINCE_4.items()},
}
"""Version -> the columns of each table that it did not have."""


def as_version(version, table, name, **columns):
    """Make a table what this version wrote, with other values in the columns that are named."""
    table = table.drop_columns([column for column in SINCE[version][name] if column in table.column_names])
    for column, values in ({"schema_version": [version] * table.num_rows} | columns).items():
        field = table.schema.field(column)
        table = table.set_column(table.column_names.index(column), field, pa.array(values, field.type))
    return table.replace_schema_metadata({**TABLES[name].metadata, b"cotfaith.schema_version": str(version).encode()})


def old_id(model, task, strategy, start, stop):
    """The name of an old shard."""
    return f"{model}~{task}~{strategy}~{start:07d}-{stop:07d}"


def old_key(shard, probe=None, reader=None):
    """The key of an old commit."""
    return f"_commits/{shard}{'' if probe is None else '.' + probe}{'' if reader is None else '/' + reader}.json"


def make_old(folder, version):
    """Turn a finished run into what this version would have written; its shards have one size."""
    store = LocalStore(Path(folder))
    run, tables, found = load_run(store), read_tables(store), read_ledger(store)
    logs = [
        (shard, log, next(iter(log.live[log.pieces[0]].values())).commit.items) for shard, log in found.logs.items()
    ]
    for prefix in ("_commits/", "_parts/"):
        for key in list(store.list(prefix)):
            store.delete(key)
    for shard, log, items in logs:
        for piece in log.pieces:
            _write_piece(store, shard, piece, items, tables, version)
    store.put("run.json", json.dumps(old_run(run.data(), version), indent=2).encode())


def old_run(content, version):
    """Return the run.json that this version would have written."""
    ranges = content.pop("ranges")
    limit, identity = content.pop("max_tokens"), content["identity"]
    tasks = {name: own | {"items": "0" * 64} for name, own in identity["tasks"].items()}
    identity |= {"sampling": identity["sampling"] | {"max_tokens": limit}, "tasks": tasks}
    sizes = {one["shard_size"] for own in ranges.values() for one in own}
    (size,) = sizes
    counts = {name: own[-1]["stop"] for name, own in ranges.items()}
    return content | {"schema_version": version, "identity": identity, "shard_size": size, "n_items": counts}


def _write_piece(store, shard, piece, items, tables, version):
    """Write the rows of one piece of a shard, and their commit."""
    name = "chains" if piece.probe is None else "observations"
    own = pl.col("model").eq(shard.model) & pl.col("task").eq(shard.task) & pl.col("item_id").is_in(items)
    kept = tables[name].filter(own & pl.col("strategy").eq(piece.strategy))
    if piece.probe is not None:
        kept = kept.filter(pl.col("probe").eq(piece.probe) & pl.col("reader").eq_missing(pl.lit(piece.reader)))
    rows = {name: kept} | ({"items": tables["items"].filter(own)} if piece.probe is None else {})
    write_commit(store, shard, piece, {table: as_arrow(frame, table) for table, frame in rows.items()}, version)


def as_arrow(frame, name):
    """Return a table's rows as Arrow has them in a part."""
    return frame.to_arrow().cast(TABLES[name])


def write_commit(store, shard, piece, tables, version=4):
    """Write parts, and the commit that names them, as an old version did; return the commit's key."""
    name = old_id(shard.model, shard.task, piece.strategy, shard.start, shard.stop)
    key = old_key(name, piece.probe, piece.reader)
    content = {
        "key": key,
        "shard": name,
        **{"model": shard.model, "task": shard.task, "strategy": piece.strategy},
        **{"start": shard.start, "stop": shard.stop, "probe": piece.probe, "reader": piece.reader},
        "attempt": _attempt(piece),
        "parts": [_part(store, shard, piece, name, table, rows, version) for table, rows in tables.items()],
        "statuses": dict(
            Counter(row for one in tables.values() if "status" in one.column_names for row in one["status"].to_pylist())
        ),
        **{"began": 1000.5, "seconds": 2.0, "timed_with": [] if piece.probe is None else [piece.probe]},
        "tokens": {"subject": 7},
    }
    store.put(key, json.dumps(content, indent=1).encode())
    return key


def _part(store, shard, piece, name, table, rows, version):
    probe = "" if piece.probe is None else f"probe={piece.probe}/"
    key = f"{table}/model={shard.model}/task={shard.task}/{probe}{name}-{_attempt(piece)}.parquet"
    buffer = io.BytesIO()
    pq.write_table(as_version(version, rows, table), buffer)
    data = buffer.getvalue()
    store.put(key, data)
    return {
        "table": table,
        "key": key,
        "rows": rows.num_rows,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _attempt(piece):
    """Each reader's attempt had an id of its own: their parts lay in one folder."""
    return hashlib.sha256(str(piece.reader).encode()).hexdigest()[:8]
