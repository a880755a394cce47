"""The ledger beside the commits in object storage, where a folder's tag is made of its objects' ETags."""

import pytest
from run_records import commit, run_record

from cotfaith.cluster.storage.ledger import Shard
from cotfaith.cluster.storage.run_states import RunStates
from cotfaith.cluster.storage.segments import LedgerWriter
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas import keys

RUN = run_record(n=4, size=2)
FIRST, SECOND = Shard("m", "t", 0, 2), Shard("m", "t", 2, 4)


def put(store, one):
    rows = {"items": 0, "chains": 2, "observations": 2}
    one = one.model_copy(update={"parts": [part.model_copy(update={"rows": rows[part.table]}) for part in one.parts]})
    store.put(one.key, one.sealed().as_json(indent=None))


@pytest.fixture(params=["seaweed", "ministack"])
def url(request):
    return request.getfixturevalue(request.param).url("runs/ledger")


def load(url, monkeypatch):
    """Return the states' texts, and the keys of the commits that were read for them."""
    store, read = open_store(url), []
    get = type(store)._get
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "_get", lambda self, key, patience: read.append(key) or get(self, key, patience))
        states, writer = RunStates(store, RUN, [("m", "t")]), LedgerWriter(store, RUN.run_id)
        states.load(writer)
        writer.flush()
    return [states.state(shard).text for shard in (FIRST, SECOND)], [key for key in read if key.startswith("_commits")]


def test_commits_are_read_once_and_again_where_a_folder_changed(url, monkeypatch):
    store, probed = open_store(url), commit(0, 2, "p", generation=1)
    put(store, commit(0, 2))
    chains = '[["cot","plain",null,null,true,null,null,false]]'
    assert load(url, monkeypatch) == ([chains, "[]"], [keys.commit(FIRST.id, 0)])
    assert load(url, monkeypatch) == ([chains, "[]"], [])
    put(store, probed)
    (first, _), read = load(url, monkeypatch)
    assert (first.count("true"), len(read)) == (2, 2)
    put(store, commit(0, 2, "p", generation=1, text="other"))  # another object under the same key
    assert len(load(url, monkeypatch)[1]) == 2
    store.delete(probed.key)
    assert load(url, monkeypatch) == ([chains, "[]"], [keys.commit(FIRST.id, 0)])
    assert load(url, monkeypatch) == ([chains, "[]"], [])
