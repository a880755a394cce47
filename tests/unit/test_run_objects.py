"""The JSON objects of a run's folder, byte by byte, and what is checked before the first of them is written."""

import json

import pyarrow as pa
import pytest
from old_runs import old_id, old_key, old_run
from run_records import quarantined

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.writer import Draft, Effort, Writer, chain_hash
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.ledger import Shard, ShardLog, Wanted
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import RunConflictError, RunFolderError, StoreError
from cotfaith.schemas.old_commits import parse_old_commit
from cotfaith.schemas.records import Answer, Chain, Item
from cotfaith.schemas.run_folder import parse_commit, parse_quarantined, parse_run
from cotfaith.schemas.run_objects import Commit, PieceName, Quarantined, RunRecord
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.resolved import resolve

RUN = """{
  "schema_version": 6,
  "run_id": "0123456789ab",
  "created": "2026-01-02T03:04:05+00:00",
  "cotfaith_version": "0.1.0",
  "versions": {
    "python": "3.11.7"
  },
  "prompt_date": "2026-01-02T03:04:05+00:00",
  "identity": {
    "seed": 0,
    "sampling": {
      "top_p": 0.95
    },
    "prompts": {},
    "steps": {},
    "strategies": {
      "cot": null
    },
    "models": {
      "m": {
        "engine": "stub",
        "options": {}
      }
    },
    "tasks": {
      "t": {
        "answer_by": "auto"
      }
    },
    "probes": {
      "transfer": {}
    },
    "editors": {},
    "embedders": {},
    "chat_templates": {
      "m": "none"
    }
  },
  "ranges": {
    "t": [
      {
        "start": 0,
        "stop": 3,
        "shard_size": 16,
        "items": "1f"
      },
      {
        "start": 3,
        "stop": 5,
        "shard_size": 2,
        "items": "2f"
      }
    ]
  },
  "max_tokens": 512,
  "readers": {
    "transfer": [
      "m"
    ]
  },
  "task_readers": {},
  "spec": {
    "seed": 0,
    "models": [
      {
        "id": "m",
        "source": "",
        "revision": null,
        "engine": "stub",
        "roles": [
          "subject"
        ],
        "dtype": "float32",
        "chat": "auto"
      }
    ],
    "tasks": [
      {
        "name": "t",
        "generator": "addition",
        "options": {},
        "file": null,
        "n": 5,
        "shuffle": false
      }
    ],
    "sampling": {
      "top_p": 0.95
    },
    "steps": {
      "unit": "sentence"
    },
    "strategies": [
      "cot"
    ],
    "probes": [
      {
        "name": "transfer",
        "options": {}
      }
    ],
    "plugins": []
  },
  "later": {
    "b": 1,
    "a": 2
  }
}"""
COMMIT = (
    '{"model": "m", "task": "t", "start": 2, "stop": 4, "key": "_commits/m/t/0000002-0000004/00000.json", '
    '"generation": 0, "attempt": "ATTEMPT", "items": ["a", "b"], "pieces": [{"strategy": "cot", "variant": "plain", '
    '"probe": "transfer", "reader": "o", "statuses": {"ok": [1, 1], "truncated": [0, 1]}, "cut": [1]}], "texts": '
    '[{"strategy": "cot", "variant": "plain", "hashes": [["HASH"], []]}], "parts": [{"table": "observations", "key": '
    '"_parts/m/t/0000002-0000004/ATTEMPT.observations", "rows": 3, "bytes": BYTES, "sha256": "SHA"}], "max_tokens": '
    '512, "began": 1000.5, "seconds": 2.0, "timed_with": ["transfer"], "tokens": {"subject": 7, "editor": 0}, '
    '"sha256": "DIGEST"}'
)
QUARANTINED = """{
 "model": "m",
 "task": "t",
 "start": 2,
 "stop": 4,
 "key": "_quarantine/m/t/0000002-0000004/0000003/o.json",
 "item": "b",
 "index": 3,
 "reader": "o",
 "stage": "probes",
 "reason": "lost",
 "attempts": 3,
 "at": "AT"
}"""
SHARD = Shard("m", "t", 2, 4)
SPEC = parse_spec({"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]})
ITEMS = {"t": [Item(name, f"Which is {name}?", "1", "number") for name in "abcde"]}
CHAIN = Chain("a", 0, " One.", (" One.",), Answer(Status.OK, "1"), Status.OK, 2, "stop", 1)
ROWS = pa.table(
    {
        "strategy": ["cot"] * 3,
        "variant": ["plain"] * 3,
        "probe": ["transfer"] * 3,
        "item_id": ["a", "b", "b"],
        "status": ["ok", "truncated", "ok"],
        "n_tokens": pa.array([None, None, None], pa.int64()),
    }
)
EFFORT = Effort(1000.5, 2.0, ("transfer",), {"subject": 7, "editor": 0})
READ = PieceName("cot", probe="transfer", reader="o")
DRAFT = Draft(["a", "b"], [READ], {"observations": ROWS}, [CHAIN], EFFORT, 512)


def test_run_json_is_written_as_it_was_read():
    run = parse_run(RUN.encode())
    assert isinstance(run, RunRecord)
    assert (run.identity.models["m"]["engine"], run.spec.tasks[0].n, run.spec.subjects) == ("stub", 5, ["m"])
    assert run.as_json(indent=2).decode() == RUN


def test_a_run_has_the_items_and_shards_of_its_ranges():
    run = parse_run(RUN.encode())
    assert run.n_items == {"t": 5}
    assert run.shards("t") == [(0, 3), (3, 5)]


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ([(1, 3, 2)], "do not follow each other"),
        ([(0, 3, 2), (4, 5, 2)], "do not follow each other"),
        ([(0, 3, 2), (2, 5, 2)], "do not follow each other"),
        ([(0, 3, 2), (3, 1, 2)], "do not follow each other"),
        ([(0, 3, 0)], r"ranges\.t\.0\.shard_size"),
        ([(-1, 3, 2)], r"ranges\.t\.0\.start"),
    ],
)
def test_ranges_that_leave_gaps_or_overlap_are_refused(ranges, words):
    found = [dict(zip(("start", "stop", "shard_size"), one, strict=True), items="") for one in ranges]
    with pytest.raises(RunFolderError, match=words):
        parse_run(json.dumps(json.loads(RUN) | {"ranges": {"t": found}}).encode())


