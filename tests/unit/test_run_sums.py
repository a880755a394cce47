"""Sums of ranges of items that are kept beside the rows: estimates are those of the rows to the last digit.

Whole runs of stubs, each aggregated several times, take seconds.
"""

import hashlib
from functools import partial
from pathlib import Path

import polars as pl
import pytest
import yaml
from kept_sums import estimates, forget_sums, from_rows, from_sums, kept_sums
from runs_here import copy_of, finish, without_ray
from whole_runs import damage

from cotfaith.cluster.fleet import range_sums
from cotfaith.cluster.fleet.run import Again, execute
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.stats import summed
from cotfaith.cluster.stats.metrics import METRICS, metrics_of
from cotfaith.cluster.stats.metrics.lib.judgements import LABELS
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.near_ties import tallies_of
from cotfaith.cluster.stats.tally_tables import from_tables, to_tables
from cotfaith.cluster.storage.batches import batches
from cotfaith.cluster.storage.kept import packed, unpacked
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import live_items, load_run, read_ledger, tables_of
from cotfaith.cluster.storage.verify import verify
from cotfaith.schemas import keys
from cotfaith.schemas.errors import StoreError

MODELS = [
    {"id": "reads", "engine": "stub", "options": {"max_steps": 3, "follows_hints": 0.7, "names_hints": 0.5}},
    {"id": "fails", "engine": "stub", "options": {"max_steps": 4, "relies_on": "question", "fail_on": "present"}},
]
SPEC = {
    "models": MODELS,
    "tasks": [
        {"name": "tracking", "generator": "tracking_objects", "n": 7},
        {"name": "contexts", "generator": "two_contexts", "n": 6},
    ],
    "sampling": {"chains_per_item": 3},
    "interventions": ["hint_metadata"],
    "probes": ["no_cot", "early_answering", "adding_mistakes", "transfer", "verbalises"],
    "resources": {"shard_size": 3},
    "output": {"path": "run", "max_failed_share": 1.0},
}
RANGES = 3 + 2
SMALL = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "contexts", "generator": "two_contexts", "n": 6}],
    "sampling": {"chains_per_item": 2, "max_tokens": 24},
    "probes": ["no_cot"],
    "resources": {"shard_size": 2},
    "output": {"path": "run", "max_failed_share": 1.0},
}
SMALL_RANGES = 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("sums"), SPEC)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture
def store(small, tmp_path, monkeypatch):
    return LocalStore(copy_of(small, tmp_path, monkeypatch))


def run(again=None, **changes):
    """Run the small spec with changes, in the working directory."""
    Path("spec.yaml").write_text(yaml.safe_dump(SMALL | changes))
    execute(load_spec(Path("spec.yaml")), again=again)


def with_near_ties(*given):
    """Read tables as a run does; some items have near ties, which stubs do not make."""
    near = (pl.col("chain_index") == 1) & pl.col("item_id").cast(pl.String).str.contains("[13]$")
    tables = tables_of(*given)
    for name in ("chains", "observations"):
        tables[name] = tables[name].with_columns(near.fill_null(False).alias("near_tie"))
    return tables


def test_estimates_are_those_of_rows_whatever_is_kept_and_read_together(finished, tmp_path, monkeypatch):
    store = LocalStore(copy_of(finished, tmp_path, monkeypatch))
    monkeypatch.setattr("cotfaith.cluster.storage.batches.tables_of", with_near_ties)
    assert kept_sums(store) == []
    of_rows = estimates(store)
    measured = {row["metric"] for row in of_rows}
    assert measured > {"status_share", "near_tie_share", "switch_to_target", "transfer_gap", "contexts_unfaithful"}
    assert any(row["clear_value"] is not None for row in of_rows)
    assert any(row["n_ok"] < row["n_total"] for row in of_rows)
    assert len(kept_sums(store)) == RANGES
    assert from_sums(store) == of_rows
    before = {key: store.get(key) for key in kept_sums(store)}
    forget_sums(store, every=2)
    monkeypatch.setattr(summed, "batches", partial(batches, most_rows=1))
    assert estimates(store) == of_rows
    assert from_rows(store) == of_rows
    assert len(kept_sums(store)) == len(before)
    assert verify(store, load_run(store)).orphans == ()


def test_growth_makes_only_the_sums_of_new_items(store):
    estimates(store)
    before = kept_sums(store)
    run(tasks=[SMALL["tasks"][0] | {"n": 8}])
    grown = estimates(store)
    assert set(before) < set(kept_sums(store))
    assert len(kept_sums(store)) == SMALL_RANGES + 1
    assert from_sums(store) == grown == from_rows(store)


def test_a_probe_or_a_repair_leaves_no_stale_sums_in_use(store):
    first, wide = estimates(store), ["no_cot", "filler_tokens"]
    run(probes=wide)
    widened = estimates(store)
    assert len(widened) > len(first)
    assert widened == from_rows(store)
    damage(store, next(key for key in store.list("_parts/") if key.endswith(".chains")), "cut")
    run(Again(damaged=True), probes=wide)
    repaired = estimates(store)
    assert len(kept_sums(store)) == SMALL_RANGES + 1  # those of the damaged part, as they were, and as they are
    assert repaired == widened == from_rows(store)


