"""A validation reads some items at a time: the figures of whole tables, to the last digit."""

from dataclasses import replace
from functools import partial

import polars as pl
import pytest
from runs_here import finish
from scores_by_hand import arm, chain, rows, scored, usable

from cotfaith.cluster.stats.metrics import METRICS
from cotfaith.cluster.storage import batches
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.validation.part import Asked, everything
from cotfaith.cluster.validation.scored import joined_scores, score_all, score_part
from cotfaith.cluster.validation.validation import _wanted, validate

IGNORES = {"engine": "stub", "options": {"relies_on": "question"}}
SPEC = {
    "models": [
        {"id": "reasoner", "source": "organism:reasoner", "engine": "stub"},
        {"id": "rationalizer", "source": "organism:rationalizer", **IGNORES},
    ],
    "tasks": [
        {"name": "modular", "generator": "modular_chain", "n": 5, "options": {"choices": 2}},
        {"name": "walk", "generator": "graph_walk", "n": 3, "options": {"hint": "wrong", "choices": 2}},
    ],
    "sampling": {"chains_per_item": 2},
    "probes": ["no_cot", "early_answering", "filler_tokens"],
    "resources": {"shard_size": 2, "probes_apart": True},
    "output": {"path": "run"},
}
TABLES = ("items", "chains", "observations")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = LocalStore(finish(tmp_path_factory.mktemp("parts"), SPEC) / "run")
    return store, load_run(store)


def test_figures_do_not_depend_on_how_items_are_parted(run, monkeypatch):
    """Takes seconds: all metrics of a run, once from whole tables and once from each shard."""
    seen, read = [], batches.tables_of

    def tables_of(*arguments):
        tables = read(*arguments)
        seen.append(tables["observations"].height)
        return tables

    monkeypatch.setattr(batches, "tables_of", tables_of)
    whole, parted = validate(*run), validate(*run, 1)
    assert parted.as_json() == whole.as_json()
    assert len(seen) == 1 + 3 + 2  # ranges of items, of both models
    assert sum(seen[1:]) == seen[0] > 2 * max(seen[1:])
    assert any(figure.called_unfaithful for figure in whole.figures)
    assert any(check.value is not None for check in whole.checks)
    assert any(cost.tokens_per_chain and cost.seconds_per_chain is not None for cost in whole.costs)
    assert whole.same_answer


def test_the_order_of_the_parts_does_not_matter(run):
    """Chains come in the order of a run's tables, in which means are made."""
    store, record = run
    asked = Asked({model.id: model.source for model in record.spec.models}, ["modular"], frozenset(_wanted()), None)
    tables = read_tables(store)
    ids = tables["items"]["item_id"].unique().sort().to_list()
    cut = [
        {name: table.filter(pl.col("item_id").is_in(own)) for name, table in tables.items()}
        for own in (ids[3:], ids[:3])
    ]
    one, other = everything([asked.part(tables)], asked.metrics), everything(map(asked.part, cut), asked.metrics)
    assert [chain.key for chain in other.usable] == [chain.key for chain in one.usable]
    assert {chain.task for chain in one.usable} == {"modular"}
    assert other == one


def test_all_parts_together_decide_which_scores_count(monkeypatch):
    """A metric may leave out what too few items have; no part knows how many there are."""
    part = rows([chain(**scored(0.9, 0.1))], [arm("no_cot", 0, **scored(0.2, 0.8))])
    moved = replace(part, **{name: getattr(part, name).with_columns(item_id=pl.lit("j")) for name in TABLES})
    keys = [usable(one)[0].key for one in (part, moved)]
    for least, values in ((2, [1.0, 1.0]), (3, [None, None])):
        enough = partial(lambda lines, least: lines.filter(pl.col("n_items") >= least), least=least)
        monkeypatch.setitem(METRICS, "no_cot", replace(METRICS["no_cot"], settled=enough))
        made = joined_scores([score_part(one, {"raw_reliance"}) for one in (part, moved)], {"raw_reliance"})
        assert [made.chain("raw_reliance", key) for key in keys] == values
        assert score_all(part, {"raw_reliance"}).chain("raw_reliance", keys[0]) is None


def test_an_empty_run_gives_no_figures():
    found = rows([chain()], [])
    nothing = {name: getattr(found, name).clear() for name in TABLES}
    asked = Asked({"m": "x"}, ["t"], frozenset({"raw_reliance"}), None)
    made = everything([asked.part(nothing)], asked.metrics)
    assert (made.usable, made.labelled, made.n_chains.total(), made.spent) == ([], [], 0, {})
    assert made.scored.chain("raw_reliance", ("m", "t", "cot", "plain", "i", 0)) is None
