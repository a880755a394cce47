"""A run's folder that holds anything: each object is read, or refused with an error of ours that names it."""

import hashlib
import json
from contextlib import suppress
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import in_process
from damage import TEXTS, as_json, changed, clear_error_or_none, damaged, fuzz
from hypothesis import given
from hypothesis import strategies as st
from run_records import commit, log, run_record
from runs_here import copy_of, finish

from cotfaith.cluster.storage import segments
from cotfaith.cluster.storage.kept import unpacked
from cotfaith.cluster.storage.ledger import Shard
from cotfaith.cluster.storage.parts import checked_part
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.shard_state import parse_state
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.old_commits import parse_old_commit
from cotfaith.schemas.run_folder import (
    parse_commit,
    parse_costs,
    parse_given_up,
    parse_lease,
    parse_live_status,
    parse_noise,
    parse_quarantined,
    parse_run,
    parse_validation,
)
from cotfaith.schemas.tables import TABLES

SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 2, "options": {"operands": [2]}}],
    "probes": ["no_cot", "early_answering"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}
SHARD = "m/t/0000000-0000002"
ENTRY = {"model": "m", "task": "t", "start": 0, "stop": 2}
PROCESS = {"host": "h", "pid": 7, "boot_id": "b", "pid_namespace": None, "start_ticks": 5}
COUNTS = {"done": 1, "running": 0, "tokens_per_s": 3.5, "busy_share": 0.5}
NOW = "2026-01-02T03:04:05+00:00"
QUARANTINED = {
    **ENTRY,
    "key": keys.quarantine(SHARD, 1),
    **{"item": "i1", "index": 1, "reader": None, "stage": "chains", "reason": "lost", "attempts": 3, "at": NOW},
}
GIVEN_UP = {
    "key": keys.given_up("subject", "m"),
    "role": "subject",
    "model": "m",
    "reason": "r",
    "lacking": [],
    "at": NOW,
}
COSTS = {
    **{"key": keys.costs("s"), "since": NOW, "until": NOW, "currency": "USD"},
    "engines": [
        {
            "model": "m",
            "hours": 1.5,
            "gpu_hours": 0.0,
            "cpu_hours": 1.5,
            "prompt_tokens": 3,
            "generated_tokens": 4,
            "cost": 2,
        }
    ],
}
NOISE = {
    **{"key": keys.noise("m"), "model": "m", "engine": "stub", "dtype": "float32", "at": NOW},
    **{"nats": 0.002, "assumed": 0.001, "prompts": 2, "error": None},
}
LEASE = {"holder": "h", "process": PROCESS, "since": NOW, "until": NOW, "renewals": 3}
LIVE = {
    **{"run_id": "r", "process": PROCESS, "began": NOW, "written": NOW, "counter": 4, "state": "running"},
    **{"share": 0.5, "requests": 9, "eta_s": 4.5, "cost": 1.5, "currency": "USD"},
    "models": [{"model": "m", "stage": "shards", **COUNTS}],
    "oldest": [{"job": "j", "engine": "e", "seconds": 2.0}],
}
CHECK = {"name": "c", "expected": "e", "value": 0.5, "low": None, "high": None, "n": 3, "result": "passed", "note": ""}
OLD = {
    **ENTRY,
    "shard": "m~t~cot~0000000-0000002",
    "strategy": "cot",
    "probe": None,
    "attempt": "a",
    "parts": [
        {
            "table": table,
            "key": f"{table}/model=m/task=t/m~t~cot~0000000-0000002-a.parquet",
            **{"rows": 2, "bytes": 9, "sha256": "0" * 64},
        }
        for table in ("items", "chains")
    ],
    "statuses": {"ok": 2},
}
OLD_KEY = "_commits/m~t~cot~0000000-0000002.json"
COMMIT = commit(statuses={"ok": [0, 0]}).sealed()
OBJECTS = {
    "run.json": (parse_run, run_record(probes=["no_cot"], helpers=["e"]).data()),
    "commit": (partial(parse_commit, key=COMMIT.key), COMMIT.data()),
    "old commit": (partial(parse_old_commit, key=OLD_KEY), OLD),
    "quarantined": (partial(parse_quarantined, key=QUARANTINED["key"]), QUARANTINED),
    "given up": (partial(parse_given_up, key=GIVEN_UP["key"]), GIVEN_UP),
    "costs": (partial(parse_costs, key=COSTS["key"]), COSTS),
    "noise": (partial(parse_noise, key=NOISE["key"]), NOISE),
    "lease": (parse_lease, LEASE),
    "status": (parse_live_status, LIVE),
    "validation": (parse_validation, {"checks": [CHECK]}),
}


@pytest.mark.parametrize(("parse", "content"), OBJECTS.values(), ids=OBJECTS)
def test_the_objects_themselves_are_read(parse, content):
    assert parse(as_json(content)) is not None


@pytest.mark.parametrize(("parse", "content"), OBJECTS.values(), ids=OBJECTS)
@fuzz
@given(st.data())
def test_a_damaged_object_is_read_or_refused(parse, content, data):
    found = data.draw(damaged(as_json(content)) | changed(content).map(as_json))
    with clear_error_or_none():
        parse(found)


@fuzz
@given(changed([["cot", "plain", None, None, True, None, 5, False]]).map(json.dumps))
def test_what_a_ledger_says_of_a_shard_is_read_or_refused_as_no_state(text):
    with suppress(ValueError):
        parse_state(text)


class OneObject:
    """A store of one object."""

    def __init__(self, key, data):
        self.key, self.data = key, data

    def get_many(self, wanted):
        return [self.data if one == self.key else None for one in wanted]


