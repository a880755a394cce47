"""Shards that were given up: recorded in the run's folder, so that whoever reads it later learns of them and why.

One object a shard (or reader's part of it), written over when it is given up again. It is out of date once the shard is
committed: whoever lists them asks for those that are still missing.
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
    """Return all records, in the order of their keys; raise ``RunFolderError`` where one is something else."""
    found = ((key, store.get(key)) for key in objects(store, keys.GIVEN_UP))
    return [parse_given_up(data, key) for key, data in found if data is not None]
