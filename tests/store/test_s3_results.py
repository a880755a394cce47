"""A run in object storage: estimates and page are those of the same run in a folder, read whole or in batches."""

import json
import uuid
from functools import partial

import pytest
from runs_here import finish

from cotfaith.cluster.stats import summed
from cotfaith.cluster.storage.batches import batches
from cotfaith.cluster.storage.store import LocalStore, open_store
from cotfaith.schemas import keys
from cotfaith.schemas.parquet import read_parquet

SPEC = {
    "models": [{"id": name, "engine": "stub", "options": {"max_steps": 4}} for name in ("a", "b")],
    "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 5}],
    "sampling": {"chains_per_item": 2},
    "probes": ["no_cot", "early_answering", "adding_mistakes", "transfer"],
    "resources": {"shard_size": 2},
}
RESULTS = (keys.ESTIMATES, keys.REPORT)

pytestmark = pytest.mark.usefixtures("no_ray")  # one that was started earlier has no credentials


@pytest.fixture(params=[1, 10**6], ids=["in batches", "whole"])
def most_rows(request, monkeypatch):
    monkeypatch.setattr(summed, "batches", partial(batches, most_rows=request.param))


@pytest.fixture
def url(seaweed):
    return seaweed.url(f"results/{uuid.uuid4().hex}")


def test_a_run_that_was_done_there_has_the_figures_of_one_in_a_folder(url, most_rows, tmp_path, cli):
    here = finish(tmp_path, SPEC | {"output": {"path": "run"}}) / "run"
    (tmp_path / "there").mkdir()
    finish(tmp_path / "there", SPEC | {"output": {"path": url}})
    for path in (str(here), url):
        assert cli("aggregate", path)[0] == 0
    one, other = (read_parquet(open_store(path).get(keys.ESTIMATES)) for path in (str(here), url))
    assert one.num_rows > 100
    assert one.drop_columns("run_id").equals(other.drop_columns("run_id"))


def test_a_run_that_was_copied_there_has_the_same_results_byte_by_byte(url, most_rows, tmp_path, cli):
    here, there = LocalStore(finish(tmp_path, SPEC | {"output": {"path": "run"}}) / "run"), open_store(url)
    for key in here.list():
        there.put(key, here.get(key))
    assert cli("report", here.root)[0] == cli("report", url)[0] == 0
    assert [there.get(key) for key in RESULTS] == [here.get(key) for key in RESULTS]
    assert None not in [here.get(key) for key in RESULTS]


def test_decisions_on_a_run_that_was_copied_there_are_the_same(url, tmp_path, cli):
    here, there = LocalStore(finish(tmp_path, SPEC | {"output": {"path": "run"}}) / "run"), open_store(url)
    for key in here.list():
        there.put(key, here.get(key))
    local, remote = ([cli(command, path, "--json") for command in ("gate", "select")] for path in (here.root, url))
    assert [code for code, _, _ in local] == [code for code, _, _ in remote]
    assert {code for code, _, _ in local} <= {0, 3, 4}
    for (_, one, _), (_, other, _) in zip(local, remote, strict=True):
        assert without_place(one) == without_place(other)
    assert there.get(keys.VERDICTS) == here.get(keys.VERDICTS) is not None
    code, out, err = cli("compare", here.root, url, "--json")
    assert code == 0, err
    found = json.loads(out)["comparisons"]
    assert [one["after"]["model"] for one in found] == ["a", "b"]
    assert {line["difference"] for one in found for line in one["figures"]} <= {0.0, None}
    assert [one["flips"] for one in found] == [[], []]


def without_place(text):
    return {name: value for name, value in json.loads(text).items() if name != "file"}
