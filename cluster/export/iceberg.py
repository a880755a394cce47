"""A run -> Apache Iceberg tables, by pyiceberg and whatever catalog its own configuration names.

In: a run's store, and the names of a catalog and a namespace. Out: the tables ``items``, ``chains`` and
``observations``. Each row also names its shard and a digest of the shard's commits, so the table itself says what it
holds: shards that it has with the same digest are left alone, one with another digest is replaced in one transaction
with its new rows. So exporting again adds what is new, and an export that was cut off goes on, table by table. Shards
are read some at a time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from cotfaith.cluster.export.committed import committed, digest_of
from cotfaith.cluster.export.table_files import PARTITION, SORTED_BY
from cotfaith.cluster.storage.ledger import Shard, ShardLog
from cotfaith.cluster.storage.read import tables_of
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunConflictError, SpecError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.tables import SCHEMA_VERSION, TABLES

_ROWS = ("items", "chains", "observations")
_SHARD, _COMMITS = "shard", "shard_commits"
"""The columns that say what a row is of."""
_BATCH_BYTES = 64 * 2**20


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
        SpecError: pyiceberg is not installed, has no such catalog, or a table there lacks our columns.
        RunFolderError: an object of the run is damaged, or not the run's.

    """
    logs = committed(store, run)
    there = _catalog(catalog)
    there.create_namespace_if_not_exists(namespace)
    tables = {name: _table(there, namespace, name) for name in _ROWS}
    wanted = {shard.id: f"{SCHEMA_VERSION}-{digest_of(log)}" for shard, log in logs.items()}
    held = {name: _held(table, run.run_id) for name, table in tables.items()}
    before = {name: sum(n for _, n in found.values()) for name, found in held.items()}
    for name, table in tables.items():
        _remove_gone(table, run.run_id, held[name].keys() - wanted.keys())
    lacking = {shard: _lacking(log, wanted[shard.id], shard.id, held) for shard, log in logs.items()}
    for batch in _batches({shard: log for shard, log in logs.items() if lacking[shard]}):
        rows = {shard: _marked(tables_of(store, [logs[shard]], run.run_id), shard, wanted) for shard in batch}
        for name, table in tables.items():
            found = {shard: rows[shard][name] for shard in batch if name in lacking[shard]}
            _put(table, run.run_id, found, {shard.id for shard in found} & held[name].keys())
    now = {name: sum(n for _, n in _held(table, run.run_id).values()) for name, table in tables.items()}
    return {name: Appended(now[name], now[name] - before[name]) for name in _ROWS}


def _catalog(name: str) -> Any:
    try:
        from pyiceberg.catalog import load_catalog
    except ImportError:
        raise SpecError("--to iceberg needs pyiceberg. Install it: pip install 'cotfaith[iceberg]'") from None
    try:
        return load_catalog(name)
    except (ValueError, KeyError, ImportError) as error:
        raise SpecError(
            f"--catalog {name!r}: pyiceberg cannot load it: {error}. Name it in ~/.pyiceberg.yaml."
        ) from None


def _schema(name: str) -> pa.Schema:
    """Return the table's columns, all of which can be null but the first ones: tables gain columns later."""
    own = [pa.field(field.name, field.type) for field in TABLES[name]]
    return pa.schema([*own, pa.field(_SHARD, pa.string()), pa.field(_COMMITS, pa.string())])


def _table(catalog: Any, namespace: str, name: str) -> Any:
    """Return the table; a new one is partitioned by run, one of an older version gains the columns that it lacks."""
    if not catalog.table_exists((namespace, name)):
        table = catalog.create_table((namespace, name), schema=_schema(name))
        with table.update_spec() as spec:
            spec.add_identity(PARTITION)
        return table
    table = catalog.load_table((namespace, name))
    if {_SHARD, _COMMITS} - {field.name for field in table.schema().fields}:
        raise SpecError(f"{namespace}.{name} is not a table of an export. Use another --namespace.")
    with table.update_schema() as update:
        update.union_by_name(_schema(name))
    return table


def _held(table: Any, run_id: str) -> dict[str, tuple[str, int]]:
    """Return shard -> the digest of its commits, and its rows, of what the table holds of a run."""
    from pyiceberg.expressions import EqualTo

    table.refresh()
    digests, rows = dict[str, str](), Counter[str]()
    for batch in table.scan(EqualTo(PARTITION, run_id), selected_fields=(_SHARD, _COMMITS)).to_arrow_batch_reader():
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame), "two columns are a frame"
        for shard, commits, n in frame.group_by(_SHARD, _COMMITS).len().iter_rows():
            digests[shard] = commits if digests.get(shard, commits) == commits else ""  # two digests: neither is right
            rows[shard] += n
    return {shard: (digest, rows[shard]) for shard, digest in digests.items()}


def _lacking(log: ShardLog, digest: str, shard: str, held: Mapping[str, Mapping[str, tuple[str, int]]]) -> set[str]:
    """Return the tables that lack a shard's rows, or have older ones; a table that it has no rows of lacks none."""
    found = {part.table for commit in log.commits for part in commit.parts if part.rows}
    return {name for name in found if held[name].get(shard, ("", 0))[0] != digest}


def _batches(logs: Mapping[Shard, ShardLog]) -> Iterator[list[Shard]]:
    """Yield the shards that are read together: at least one."""
    batch, size = list[Shard](), 0
    for shard, log in logs.items():
        batch.append(shard)
        size += sum(part.bytes for commit in log.commits for part in commit.parts)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _marked(tables: Mapping[str, pl.DataFrame], shard: Shard, wanted: Mapping[str, str]) -> dict[str, pa.Table]:
    """Return a shard's rows, sorted by the table's key, with the columns that say what they are of."""
    about = [pl.lit(shard.id).alias(_SHARD), pl.lit(wanted[shard.id]).alias(_COMMITS)]
    found = {name: tables[name].sort(SORTED_BY[name]).with_columns(about).to_arrow() for name in _ROWS}
    return {name: rows.select(_schema(name).names).cast(_schema(name)) for name, rows in found.items()}


def _put(table: Any, run_id: str, rows: Mapping[Shard, pa.Table], replaced: set[str]) -> None:
    """Write the rows of some shards in one transaction, in place of those that the table has of ``replaced``."""
    from pyiceberg.exceptions import CommitFailedException

    if not rows:
        return
    try:
        with table.transaction() as change:
            if replaced:
                change.delete(_of(run_id, replaced))
            change.append(pa.concat_tables(rows.values()))
    except CommitFailedException as error:
        raise RunConflictError(f"The table was changed at the same time: {error}. Export again.") from None


def _remove_gone(table: Any, run_id: str, shards: set[str]) -> None:
    if shards:
        table.delete(_of(run_id, shards))


def _of(run_id: str, shards: set[str]) -> Any:
    from pyiceberg.expressions import And, EqualTo, In

    return And(EqualTo(PARTITION, run_id), In(_SHARD, shards))