def test_a_run_that_begins_has_every_key_of_its_spec_in_order(tmp_path):
    made = open_run(LocalStore(tmp_path), resolve(SPEC), identity(resolve(SPEC), {"m": "w"}), ITEMS)
    written = json.loads((tmp_path / "run.json").read_text())
    assert written == made.data()
    assert list(written) == [name for name in json.loads(RUN) if name != "later"]
    assert list(written["identity"]) == list(json.loads(RUN)["identity"])
    assert json.dumps(written["spec"]) == json.dumps(SPEC.model_dump(mode="json"))
    assert "max_tokens" not in written["identity"]["sampling"]  # it may grow
    (one,) = written["ranges"]["t"]
    assert (one["start"], one["stop"], one["shard_size"]) == (0, 5, SPEC.resources.shard_size)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_what_an_older_version_left_out_stays_out(version):
    """Its items were one range, and its limit of tokens was part of what it is."""
    whole = json.loads(RUN)
    whole["ranges"]["t"] = whole["ranges"]["t"][:1]
    old = old_run(whole, version)
    for name in ("prompt_date", "readers", "task_readers"):
        del old[name]
    del old["identity"]["chat_templates"], old["spec"]["strategies"]
    run = parse_run(json.dumps(old).encode())
    (one,) = run.ranges["t"]
    assert (one.start, one.stop, one.shard_size, run.shards("t")) == (0, 3, 16, [(0, 3)])
    assert (run.schema_version, run.max_tokens, run.identity.sampling["max_tokens"]) == (version, None, 512)
    assert (run.prompt_date, run.readers, run.identity.chat_templates, run.spec.strategies) == (None, {}, {}, [])
    assert not {"prompt_date", "readers", "max_tokens"} & set(run.data())


def test_a_commit_is_what_the_writer_says(tmp_path):
    written = Writer(LocalStore(tmp_path), SHARD).commit(DRAFT, ShardLog())
    (part,) = written.parts
    data = (tmp_path / written.key).read_bytes()
    values = {"ATTEMPT": written.attempt, "BYTES": str(part.bytes), "SHA": part.sha256, "HASH": chain_hash(CHAIN)}
    values["DIGEST"] = written.digest()
    expected = COMMIT
    for name, value in values.items():
        expected = expected.replace(name, value)
    assert data.decode() == expected
    assert (tmp_path / part.key).stat().st_size == part.bytes
    assert parse_commit(data, written.key) == written