def segment():
    """A segment of the ledger: its bytes."""
    entry = segments.entry_of(Shard("m", "t", 0, 2), log(COMMIT), (), 7)
    sink = pa.BufferOutputStream()
    about = {"version": str(segments.VERSION), "run_id": "r"}
    pq.write_table(segments.table_of([entry]).replace_schema_metadata(about), sink)
    return sink.getvalue().to_pybytes()


@fuzz
@given(damaged(segment()))
def test_a_damaged_segment_of_the_ledger_has_no_rows_or_ours(data):
    """Its name fits its damaged bytes, so that only its content can reveal it."""
    key = keys.ledger(hashlib.sha256(data).hexdigest())
    with clear_error_or_none():
        (table,) = segments.rows(OneObject(key, data), "r", [key])
        assert table.schema.names == segments.SCHEMA.names


@fuzz
@given(damaged(b"PK\x03\x04 no archive") | st.binary(max_size=200))
def test_damaged_sums_are_no_sums(data):
    with suppress(ValueError):
        unpacked(data)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, made once."""
    return finish(tmp_path_factory.mktemp("finished"), SPEC)


@pytest.mark.parametrize("table", ["items", "chains", "observations"])
@fuzz
@given(st.data())
def test_a_damaged_part_is_read_or_refused(finished, table, data):
    """Its commit has the digest of the damaged bytes, so that only its content can reveal it."""
    store = LocalStore(finished / "run")
    own, part = next((one, part) for one in read_ledger(store).commits() for part in one.parts if part.table == table)
    found = data.draw(damaged(store.get(part.key)))
    forged = part.model_copy(update={"sha256": hashlib.sha256(found).hexdigest()})
    columns = data.draw(st.sampled_from([None, {table: ["model", "task", "item_id", "status"]}]))
    if table == "items" and columns:
        columns[table].remove("status")
    with clear_error_or_none():
        checked_part(found, forged, own, columns=columns)


@st.composite
def other_tables(draw, table):
    """The bytes of a table that was changed: a column's type, name, values or number; its rows; its metadata."""
    found = table
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        at = draw(st.integers(0, found.num_columns - 1))
        name = found.column_names[at]
        kind = draw(st.sampled_from(["drop", "name", "cast", "null", "double", "rows", "metadata", "code"]))
        if kind == "drop" and found.num_columns > 1:
            found = found.remove_column(at)
        elif kind == "name":
            more = draw(TEXTS.filter(lambda text: text.isprintable())) or "x"
            found = found.rename_columns([more if one == name else one for one in found.column_names])
        elif kind == "cast":
            other = draw(
                st.sampled_from([pa.string(), pa.large_string(), pa.binary(), pa.float32(), pa.int8(), pa.null()])
            )
            with suppress(pa.ArrowException):
                found = found.set_column(at, name, found.column(at).cast(other))
        elif kind == "null":
            found = found.set_column(at, name, pa.nulls(found.num_rows, found.schema.field(at).type))
        elif kind == "double":
            found = found.append_column(draw(st.sampled_from([name, "x"])), found.column(at))
        elif kind == "rows":
            found = draw(st.sampled_from([pa.concat_tables([found, found]), found.slice(0, 0), found.slice(1)]))
        elif kind == "code":
            with suppress(pa.ArrowException):
                found = found.set_column(at, name, found.column(at).dictionary_encode())
        else:
            own = dict(found.schema.metadata or {})
            key = draw(st.sampled_from([*own, b"ARROW:schema", b"pandas", b"x"]))
            value = draw(st.binary(max_size=9) | st.sampled_from([b"7", b"0", b"items", b"{" * 5000, b"\xff"]))
            found = found.replace_schema_metadata(own | {key: value})
    sink = pa.BufferOutputStream()
    pq.write_table(found, sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("table", ["items", "chains", "observations"])
@fuzz
@given(st.data())
def test_a_part_that_is_another_table_is_read_or_refused(finished, table, data):
    store = LocalStore(finished / "run")
    own, part = next((one, part) for one in read_ledger(store).commits() for part in one.parts if part.table == table)
    found = data.draw(other_tables(pq.read_table(pa.BufferReader(store.get(part.key)))))
    forged = part.model_copy(update={"sha256": hashlib.sha256(found).hexdigest()})
    with clear_error_or_none():
        read = checked_part(found, forged, own)
        assert read.num_rows == part.rows
        assert read.schema.equals(TABLES[table])


COMMANDS = [("status",), ("status", "--json"), ("aggregate",), ("report",), ("show", "t-000001"), ("verify",)]
COMMANDS += [("show",), ("gate",)]


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory):
    """A copy of it to be damaged, which is the working directory."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield copy_of(finished, tmp_path_factory.mktemp("copied"), monkeypatch)


@pytest.fixture(scope="module")
def kept(finished):
    """Name -> bytes of its files."""
    folder = finished / "run"
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".html"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@fuzz
@given(st.data())
def test_commands_on_a_damaged_folder_end_with_a_code(copied, kept, data):
    """One object of any kind is damaged. Slow: each example runs a command."""
    name = data.draw(st.sampled_from(["run.json", *sorted(kept)]))
    path, before = copied / name, kept[name]
    kinds = [damaged(before), *([changed(json.loads(before)).map(as_json)] * 3 if path.suffix == ".json" else [])]
    path.write_bytes(data.draw(st.one_of(kinds)))
    command, *more = data.draw(st.sampled_from(COMMANDS))
    try:
        with clear_error_or_none():
            done = in_process(command, "run", *more)
            assert done.returncode in (0, 1, 2, 3, 4), done
            assert "Traceback" not in done.stderr
            assert "\x1b" not in done.stdout + done.stderr
    finally:
        for name, whole in kept.items():
            (copied / name).write_bytes(whole)
