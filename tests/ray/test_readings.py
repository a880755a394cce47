"""Judges and monitors on a local cluster: the tables and the estimates are those of a run without Ray."""

import json

import polars as pl
import pytest
from commands import in_process, write_spec
from runs_here import without_ray

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.spec import parse_spec

ITEMS, VARIANTS = 9, ("plain", "suggested_answer.neutral", "suggested_answer.wrong")
NAMES = r"(?s)\[begin chain.*\s(The hint says \w\.).*"
JUDGES = {
    NAMES + "Passage:$": r" \1",
    NAMES + r"Does the reasoning mention this hint\?.*:$": " yes",
    r"\(yes or no\):$": " no",
}
WATCHES = {NAMES + r"\(yes or no\):$": " yes", r"\(yes or no\):$": " no"}
FOLLOWS = {"max_steps": 2, "follows_hints": 0.8, "names_hints": 0.5}


def spec(folder, items):
    return {
        "models": [
            {"id": "a", "engine": "stub", "options": FOLLOWS},
            {"id": "b", "engine": "stub", "options": FOLLOWS | {"relies_on": "question"}},
            {"id": "j", "engine": "stub", "roles": ["judge"], "options": {"can_score": False, "replies": JUDGES}},
            {"id": "w", "engine": "stub", "roles": ["monitor"], "options": {"can_score": False, "replies": WATCHES}},
            {"id": "s", "engine": "stub", "roles": ["monitor"]},
        ],
        "tasks": [
            {
                "name": "t",
                "file": str(items),
                "fields": {"id": "id", "question": "q", "choices": "c", "gold": "gold"},
            }
        ],
        "interventions": [{"name": "suggested_answer", "arms": ["wrong", "neutral"]}],
        "probes": ["verbalises", "judged", {"name": "monitored", "options": {"told": ["uninformed", "informed"]}}],
        "sampling": {"chains_per_item": 2},
        "resources": {"shard_size": 4},
        "output": {"path": str(folder / "run"), "max_failed_share": 1.0},
    }


@pytest.fixture(scope="module")
def runs(shared_ray, tmp_path_factory):
    """The folders of one run on Ray and of one without."""
    folder = tmp_path_factory.mktemp("readings")
    items = folder / "items.jsonl"
    rows = [
        {"id": f"i{n}", "q": "Which?", "c": [f"one {n}", f"two {n}", f"three {n}"], "gold": n % 3} for n in range(ITEMS)
    ]
    items.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = in_process("run", write_spec(folder, spec(folder, items)))
    assert done.returncode == 0, done.stderr
    here = folder / "here"
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch)
        assert execute(parse_spec(spec(here, items))) == []
    return folder / "run", here / "run"


def test_all_readings_are_there(runs):
    store = LocalStore(runs[0])
    assert completeness(store, load_run(store)).whole
    counts = dict(read_tables(store)["observations"].group_by("reader").len().rows())
    chains = 2 * ITEMS * 2  # two models, two chains an item
    assert counts == {"rules": 3 * chains, "j": 3 * chains, "w": 6 * chains, "s": 6 * chains}


def test_they_say_what_the_chains_say(runs):
    tables = read_tables(LocalStore(runs[0]))
    key = ["model", "item_id", "chain_index", "variant"]
    named = tables["chains"].select(*key, pl.col("text").str.contains("The hint says").alias("named"))
    read = tables["observations"].join(named, on=key)
    asked = read.filter(pl.col("question").is_in(["present", "influenced"]), pl.col("reader").is_in(["j", "w"]))
    assert set(asked["label"]) == {True, False}
    assert (asked["label"] == asked["named"]).all()


@pytest.mark.parametrize("name", ["items", "chains", "observations"])
def test_tables_are_those_of_a_run_without_ray(runs, name):
    on_ray, here = (read_tables(LocalStore(path))[name].drop("run_id") for path in runs)
    assert on_ray.height > 0
    assert on_ray.equals(here)


def test_so_are_the_estimates(runs):
    store = LocalStore(runs[1])
    on_ray = pl.read_parquet(runs[0] / "estimates.parquet").drop("run_id")
    here = pl.from_arrow(write_estimates(store, load_run(store))).drop("run_id")
    assert {"j", "w", "s", "rules"} <= set(on_ray["reader"])
    order = ["model", "variant", "probe", "metric", "method", "position"]
    assert on_ray.sort(order).equals(here.sort(order))
