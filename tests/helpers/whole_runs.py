"""Runs compared with others that were made in one go, their commits, and damage to their parts."""

from pathlib import Path

from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.verify import verify


def tables(store):
    return {name: frame.drop("run_id") for name, frame in read_tables(store).items()}


def assert_same(store, other):
    mine, its = tables(store), tables(other)
    for name, frame in its.items():
        assert frame.height > 0
        assert mine[name].equals(frame), name
    run = load_run(store)
    assert completeness(store, run).whole
    assert verify(store, run).whole


def commits(store):
    return {commit.key: commit for commit in read_ledger(store).commits()}


def damage(store, key, how):
    path = Path(store.place(key))
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if how == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
