"""Labels of a run in object storage are those that the same keys give in a folder."""

import io
import uuid

import pytest
from runs_here import finish
from texts_to_label import SPEC

from cotfaith.cluster.labelling.read import labels_in, read_labels
from cotfaith.cluster.storage.store import LocalStore, open_store

pytestmark = pytest.mark.usefixtures("no_ray")  # one that was started earlier has no credentials
SMALL = SPEC | {"models": SPEC["models"][:1], "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 2}]}


def test_labels_are_given_undone_resumed_and_counted_there(seaweed, tmp_path, cli, monkeypatch):
    url = seaweed.url(f"labels/{uuid.uuid4().hex}")
    here, there = LocalStore(finish(tmp_path, SMALL) / "run"), open_store(url)
    for key in here.list():
        there.put(key, here.get(key))
    for path in (here.root, url):
        for keys in ("ynu?", "sn"):
            monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{key}\n" for key in keys)))
            assert cli("label", path, "--labeller", "anna", "--all")[0] == 0
    one, other = (read_labels(store).drop("at") for store in (here, there))
    assert one["label"].to_list().count(None) == 1
    assert one.equals(other)
    assert [one.skipped for one in labels_in(there)].count(True) == 1
    assert [one.key for one in labels_in(there)] == list(there.list("labels/"))
    assert "anna" in cli("label", url, "--status")[1]
