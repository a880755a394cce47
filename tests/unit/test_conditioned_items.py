"""What is kept of each item to compare models: its sums add up to the estimates, and its skill is that of its rows.

A whole run of stubs takes seconds.
"""

import polars as pl
import pytest
from runs_here import finish
from scores_by_hand import FAILED, ITEM, arm, chain, rows, scored

from cotfaith.cluster.stats.metrics import tally_of
from cotfaith.cluster.stats.metrics.conditioned import CONDITIONED, THEME
from cotfaith.cluster.stats.metrics.lib.by_item import columns
from cotfaith.cluster.stats.summed import summed
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage.batches import each_batch
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import load_run
from cotfaith.schemas import keys
from cotfaith.schemas.parquet import read_parquet
from cotfaith.schemas.tables import COMPARISONS

SPEC = {
    "models": [
        {"id": "reads", "engine": "stub", "options": {"max_steps": 3, "follows_hints": 0.7}},
        {"id": "fails", "engine": "stub", "options": {"max_steps": 4, "relies_on": "question", "fail_on": "present"}},
    ],
    "tasks": [
        {"name": "tracking", "generator": "tracking_objects", "n": 7},
        {"name": "contexts", "generator": "two_contexts", "n": 6},
    ],
    "sampling": {"chains_per_item": 3},
    "interventions": ["hint_metadata"],
    "probes": ["no_cot", "early_answering", "adding_mistakes", "paraphrasing"],
    "resources": {"shard_size": 3},
    "output": {"path": "run", "max_failed_share": 1.0},
}
PLACE = ("model", "task", "strategy", "channel")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = LocalStore(finish(tmp_path_factory.mktemp("conditioned"), SPEC) / "run")
    return store, load_run(store)


def kept(found):
    return found.kept[THEME]


def test_the_sums_by_item_add_up_to_the_estimates(run):
    store, record = run
    estimates = write_estimates(store, record).to_pylist()
    plain = [row for row in estimates if row["variant"] == "plain" and row["position"] is None]
    known = {(row["metric"], row["method"], *(row[name] or "" for name in PLACE)): row for row in plain}
    items = pl.concat([kept(one) for one, _ in summed(store, record, each_batch).tallies])
    assert len(items) == len(items.unique([*PLACE, "item_id"])) == 2 * 13
    n = 0
    for place, own in items.group_by(PLACE):
        for metric in CONDITIONED:
            row = known.get((metric.name, metric.method, *place))
            num, den = (own[name].sum() for name in columns(metric))
            assert (row["value"] if row else None) == (pytest.approx(num / den, abs=1e-12) if den else None)
            n += den > 0
    assert n > 20


def test_comparisons_are_written_beside_the_estimates(run):
    store, record = run
    store.delete(keys.COMPARISONS)
    write_estimates(store, record)
    assert read_parquet(store.get(keys.COMPARISONS)).schema.equals(COMPARISONS)


def item(name, *without, n_chains=1, **facts):
    """An item, its chains, which all end in A, and its answers without a chain."""
    chains = [{**chain(at, 2, answer="A", correct=True), "item_id": name} for at in range(n_chains)]
    arms = [{**arm("no_cot", 0), "item_id": name, **one} for one in without]
    return {**ITEM, "item_id": name, **facts}, chains, arms


def likely(p):
    found = scored(p, 1 - p)
    return found | {"p_gold": p, "correct": found["answer"] == "A"}


def by_hand(*found):
    items, chains, arms = zip(*found, strict=True)
    made = rows([c for one in chains for c in one], [a for one in arms for a in one], items)
    return {row["item_id"]: row for row in kept(tally_of(made)).iter_rows(named=True)}


def test_an_item_s_skill_is_that_of_its_answers_without_a_chain():
    found = by_hand(
        item("scored", likely(0.8), difficulty=3.0, choices=["x", "y"]),
        item("sampled", {"answer": "B", "correct": False, "status": "ok", "p_gold": None}),
        item("failed", {**FAILED, "correct": None, "p_gold": None}),
        item("not asked", n_chains=2),
    )
    assert {name: (row["p0"], row["y0"]) for name, row in found.items()} == {
        "scored": (pytest.approx(0.8), 1.0),
        "sampled": (None, 0.0),
        "failed": (None, None),
        "not asked": (None, None),
    }
    assert (found["scored"]["difficulty"], found["scored"]["n_choices"]) == (3.0, 2)
    assert (found["scored"]["raw_reliance_num"], found["scored"]["raw_reliance_den"]) == (0.0, 1.0)
    assert (found["sampled"]["raw_reliance_num"], found["sampled"]["raw_reliance_den"]) == (1.0, 1.0)
    assert (found["failed"]["raw_reliance_num"], found["failed"]["raw_reliance_den"]) == (0.0, 0.0)
    assert found["not asked"]["accuracy_cot_den"] == 2.0


def test_an_item_that_stands_for_several_is_left_out():
    found = by_hand(item("one", likely(0.8)), item("many", likely(0.2), weight=13))
    assert list(found) == ["one"]
