"""``cotfaith.read`` and ``export`` on a run in object storage: what they give of the same run in a folder."""

import uuid

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from runs_here import finish

import cotfaith
from cotfaith.cluster.storage.s3 import S3Store
from cotfaith.cluster.storage.store import LocalStore, open_store

SPEC = {
    "models": [{"id": name, "engine": "stub", "options": {"max_steps": 4}} for name in ("a", "b")],
    "tasks": [{"name": "t", "generator": "tracking_objects", "n": 4}],
    "probes": ["no_cot"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}


def test_logs_of_a_run_there_are_those_of_a_folder_byte_by_byte(seaweed, tmp_path, cli):
    here, url = finish(tmp_path, SPEC) / "run", seaweed.url(f"export/{uuid.uuid4().hex}")
    for key in LocalStore(here).list():
        open_store(url).put(key, LocalStore(here).get(key))
    for path, folder in ((str(here), "here"), (url, "there")):
        assert cli("export", path, "--to", "inspect", "--out", tmp_path / folder)[0] == 0
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("here", "there")
    )
    assert one == other
    assert len(one) == 2


def test_frames_are_those_of_a_folder_and_a_selection_fetches_its_parts_only(seaweed, tmp_path, monkeypatch):
    here, url = finish(tmp_path, SPEC) / "run", seaweed.url(f"frames/{uuid.uuid4().hex}")
    there = open_store(url)
    for key in LocalStore(here).list():
        there.put(key, LocalStore(here).get(key))
    fetched, get = [], S3Store._get
    monkeypatch.setattr(S3Store, "_get", lambda self, key, *rest: fetched.append(key) or get(self, key, *rest))
    local, remote = cotfaith.read(here), cotfaith.read(url)
    for name in ("items", "chains", "observations"):
        assert_frame_equal(getattr(remote, name).collect(), getattr(local, name).collect())
    fetched.clear()
    some = pl.col("model").eq("b") & pl.col("item_id").eq("t-000003")
    assert remote.chains.filter(some).select("answer").collect().height == 1
    assert [key.split("/")[:4] for key in fetched] == [["_parts", "b", "t", "0000002-0000004"]]
    with pytest.raises(cotfaith.CotfaithError, match=f"Make them with: cotfaith aggregate {url}"):
        _ = remote.estimates
