"""The JSON objects of a run's folder, byte by byte, and what is checked before the first of them is written."""

import json

import pyarrow as pa
import pytest

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.writer import Effort, Writer
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.plan.shards import Shard
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import RunConflictError, StoreError
from cotfaith.schemas.run_folder import parse_commit, parse_given_up, parse_run
from cotfaith.schemas.run_objects import Commit, GivenUp, RunRecord
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.resolved import resolve

RUN = """{
  "schema_version": 4,
  "run_id": "0123456789ab",
  "created": "2026-01-02T03:04:05+00:00",
  "cotfaith_version": "0.1.0",
  "versions": {
    "python": "3.11.7"
  },
  "shard_size": 16,
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
        "items": "1f"
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
  "n_items": {
    "t": 5
  },
  "readers": {
    "transfer": [
      "m"
    ]
  },
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
COMMIT = """{
 "key": "_commits/m~t~cot~0000002-0000004.transfer/o.json",
 "shard": "m~t~cot~0000002-0000004",
 "model": "m",
 "task": "t",
 "strategy": "cot",
 "start": 2,
 "stop": 4,
 "probe": "transfer",
 "reader": "o",
 "attempt": "0a1b2c3d",
 "parts": [
  {
   "table": "observations",
   "key": "observations/model=m/task=t/probe=transfer/m~t~cot~0000002-0000004-0a1b2c3d.parquet",
   "rows": 3,
   "bytes": BYTES,
   "sha256": "SHA"
  }
 ],
 "statuses": {
  "ok": 2,
  "truncated": 1
 },
 "began": 1000.5,
 "seconds": 2.0,
 "timed_with": [
  "transfer"
 ],
 "tokens": {
  "subject": 7,
  "editor": 0
 }
}"""
GIVEN_UP = """{
 "key": "_given_up/m~t~cot~0000002-0000004.transfer/o.json",
 "shard": "m~t~cot~0000002-0000004",
 "model": "m",
 "task": "t",
 "strategy": "cot",
 "start": 2,
 "stop": 4,
 "probe": "transfer",
 "reader": "o",
 "name": "m~t~cot~0000002-0000004 read by o",
 "reason": "lost",
 "attempts": 3,
 "at": "AT"
}"""
SHARD = Shard("m", "t", "cot", 2, 4)
SPEC = parse_spec({"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]})
ROWS = {"observations": pa.table({"status": ["ok", "truncated", "ok"]})}
EFFORT = Effort(1000.5, 2.0, ("transfer",), {"subject": 7, "editor": 0})


def test_run_json_is_written_as_it_was_read():
    run = parse_run(RUN.encode())
    assert isinstance(run, RunRecord)
    assert (run.identity.models["m"]["engine"], run.spec.tasks[0].n, run.spec.subjects) == ("stub", 5, ["m"])
    assert run.as_json(indent=2).decode() == RUN


def test_a_run_that_begins_has_every_key_of_its_spec_in_order(tmp_path):
    made = open_run(LocalStore(tmp_path), resolve(SPEC), identity(resolve(SPEC), {"m": "w"}, {"t": "i"}), {"t": 100})
    written = json.loads((tmp_path / "run.json").read_text())
    assert written == made.data()
    assert list(written) == [name for name in json.loads(RUN) if name != "later"]
    assert list(written["identity"]) == list(json.loads(RUN)["identity"])
    assert json.dumps(written["spec"]) == json.dumps(SPEC.model_dump(mode="json"))


def test_what_an_older_version_left_out_stays_out():
    old = json.loads(RUN)
    for name in ("prompt_date", "readers"):
        del old[name]
    del old["identity"]["chat_templates"], old["spec"]["strategies"]
    run = parse_run(json.dumps(old).encode())
    assert run.data() == old
    assert (run.prompt_date, run.readers, run.identity.chat_templates, run.spec.strategies) == (None, {}, {}, [])


def test_a_commit_is_what_the_writer_says(tmp_path):
    written = Writer(LocalStore(tmp_path), SHARD, "o", "0a1b2c3d").commit(ROWS, "transfer", EFFORT)
    (part,) = written.commit.parts
    data = (tmp_path / written.commit.commit_key).read_bytes()
    assert data.decode() == COMMIT.replace("BYTES", str(part.bytes)).replace("SHA", part.sha256)
    assert (tmp_path / part.key).stat().st_size == part.bytes
    assert parse_commit(data, written.commit.commit_key) == written.commit
    assert written.won


def test_of_two_attempts_the_second_is_told_that_it_lost(tmp_path):
    """Also one without rows, whose statuses are as empty as those of one that won."""
    empty = {"observations": pa.table({"status": pa.array([], pa.string())})}
    first = Writer(LocalStore(tmp_path), SHARD, "o").commit(empty, "transfer", EFFORT)
    second = Writer(LocalStore(tmp_path), SHARD, "o").commit(empty, "transfer", EFFORT)
    assert (first.won, second.won) == (True, False)
    assert first.commit.statuses == second.commit.statuses == {}
    kept = parse_commit((tmp_path / first.commit.commit_key).read_bytes(), first.commit.commit_key)
    assert kept.attempt == first.commit.attempt != second.commit.attempt


def test_a_commit_of_an_old_run_is_read():
    old = json.loads(COMMIT.replace("BYTES", "9").replace("SHA", "0" * 64))
    key = old["key"]
    for name in ("key", "began", "seconds", "timed_with", "tokens"):
        del old[name]
    commit = parse_commit(json.dumps(old).encode(), key)
    assert isinstance(commit, Commit)
    assert (commit.key, commit.began, commit.timed_with, commit.commit_key) == (None, None, [], key)
    assert commit.data() == old


def test_the_record_of_what_was_given_up(tmp_path):
    record = Job("r", SPEC, SHARD, (), False, ("transfer",), "o").given_up("lost", 3)
    assert record.as_json().decode() == GIVEN_UP.replace("AT", record.at)
    read = parse_given_up(record.as_json(), record.key)
    assert isinstance(read, GivenUp)
    assert read == record


class _Forgetful(LocalStore):
    """A store that ignores the condition of a conditional put."""

    def put_if_absent(self, key, data):
        self.put(key, data)
        return True


def test_a_store_that_ignores_conditions_is_refused_before_the_run_begins(tmp_path):
    ident = identity(resolve(SPEC), {"m": "w"}, {"t": "i"})
    with pytest.raises(StoreError, match="ignores conditional writes"):
        open_run(_Forgetful(tmp_path), resolve(SPEC), ident, {"t": 100})
    assert not (tmp_path / "run.json").exists()


def test_a_spec_that_contradicts_the_run_writes_nothing(tmp_path):
    ident = identity(resolve(SPEC), {"m": "w"}, {"t": "i"})
    open_run(LocalStore(tmp_path), resolve(SPEC), ident, {"t": 100})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunConflictError, match=r"models\.m\.weights: the run has \"w\", the spec \"other\""):
        open_run(LocalStore(tmp_path), resolve(SPEC), identity(resolve(SPEC), {"m": "other"}, {"t": "i"}), {"t": 100})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