def test_longer_chains_have_sums_of_their_own(store):
    """Some chains are replaced, so commits hold rows that count beside rows that do not."""
    before, whole = estimates(store), [log.counts_whole for log in read_ledger(store).logs.values()]
    assert all(whole)
    run(sampling=SMALL["sampling"] | {"max_tokens": 400})
    after = estimates(store)
    assert after != before
    assert after == from_sums(store) == from_rows(store)
    logs = list(read_ledger(store).logs.values())
    assert not all(log.counts_whole for log in logs)
    for log, commit in ((own, commit) for own in logs for commit in own.commits):
        live = {name: {item for item, one in log.live[name].items() if one.commit is commit} for name in log.pieces}
        assert live_items(commit, log) == {piece.name: live[piece.name] for piece in commit.pieces}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:-1] + b"x",
        lambda data: data[: len(data) // 2],
    ],
    ids=["empty", "changed", "cut"],
)
def test_sums_that_were_changed_are_made_again(store, spoil):
    of_rows = estimates(store)
    for key in kept_sums(store)[1:3]:
        store.put(key, spoil(store.get(key)))
    assert estimates(store) == of_rows
    assert from_sums(store) == of_rows  # they are whole again


def test_sums_of_another_shape_are_made_again(store):
    of_rows = estimates(store)
    key = kept_sums(store)[0]
    for other in (b"PK no zip", packed({"all/sums": pl.DataFrame({"n": [1]})})):
        store.delete(key)
        key = keys.sums("contexts", 0, 3, Path(key).name[:32], hashlib.sha256(other).hexdigest())
        store.put(key, other)
        assert estimates(store) == of_rows


def test_other_code_makes_its_own_sums(store, monkeypatch):
    of_rows = estimates(store)
    monkeypatch.setattr("cotfaith.cluster.stats.code._NAME", "other code")
    with pytest.raises(AssertionError, match="rows were read"):
        from_sums(store)
    assert estimates(store) == of_rows
    assert len(kept_sums(store)) == 2 * SMALL_RANGES


def test_other_labels_make_sums_of_their_own(store, monkeypatch):
    """People label texts after the run, and any metric may read what they say."""
    of_rows = estimates(store)
    said = pl.DataFrame([("anna", "0" * 64, "present", "hint", True, 1.0)], schema=LABELS, orient="row")
    with monkeypatch.context() as patch:
        patch.setattr(summed, "read_labels", lambda _: said)
        with pytest.raises(AssertionError, match="rows were read"):
            from_sums(store)
        assert estimates(store) == of_rows  # of no text of the run
        assert len(kept_sums(store)) == 2 * SMALL_RANGES
    assert from_sums(store) == of_rows


def test_what_a_plug_in_makes_is_not_kept(store, monkeypatch):
    own = metrics_of("no_cot")
    monkeypatch.setitem(METRICS, "no_cot", type(own)(own.probe, own.metrics[1:], lambda rows: (), own.words))
    estimates(store)
    assert kept_sums(store) == []


def test_a_store_that_takes_no_sums_still_gives_estimates(store, monkeypatch):
    of_rows, put = estimates(store), LocalStore.put
    forget_sums(store)

    def refused(self, key, data):
        if key.startswith("_sums/"):
            raise StoreError("read-only")
        put(self, key, data)

    monkeypatch.setattr(LocalStore, "put", refused)
    with pytest.warns(UserWarning, match="^Sums cannot be kept, so they are made again next time: read-only"):
        assert estimates(store) == of_rows
    assert kept_sums(store) == []


def test_tables_hold_the_sums_to_the_last_digit(finished):
    store = LocalStore(finished / "run")
    ledger, record = read_ledger(store), load_run(store)
    found = tallies_of(Rows(**with_near_ties(store, ledger.logs.values(), record.run_id)))
    for one, other in zip(found, from_tables(unpacked(packed(to_tables(found)))), strict=True):
        assert one.sums.equals(other.sums)
        assert one.vectors.equals(other.vectors)
        assert one.kept.keys() == other.kept.keys() == {"conditioned", "pairs"}
        assert all(frame.equals(other.kept[name]) for name, frame in one.kept.items())
        assert [repr(cross) for cross in one.crosses.items()] == [repr(cross) for cross in other.crosses.items()]
        assert len(one.crosses) > 10
    whole, _ = found
    assert from_tables(to_tables((whole, None)))[1] is None


@pytest.fixture
def sums_at_once(tmp_path, monkeypatch):
    """Jobs keep the sums of small ranges too."""
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    monkeypatch.setattr(range_sums, "LEAST_ROWS", 1)
    return LocalStore(tmp_path / "run")


def test_the_job_that_completes_a_range_keeps_its_sums(sums_at_once):
    """One object a range, made by the last reader of all models' chains; the estimates then read no rows."""
    run(models=MODELS, probes=["no_cot", "transfer"])
    assert len(kept_sums(sums_at_once)) == SMALL_RANGES
    found = from_sums(sums_at_once)
    assert found == from_rows(sums_at_once)


def test_small_ranges_are_left_to_the_estimates(finished):
    assert kept_sums(LocalStore(finished / "run")) == []


def test_sums_that_fail_fail_no_job(sums_at_once, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(range_sums, "occurring", broken)
    with pytest.warns(UserWarning, match=r"its sums are made later: ZeroDivisionError: a bug"):
        run()
    assert kept_sums(sums_at_once) == []
    assert len(estimates(sums_at_once)) > 10
