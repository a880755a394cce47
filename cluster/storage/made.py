"""The tables that commands make of a run's rows, estimates, comparisons and verdicts: read and checked."""

import pyarrow as pa

from cotfaith.cluster.storage.parts import in_schema
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.parquet import read_parquet

_MADE = {
    "estimates": (keys.ESTIMATES, "aggregate"),
    "comparisons": (keys.COMPARISONS, "aggregate"),
    "verdicts": (keys.VERDICTS, "gate"),
}


def made_table(store: Store, run_id: str, name: str) -> pa.Table | None:
    """Return the table ``name`` in its schema; None if no command has made it yet.

    Raises:
        RunFolderError: the object is something else, or of another run.

    """
    key = _MADE[name][0]
    data, place = store.get(key), store.place(key)
    if data is None:
        return None
    try:
        table = in_schema(read_parquet(data), name)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunFolderError(f"{place} cannot be read: {error} {way_to(store, name)}") from None
    if other := [one for one in table.column("run_id").unique().to_pylist() if one != run_id]:
        raise RunFolderError(f"{place} is of the run {other[0]!r}, and this run is {run_id!r}. {way_to(store, name)}")
    return table


def way_to(store: Store, name: str) -> str:
    """Return the sentence that says how to make the table ``name``."""
    return f"Make them with: cotfaith {_MADE[name][1]} {store.place('').rstrip('/')}"
