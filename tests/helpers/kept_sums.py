"""The sums that a run keeps, for tests: which there are, and aggregation with and without them."""

import pytest

from cotfaith.cluster.stats import written
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas import keys


def kept_sums(store):
    """Return the keys of the sums."""
    return list(store.list(keys.SUMS))


def forget_sums(store, every=1):
    """Delete the sums, or every second one and so on."""
    for key in kept_sums(store)[::every]:
        store.delete(key)


def estimates(store):
    """Return the estimates, made of the sums that are kept, and of rows where there are none."""
    return written.write_estimates(store, load_run(store)).to_pylist()


def from_rows(store):
    """Return the estimates, all of them made of rows."""
    forget_sums(store)
    return estimates(store)


def from_sums(store):
    """Return the estimates, none of them made of rows: reading any would fail."""

    def no_rows(*_):
        raise AssertionError("rows were read")

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("cotfaith.cluster.storage.batches.tables_of", no_rows)
        return estimates(store)
