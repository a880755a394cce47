"""A run -> Apache Iceberg tables, by pyiceberg and whatever catalog its own configuration names.

In: a run's store, and the names of a catalog and a namespace. Out: the tables ``items``, ``chains`` and
``observations``. Each row also names its shard and a digest of the shard's commits, so the table itself says what it
holds: shards that it has with the same digest are left alone, one with another digest is replaced in one transaction
with its new rows. So exporting again adds what is new, and an export that was cut off goes on, table by table. Shards
are read some at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from cotfaith.cluster.export.catalogs import failures, load_catalog
from cotfaith.cluster.export.committed import committed, digest_of
from cotfaith.cluster.export.run_table import COMMITS, SHARD, RunTable, table_schema
from cotfaith.cluster.export.table_files import SORTED_BY
from cotfaith.cluster.storage.ledger import Shard, ShardLog
from cotfaith.cluster.storage.read import tables_of
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.tables import SCHEMA_VERSION

_ROWS = ("items", "chains", "observations")
_BATCH_BYTES = 16 * 2**20
"""Bytes of parts that are read together, and put in one transaction."""
_BATCH_ROWS = 250_000


@dataclass(frozen=True)
class Appended:
    """What an export did to one table."""

    rows: int
    """The run's rows in it now."""
    added: int
    """These, less those that were there before."""


def export_iceberg(store: Store, run: RunRecord, catalog: str, namespace: str) -> dict[str, Appended]:
    """Bring the tables up to date with the run's commits; make them, and the namespace, if they are not there.

    Raises:
        SpecError: pyiceberg is not installed, has no such catalog, or a table there lacks our columns, or holds rows
            of the run by a newer version.
        StoreError: the catalog or its storage failed.
        RunFolderError: an object of the run is damaged, or not the run's.
        RunConflictError: another export of the run worked on the tables at the same time.

    """
    there = load_catalog(catalog)
    with failures(catalog, there.properties):
        return _export(store, run, there, namespace)


def _export(store: Store, run: RunRecord, catalog: Any, namespace: str) -> dict[str, Appended]:
    """Look at the tables before the commits: what they hold then is never newer than what is read of the run."""
    found = {name: RunTable.found(catalog, namespace, name, run.run_id) for name in _ROWS}
    logs = committed(store, run)
    wanted = {shard.id: f"{SCHEMA_VERSION}-{digest_of(log)}" for shard, log in logs.items()}
    for name, one in found.items():
        _check_not_newer(name, one)
    catalog.create_namespace_if_not_exists(namespace)
    tables = {name: one or RunTable.made(catalog, namespace, name, run.run_id) for name, one in found.items()}
    before = {name: table.rows for name, table in tables.items()}
    for table in tables.values():
        table.add_columns()
        table.put({}, wanted, gone=table.held.keys() - wanted.keys())
    lacking = {shard: _lacking(log, wanted[shard.id], shard.id, tables) for shard, log in logs.items()}
    for batch in _batches({shard: log for shard, log in logs.items() if lacking[shard]}):
        rows = {shard: _marked(tables_of(store, [logs[shard]], run.run_id), shard, wanted) for shard in batch}
        for name, table in tables.items():
            table.put({shard.id: rows[shard][name] for shard in batch if name in lacking[shard]}, wanted)
    return {name: Appended(table.rows, table.rows - before[name]) for name, table in tables.items()}


def _check_not_newer(name: str, table: RunTable | None) -> None:
    """Raise if rows of the run are there that a newer cotfaith wrote: ours would lack columns."""
    digests = [] if table is None else [digest for digest, _ in table.held.values()]
    versions = [(digest or "").partition("-")[0] for digest in digests]
    newest = max((int(one) for one in versions if one.isdecimal()), default=0)
    if newest > SCHEMA_VERSION:
        raise SpecError(
            f"{name}: a newer cotfaith exported this run there (version {newest} of the columns; this one writes "
            f"{SCHEMA_VERSION}). Export with that one, or use another --namespace."
        )


def _lacking(log: ShardLog, digest: str, shard: str, tables: Mapping[str, RunTable]) -> set[str]:
    """Return the tables that lack a shard's rows, or have older ones; a table that it has no rows of lacks none."""
    found = {part.table for commit in log.commits for part in commit.parts if part.rows}
    return {name for name in found if tables[name].held.get(shard, ("", 0))[0] != digest}


def _batches(logs: Mapping[Shard, ShardLog]) -> Iterator[list[Shard]]:
    """Yield the shards that are read together: at least one."""
    batch, n_bytes, n_rows = list[Shard](), 0, 0
    for shard, log in logs.items():
        parts = [part for commit in log.commits for part in commit.parts]
        batch.append(shard)
        n_bytes += sum(part.bytes for part in parts)
        n_rows += sum(part.rows for part in parts)
        if n_bytes >= _BATCH_BYTES or n_rows >= _BATCH_ROWS:
            yield batch
            batch, n_bytes, n_rows = [], 0, 0
    if batch:
        yield batch


def _marked(tables: Mapping[str, pl.DataFrame], shard: Shard, wanted: Mapping[str, str]) -> dict[str, pa.Table]:
    """Return a shard's rows, sorted by the table's key, with the columns that say what they are of."""
    about = [pl.lit(shard.id).alias(SHARD), pl.lit(wanted[shard.id]).alias(COMMITS)]
    found = {name: tables[name].sort(SORTED_BY[name]).with_columns(about).to_arrow() for name in _ROWS}
    return {name: rows.select(table_schema(name).names).cast(table_schema(name)) for name, rows in found.items()}
