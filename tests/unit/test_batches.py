"""A run's rows, read some shards at a time: the same estimates and the same page as from whole tables."""

from functools import partial

import polars as pl
import pytest
from runs_here import finish

from cotfaith.cluster.report import results
from cotfaith.cluster.report.endings import found_endings
from cotfaith.cluster.report.page import render
from cotfaith.cluster.stats import summed
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.withheld import withhold
from cotfaith.cluster.storage.batches import batches, each_batch, occurring
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError

SPEC = {
    "models": [{"id": name, "engine": "stub", "options": {"max_steps": 4}} for name in ("a", "b")],
    "tasks": [
        {"name": "tracking", "generator": "tracking_objects", "n": 5},
        {"name": "sums", "generator": "addition", "n": 3},
    ],
    "probes": ["no_cot", "early_answering", "filler_tokens", "step_deletion", "transfer"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}
LINE = ["model", "task", "strategy", "variant", "probe", "reader", "status"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = LocalStore(finish(tmp_path_factory.mktemp("batches"), SPEC) / "run")
    return store, load_run(store)


@pytest.fixture
def shard_by_shard(monkeypatch):
    monkeypatch.setattr(summed, "batches", partial(batches, most_rows=1))


def test_a_batch_has_all_models_of_its_shards_and_every_shard_is_in_one(run):
    store, record = run
    ledger = read_ledger(store)
    found = batches(ledger, record, most_rows=1)
    assert len(found) == 3 + 2  # ranges of items
    bounds = [[(c.model, c.task, c.start) for log in logs for c in log.commits[:1]] for logs in found]
    assert all({model for model, _, _ in own} == {"a", "b"} for own in bounds)
    assert sorted(one for own in bounds for one in own) == sorted((s.model, s.task, s.start) for s in ledger.logs)
    assert len(batches(ledger, record)) == 1


def test_commits_say_what_rows_occur(run):
    store, _ = run
    tables = read_tables(store)
    nobody = [pl.lit(None, pl.String).alias(name) for name in ("probe", "reader")]
    rows = [tables["chains"].with_columns(nobody).select(LINE), tables["observations"].select(LINE)]
    assert occurring(read_ledger(store)).sort(LINE).equals(pl.concat(rows).unique().sort(LINE))


@pytest.mark.usefixtures("shard_by_shard")
def test_estimates_and_page_are_those_of_whole_tables(run):
    store, record = run
    tables = read_tables(store)
    whole = withhold(aggregate(**tables, run_id=record.run_id, seed=0), record.spec.min_agreement)
    found = results.write_results(store, record)
    assert found.num_rows == whole.num_rows > 200
    for one, other in zip(found.to_pylist(), whole.to_pylist(), strict=True):
        floats = {name for name, value in one.items() if isinstance(value, float)}
        assert {name: one[name] for name in one.keys() - floats} == {name: other[name] for name in one.keys() - floats}
        assert {n: one[n] for n in floats} == pytest.approx({n: other[n] for n in floats}, rel=1e-12, abs=1e-12)
    said = found_endings(record, read_ledger(store), read_estimates(found))
    page = render(record, **tables, estimates=found, complete=completeness(store, record), endings=said)
    assert store.get(keys.REPORT).decode() == page


def test_an_item_in_two_batches_is_refused(run):
    store, record = run
    (logs,) = batches(read_ledger(store), record)
    with pytest.raises(RunFolderError, match=r"'.*' of sums occurs in more than one shard; 8 items do"):
        list(each_batch(store, record, [logs, logs], lambda tables: None))


def test_a_failure_ends_the_batches(run):
    store, record = run
    found = batches(read_ledger(store), record, most_rows=1)
    done = []

    def fail(tables):
        done.append(tables)
        raise RunFolderError("no")

    with pytest.raises(RunFolderError, match="no"):
        list(each_batch(store, record, found, fail))
    assert len(done) <= 2
