"""Shards that were given up: recorded in the run's folder with the reason, for its later readers.

There is one object for each shard (or reader's part of it), replaced when it is given up again. The object is out of
date once the shard is committed: callers of ``given_up`` keep only the records of shards that are still missing.
"""

from cotfaith.cluster.storage.read import objects
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.run_folder import parse_given_up
from cotfaith.schemas.run_objects import GivenUp


def record_given_up(store: Store, record: GivenUp) -> None:
    """Write ``record`` at its key."""
    store.put(record.key, record.as_json())


def given_up(store: Store) -> list[GivenUp]:
    """Return all records, in the order of their keys; raise ``RunFolderError`` if one is something else."""
    found = ((key, store.get(key)) for key in objects(store, keys.GIVEN_UP))
    return [parse_given_up(data, key) for key, data in found if data is not None]
