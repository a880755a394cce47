"""A run's folder as commands open it."""

from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.run_objects import RunRecord


def run_record(store: Store) -> RunRecord:
    """Return run.json of a store that was checked for a run."""
    loaded = load_run(store)
    assert loaded is not None, "the store was checked for a run"
    return loaded