def test_a_commit_of_an_old_run_is_read():
    shard = old_id("m", "t", "cot", 2, 4)
    part = {"table": "observations", "rows": 3, "bytes": 9, "sha256": "0" * 64}
    old = {
        "shard": shard,
        **{"model": "m", "task": "t", "strategy": "cot", "start": 2, "stop": 4, "probe": "transfer", "reader": "o"},
        "attempt": "0a1b2c3d",
        "parts": [part | {"key": f"observations/model=m/task=t/probe=transfer/{shard}-0a1b2c3d.parquet"}],
        "statuses": {"ok": 2, "truncated": 1},
    }
    key = old_key(shard, "transfer", "o")
    commit = parse_old_commit(json.dumps(old).encode(), key)
    assert isinstance(commit, Commit)
    assert (commit.key, commit.began, commit.timed_with, commit.max_tokens) == (key, None, [], None)
    assert (commit.shard_id, commit.generation, len(commit.items)) == (SHARD.id, 0, 2)
    (piece,) = commit.pieces
    assert piece.name == READ
    assert {status: sum(counts) for status, counts in piece.statuses.items()} == old["statuses"]
    assert parse_old_commit(json.dumps(old | {"key": key}).encode(), key) == commit


def test_the_record_of_what_is_quarantined():
    wanted = Wanted(frozenset({READ}))
    record = Job("r", SPEC, SHARD, tuple(ITEMS["t"][1:2]), wanted, "o").quarantine(3, "lost", 3, "probes")
    assert record.as_json().decode() == QUARANTINED.replace("AT", record.at)
    read = parse_quarantined(record.as_json(), record.key)
    assert isinstance(read, Quarantined)
    assert read == record


@pytest.mark.parametrize(
    "key",
    [
        "_quarantine/m/t/0000000-0000002/0000001 copy.json",
        "_quarantine/m/t/0000000-0000002/0000001/m.json",
        "_quarantine/m/t/0000002-0000004/0000001.json",
    ],
)
def test_a_copied_record_is_refused(key):
    own = quarantined(1)
    assert parse_quarantined(own.as_json(), own.key) == own
    with pytest.raises(RunFolderError, match=f"belongs at {own.key}"):
        parse_quarantined(own.as_json(), key)


class _Forgetful(LocalStore):
    """A store that ignores the condition of a conditional put."""

    def put_if_absent(self, key, data):
        self.put(key, data)
        return True


def test_a_store_that_ignores_conditions_is_refused_before_the_run_begins(tmp_path, monkeypatch):
    monkeypatch.setattr("cotfaith.cluster.fleet.run.open_store", lambda _: _Forgetful(tmp_path))
    with pytest.raises(StoreError, match="ignores conditional writes"):
        execute(SPEC)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_spec_that_contradicts_the_run_writes_nothing(tmp_path):
    ident = identity(resolve(SPEC), {"m": "w"})
    open_run(LocalStore(tmp_path), resolve(SPEC), ident, ITEMS)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunConflictError, match=r"models\.m\.weights: the run has \"w\", the spec \"other\""):
        open_run(LocalStore(tmp_path), resolve(SPEC), identity(resolve(SPEC), {"m": "other"}), ITEMS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_version_of_cotfaith_continues_the_run(tmp_path, monkeypatch):
    """Versions name commits: as a part of what a run is, they would end every run with the next commit."""
    store, resolved = LocalStore(tmp_path), resolve(SPEC)
    found = []
    for version in ("0.1.dev7+gabc", "0.1.dev8+gdef"):
        monkeypatch.setattr("cotfaith.cluster.plan.run_record.__version__", version)
        found.append(open_run(store, resolved, identity(resolved, {"m": "w"}), ITEMS))
    assert found[0] == found[1]
    assert found[0].cotfaith_version == "0.1.dev7+gabc"


def test_of_two_drivers_that_widen_a_run_at_once_both_are_in(tmp_path, monkeypatch):
    """The second reads again what the first wrote, and adds to it."""
    store, resolved = LocalStore(tmp_path), resolve(SPEC)
    open_run(store, resolved, identity(resolved, {"m": "w"}), {"t": ITEMS["t"][:2]})
    other, put = dict.fromkeys(["u"], ITEMS["t"][:1]), LocalStore.put_if_unchanged

    def late(self, key, data, tag):
        monkeypatch.setattr(LocalStore, "put_if_unchanged", put)
        open_run(self, resolved, identity(resolved, {"m": "w"}), ITEMS | other)
        return put(self, key, data, tag)

    monkeypatch.setattr(LocalStore, "put_if_unchanged", late)
    run = open_run(store, resolved, identity(resolved, {"m": "w", "n": "w"}), {"t": ITEMS["t"][:5]})
    assert run.n_items == {"t": 5, "u": 1}
    assert parse_run(store.get("run.json")) == run
