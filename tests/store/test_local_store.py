"""The local store: whole objects, one winner of a race, and the state after a crash."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from run_records import run_record

from cotfaith.cluster.fleet import shard_task
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.storage import limits
from cotfaith.cluster.storage.read import read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore, check_conditional_put, open_store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError, SpecError, StoreError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine

KEY = "_commits/shard.json"
RACERS = 16


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "run")


def files(store):
    return sorted(path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file())


def content(racer):
    """A megabyte that identifies its writer: a partial or mixed object would be visible."""
    return f"{racer:04d}".encode() * 250_000


class TestRaces:
    def test_of_sixteen_threads_one_wins(self, store):
        barrier = Barrier(RACERS)

        def race(racer, round_):
            barrier.wait()
            return store.put_if_absent(f"_commits/{round_}.json", content(racer))

        with ThreadPoolExecutor(RACERS) as pool:
            for round_ in range(5):
                won = list(pool.map(race, range(RACERS), [round_] * RACERS))
                assert won.count(True) == 1
                assert store.get(f"_commits/{round_}.json") == content(won.index(True))
        assert files(store) == [f"_commits/{round_}.json" for round_ in range(5)]  # no temporary file is left

    def test_of_sixteen_processes_one_wins(self, store):
        code = (
            "import pathlib, sys, time\n"
            "from cotfaith.cluster.storage.store import LocalStore\n"
            "root, racer = pathlib.Path(sys.argv[1]), int(sys.argv[2])\n"
            "print('ready', flush=True)\n"
            "while not (root.parent / 'go').exists(): time.sleep(0.001)\n"
            f"print(LocalStore(root).put_if_absent({KEY!r}, f'{{racer:04d}}'.encode() * 250_000))\n"
        )
        line = [sys.executable, "-c", code, str(store.root)]
        racers = [subprocess.Popen([*line, str(i)], stdout=subprocess.PIPE, text=True) for i in range(RACERS)]
        assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * RACERS
        (store.root.parent / "go").touch()
        won = [racer.communicate(timeout=60)[0].strip() for racer in racers]
        assert sorted(won) == ["False"] * (RACERS - 1) + ["True"]
        assert store.get(KEY) == content(won.index("True"))
        assert files(store) == [KEY]

    def test_a_reader_never_sees_half_an_object(self, store):
        store.put("data", content(0))
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(lambda: [store.put("data", content(i)) for i in range(50)])
            seen = [store.get("data")]
            while not writing.done():
                seen.append(store.get("data"))
        writing.result()
        assert {len(data) for data in seen} == {1_000_000}
        assert all(data == data[:4] * 250_000 for data in seen)


class TestSemantics:
    def test_put_replaces_and_put_if_absent_does_not(self, store):
        store.put("a/b", b"1")
        store.put("a/b", b"2")
        assert store.get("a/b") == b"2"
        assert not store.put_if_absent("a/b", b"3")
        assert store.get("a/b") == b"2"
        assert store.put_if_absent("a/c", b"")
        assert store.get("a/c") == b""  # empty, and present

    def test_what_is_not_there_is_none(self, store):
        assert store.get("nothing") is None
        assert list(store.list()) == []
        assert list(store.list("a/")) == []

    def test_list_gives_keys_by_prefix_in_order(self, store):
        for key in ("b/2", "b/10", "a", "b/sub/1", "bc"):
            store.put(key, b"")
        assert list(store.list()) == ["a", "b/10", "b/2", "b/sub/1", "bc"]
        assert list(store.list("b/")) == ["b/10", "b/2", "b/sub/1"]
        assert list(store.list("b")) == ["b/10", "b/2", "b/sub/1", "bc"]
        assert list(store.list("b/1")) == ["b/10"]
        assert list(store.list("c")) == []

    def test_a_temporary_file_of_a_killed_writer_is_not_listed(self, store):
        store.put(KEY, b"{}")
        (store.root / "_commits" / ".tmp-left").write_bytes(b"{")
        assert list(store.list(keys.COMMITS)) == [KEY]

    def test_a_replace_is_refused_once_the_object_changed_or_is_gone(self, store):
        store.put("a", b"1")
        data, tag = store.get_tagged("a")
        assert data == b"1"
        assert store.put_if_unchanged("a", b"2", tag)
        assert not store.put_if_unchanged("a", b"3", tag)
        assert store.get("a") == b"2"
        store.delete("a")
        assert not store.put_if_unchanged("a", b"3", tag)
        assert store.get_tagged("a") is None
        assert files(store) == []

    def test_of_racing_replaces_one_wins(self, store):
        store.put(KEY, b"")
        tag = store.get_tagged(KEY)[1]
        with ThreadPoolExecutor(RACERS) as pool:
            won = list(pool.map(lambda racer: store.put_if_unchanged(KEY, content(racer), tag), range(RACERS)))
        assert won.count(True) == 1
        assert store.get(KEY) == content(won.index(True))
        assert files(store) == [KEY]

    def test_delete_removes_one_object_and_none_is_no_error(self, store):
        store.put("a/b", b"1")
        store.put("a/c", b"2")
        store.delete("a/b")
        store.delete("a/b")
        store.delete("a")
        assert files(store) == ["a/c"]

    def test_many_objects_come_in_the_order_of_the_keys(self, store):
        store.put("a", b"1")
        store.put("b", b"2")
        assert list(store.get_many(["b", "none", "a"])) == [b"2", None, b"1"]

    def test_a_place_is_a_path(self, store):
        assert store.place("a/b") == str(store.root / "a" / "b")

    def test_objects_can_be_read_by_others(self, store):
        store.put("a", b"")
        assert (store.root / "a").stat().st_mode & 0o777 == 0o644

    def test_a_folder_that_cannot_be_written_is_a_store_error(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match=r"file/run/a: this cannot be written: .*another output\.path"):
            LocalStore(tmp_path / "file" / "run").put("a", b"")


class TestFullDisk:
    @pytest.fixture(autouse=True)
    def full(self, monkeypatch):
        def fsync(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", fsync)

    @pytest.mark.parametrize("write", ["put", "put_if_absent"])
    def test_a_full_disk_leaves_neither_half_an_object_nor_a_temporary_file(self, store, write):
        with pytest.raises(StoreError, match=r"a/b: the disk is full .*Free some space"):
            getattr(store, write)("a/b", b"1")
        assert files(store) == []

    def test_the_old_object_is_kept(self, store, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: None)
            store.put("a", b"1")
        tag = store.get_tagged("a")[1]
        with pytest.raises(StoreError, match="the disk is full"):
            store.put_if_unchanged("a", b"2", tag)
        assert store.get("a") == b"1"
        assert files(store) == ["a"]


def test_an_object_that_memory_should_not_hold_is_not_read(store, monkeypatch):
    store.put("a", b"12345")
    monkeypatch.setattr(limits, "MAX_OBJECT_BYTES", 4)
    with pytest.raises(StoreError, match=r"a has 5 bytes; at most 4 are read"):
        store.get("a")


def test_where_folders_have_no_locks_a_file_is_locked(store, monkeypatch):
    """As on NFS. Where files have none either, a replace is refused, and a plain put works."""
    store.put("a/b", b"1")
    tag = store.get_tagged("a/b")[1]
    flock, files_too = fcntl.flock, []

    def refusing(handle, operation):
        if files_too or stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", refusing)
    assert store.put_if_unchanged("a/b", b"2", tag)
    assert list(store.list()) == ["a/b"]
    files_too.append(True)
    with pytest.raises(StoreError, match="has no locks"):
        store.put_if_unchanged("a/b", b"3", store.get_tagged("a/b")[1])
    store.put("a/b", b"4")
    assert store.get("a/b") == b"4"


class TestKeys:
    """The store joins keys to its folder unchanged; names that could escape it are refused before they become keys."""

    @pytest.mark.parametrize("name", ["..", "../up", "a/b", "/root", ".hidden", "a\n", "a\0", ""])
    def test_names_that_are_paths_are_refused(self, name):
        good = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}
        assert parse_spec(good)
        for bad in ({"models": [{"id": name, "engine": "stub"}]}, {"tasks": [{"name": name, "generator": "addition"}]}):
            with pytest.raises(SpecError, match="letters, digits"):
                parse_spec(good | bad)

    def test_every_key_stays_in_the_folder(self):
        shard = keys.shard_id("m..", "t.-_", 0, 5)
        made = (keys.commit(shard, 0), keys.part("chains", shard, "a"), keys.quarantine(shard, 3, "r.."))
        for key in made:
            assert Path(os.path.normpath(f"/run/{key}")).is_relative_to("/run")
            assert ".." not in Path(key).parts

    def test_a_table_that_does_not_exist_is_refused(self):
        with pytest.raises(SpecError, match="evil"):
            keys.part("evil", "s", "a")


class _Forgetful(LocalStore):
    """A store that ignores the condition, like some object storage."""

    def put_if_absent(self, key, data):
        self.put(key, data)
        return True


class TestConditionalPut:
    def test_the_local_store_passes_more_than_once(self, store):
        check_conditional_put(store)
        check_conditional_put(store)

    def test_a_store_that_ignores_conditions_is_refused(self, tmp_path):
        with pytest.raises(StoreError, match=r"ignores conditional writes.*Use another store"):
            check_conditional_put(_Forgetful(tmp_path))

    def test_the_check_leaves_nothing(self, store):
        check_conditional_put(store)
        assert list(store.list()) == []
        assert files(store) == []

    def test_drivers_that_check_at_once_do_not_disturb_each_other(self, store):
        with ThreadPoolExecutor(RACERS) as pool:
            assert list(pool.map(lambda _: check_conditional_put(store), range(RACERS * 4))) == [None] * RACERS * 4


class _Crash(BaseException):
    """Raised where the process would end."""


class _Crashing(LocalStore):
    """A store that writes data and dies before the commit."""

    def put_if_absent(self, key, data):
        raise _Crash


class TestCrash:
    @pytest.fixture
    def job(self, tmp_path):
        """The only job of a run, and a function that lists the remaining work."""
        spec = parse_spec(
            {
                "models": [{"id": "m", "engine": "stub"}],
                "tasks": [{"name": "t", "generator": "addition", "n": 3}],
                "probes": ["no_cot"],
                "output": {"path": str(tmp_path / "run")},
            }
        )
        plan = make_plan(spec)
        return lambda: Jobs(plan, run_record(n=3, size=16)).of_subjects(read_ledger(open_store(spec.output)))

    def run(self, job):
        return run_job(job, {"subject": StubEngine(job.spec.models[0])})

    def test_before_the_commit_it_leaves_an_orphan_that_readers_ignore(self, job, store, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(shard_task, "open_store", lambda output: _Crashing(Path(output.path)))
            with pytest.raises(_Crash):
                self.run(*job())
        orphans = files(store)
        assert [Path(name).suffix for name in orphans] == [".chains", ".items"]
        assert all(table.height == 0 for table in read_tables(store).values())
        (again,) = job()
        assert {piece.probe for piece in again.wanted.pieces} == {None, "no_cot"}
        self.run(again)
        assert {name: table.height for name, table in read_tables(store).items()} == {
            "items": 3,
            "chains": 3,
            "observations": 3,
        }
        assert set(orphans) < set(files(store))
        assert job() == []

    def test_the_second_of_two_attempts_leaves_an_orphan(self, job, store):
        (first,) = job()
        assert self.run(first).statuses.total() == 6
        committed = {one.key: one.attempt for one in read_ledger(store).commits()}
        assert len(committed) == 2
        before = read_tables(store)
        assert self.run(first).statuses.total() == 0
        assert {one.key: one.attempt for one in read_ledger(store).commits()} == committed
        assert all(table.equals(before[name]) for name, table in read_tables(store).items())

    @pytest.mark.parametrize(
        ("damage", "expected"), [(Path.unlink, "committed but missing"), (lambda p: p.write_bytes(b"x"), "sha256")]
    )
    def test_a_damaged_part_is_noticed(self, job, store, damage, expected):
        self.run(*job())
        damage(next((store.root / "_parts").rglob("*.chains")))
        with pytest.raises(RunFolderError, match=expected):
            read_tables(store)
