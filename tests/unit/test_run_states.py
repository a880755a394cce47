"""The ledger beside the commits says what the commits say: on any history, after any crash, change or copy of it."""

import json
import shutil
from collections import Counter
from contextlib import suppress

import pytest
from any_commits import IDS, PIECES, P, commits
from hypothesis import given, settings
from hypothesis import strategies as st
from run_records import commit, log, run_record

from cotfaith.cluster.storage import local, segments
from cotfaith.cluster.storage.ledger import Ledger, Shard, Wanted
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.run_states import RunStates, has_untouched
from cotfaith.cluster.storage.segments import LedgerWriter
from cotfaith.cluster.storage.shard_index import ShardIndex
from cotfaith.cluster.storage.shard_state import NOTHING, parse_state, state_of
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_objects import PieceName

MODELS = ("m", "n")
RUN = run_record(n=9, size=3, models=MODELS)
GROUPS = [(model, "t") for model in MODELS]
SHARDS = [Shard(model, "t", start, start + 3) for model in MODELS for start in (0, 3, 6)]
WANTED = Wanted(frozenset({PieceName("cot"), P}))


@pytest.fixture
def no_wait(monkeypatch):
    """Take all folders as settled, though these tests have just changed them."""
    monkeypatch.setattr(local, "_CLOCK_NS", -(10**12))


# One shard


def is_plain(found):
    """Whether no piece of the log needs a second look: all or no items have it, nothing is cut or quarantined."""
    held = [one for piece in found.pieces for one in found.live[piece].items()]
    texts = [(piece, one) for piece in found.pieces for one in found.live[piece].values()]
    return (
        all(len(found.live[piece]) in (0, 3) for piece in found.pieces)
        and held != []
        and not any(one.is_cut(piece) or "quarantined" in one.statuses(piece) for piece, one in texts)
    )


@settings(max_examples=300, deadline=None)
@given(
    commits(),
    st.sampled_from([None, 10, 20, 30]),
    st.booleans(),
    st.sampled_from([frozenset(), frozenset({("p", "q")})]),
    st.sets(st.sampled_from(PIECES)),
)
def test_a_state_says_what_its_log_says_or_that_it_does_not_know(found, limit, quarantined, reads, pieces):
    read, wanted = log(*found), Wanted(frozenset(pieces), limit, quarantined, reads=reads)
    state = state_of(read, 3, reads)
    expected, said = read.missing(IDS, wanted), state.missing(IDS, wanted)
    assert said in (None, expected)
    assert state.has_work(wanted) or not expected
    assert state.may_lack(wanted) >= expected.keys()
    if is_plain(read) and not reads:
        assert said is not None
    again = parse_state(state.text)
    assert (again, again.text) == (state, state.text)
    assert state.is_complete(pieces) == all(len(read.live.get(piece, {})) == 3 for piece in pieces)


@settings(max_examples=100, deadline=None)
@given(commits(), st.sampled_from([10, 20, 30]), st.booleans())
def test_a_state_of_another_rule_of_reading_is_not_taken(found, limit, quarantined):
    """A plug-in's probe reads another's rows since an update: states from before must not hide what is stale."""
    read, wanted = log(*found), Wanted(frozenset(PIECES), limit, quarantined, reads=frozenset({("p", "q")}))
    assert state_of(read, 3, frozenset()).missing(IDS, wanted) in (None, read.missing(IDS, wanted))


def test_states_by_hand():
    chains, probed = commit(0, 3), commit(0, 3, "p", generation=1)
    assert state_of(log(chains), 3).text == '[["cot","plain",null,null,true,null,null,false]]'
    assert state_of(log(chains), 3).missing(IDS, WANTED) == {P: tuple(IDS)}
    assert NOTHING.missing(IDS, WANTED) == {PieceName("cot"): tuple(IDS)}
    assert state_of(log(chains, probed), 3).missing(IDS, WANTED) == {}
    some = state_of(log(chains, commit(0, 3, "p", items=["i1"], generation=1)), 3)
    assert (some.missing(IDS, WANTED), some.has_work(WANTED)) == (None, True)
    assert state_of(log(chains, probed), 3).missing(IDS, Wanted(frozenset({P}), without=frozenset({"part"}))) is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[["cot"]]', '[["cot","plain",null,null,"yes",null,null,false]]'])
def test_what_is_no_state_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_state(text)


def test_shards_are_numbered_over_all_ranges():
    ranges = run_record(ranges={"t": [_range(0, 5, 2), _range(5, 5, 9), _range(5, 12, 4)]}).ranges["t"]
    index = ShardIndex(ranges)
    bounds = [shard for one in ranges for shard in one.shards()]
    assert [index.bounds(number) for number in range(len(index))] == bounds
    assert bounds == [(0, 2), (2, 4), (4, 5), (5, 9), (9, 12)]
    assert [index.number(*one) for one in bounds] == [0, 1, 2, 3, 4]
    assert index.number(0, 4) is None
    assert index.sizes().tolist() == [2, 2, 1, 4, 3]
    wrong = [(1, 3), (4, 6), (12, 16), (5, 8)]
    starts, stops = zip(*bounds, *wrong, strict=True)
    found = index.numbers(*(_array(one) for one in (starts, stops)))
    assert found.tolist() == [0, 1, 2, 3, 4, -1, -1, -1, -1]


def _range(start, stop, size):
    return {"start": start, "stop": stop, "shard_size": size, "items": ""}


def _array(numbers):
    import numpy as np

    return np.array(numbers, np.int64)


# A whole run


def put(store, *found):
    for one in found:
        rows = sum(sum(counts) for piece in one.pieces for counts in piece.statuses.values())
        parts = [part.model_copy(update={"rows": rows * (part.table != "items")}) for part in one.parts]
        one = one.model_copy(update={"parts": parts}).sealed()
        store.put(one.key, one.as_json(indent=None))


def load(store, groups=GROUPS):
    """Load the states of the run, and keep what was learnt."""
    found, writer = RunStates(store, RUN, groups, {("s", "p")}), LedgerWriter(store, RUN.run_id)
    found.load(writer)
    writer.flush()
    return found


def texts(found):
    return [found.state(shard).text for shard in SHARDS]


def expected(store):
    ledger = read_ledger(LocalStore(store.root))
    return [state_of(ledger.log(shard), 3, {("s", "p")}).text for shard in SHARDS]


class Counting(LocalStore):
    """Counts the commits that are read, and dies at the call that is told."""

    def __init__(self, root, dies_at=10**9):
        super().__init__(root)
        self.read, self.calls, self.dies_at = Counter(), 0, dies_at

    def get(self, key):
        self.read[key.partition("/")[0]] += 1
        return super().get(key)

    def put(self, key, data):
        self._live()
        super().put(key, data)

    def delete(self, key):
        self._live()
        super().delete(key)

    def _live(self):
        self.calls += 1
        if self.calls > self.dies_at:
            raise KeyboardInterrupt


@pytest.fixture
def store(tmp_path, no_wait):
    """A run: of six shards three are done, one has chains, one has some chains, one nothing."""
    found = Counting(tmp_path / "run")
    for shard in SHARDS[:3]:
        put(found, commit(*shard[2:], model=shard.model), commit(*shard[2:], "p", model=shard.model, generation=1))
    put(found, commit(0, 3, model="n"), commit(3, 6, model="n", items=["i4"]))
    return found


def commits_read(store):
    found = store.read["_commits"]
    store.read.clear()
    return found


def test_a_second_session_reads_no_commit(store):
    assert texts(load(store)) == expected(store)
    commits_read(store)
    found = load(store)
    assert (texts(found), commits_read(store)) == (expected(store), 0)
    assert [found.n_shards(group) for group in GROUPS] == [3, 3]
    done = [(state.is_complete(WANTED.pieces), shards, items) for state, shards, items in found.counts(("m", "t"))]
    assert done == [(True, 3, 9)]
    assert list(found.having(("n", "t"), lambda state: state.has_work(WANTED))) == [0, 1, 2]
    wanted = {shard: found.missing(shard, [f"i{at}" for at in range(*shard[2:])], WANTED) for shard in SHARDS}
    assert wanted[SHARDS[0]] == {}
    assert wanted[SHARDS[3]] == {P: ("i0", "i1", "i2")}
    assert commits_read(store) == 1
    assert wanted[SHARDS[4]] == {PieceName("cot"): ("i3", "i5"), P: ("i4",)}


@pytest.mark.parametrize(
    ("change", "read"),
    [
        (lambda store: put(store, commit(0, 3, text="new", generation=2)), 3),
        (lambda store: store.delete(keys.commit(SHARDS[1].id, 1)), 1),
        (lambda store: shutil.rmtree(store.root / keys.commit_folder(SHARDS[1].id)), 0),
        (lambda store: put(store, commit(6, 9, model="n")), 1),
        (lambda store: put(store, commit(0, 3, text="other")), 2),  # replaced under the same name
    ],
    ids=["added", "deleted", "folder deleted", "first", "replaced"],
)
def test_only_what_changed_is_read_again(store, change, read):
    load(store)
    before = expected(store)
    change(store)
    commits_read(store)
    assert texts(load(store)) == expected(store) != before
    assert commits_read(store) == read
    load(store)
    assert commits_read(store) == 0


def test_a_run_of_fewer_models_keeps_what_is_known_of_the_others(store, monkeypatch):
    monkeypatch.setattr("cotfaith.cluster.storage.run_states.MOST_SEGMENTS", 0)
    load(store)
    load(store, GROUPS[:1])
    commits_read(store)
    assert texts(load(store)) == expected(store)
    assert commits_read(store) == 0


def test_a_copied_folder_is_read_anew(store, tmp_path):
    load(store)
    shutil.copytree(store.root, tmp_path / "copy")
    copy = Counting(tmp_path / "copy")
    assert texts(load(copy)) == expected(store)
    assert commits_read(copy) == 8


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b"PAR1"),
        lambda path: path.rename(path.with_name("0" * 64 + ".segment")),
        lambda path: path.with_name("notes.txt").write_text("x") and path.unlink(),
    ],
)
def test_a_damaged_segment_is_made_again(store, damage):
    load(store)
    (path,) = (store.root / "_ledger").iterdir()
    damage(path)
    commits_read(store)
    for read in (8, 0):
        assert texts(load(store)) == expected(store)
        assert commits_read(store) == read


def test_segments_of_another_run_and_another_version_are_left_out(store, monkeypatch):
    load(store)
    (key,) = segments.segments(store)
    (rows,) = segments.rows(store, "another", [key])
    assert len(rows) == 0
    monkeypatch.setattr(segments, "VERSION", 2)
    (rows,) = segments.rows(store, RUN.run_id, [key])
    assert len(rows) == 0


def test_a_well_formed_segment_with_an_odd_state_is_not_taken(store):
    load(store)
    (key,) = segments.segments(store)
    (rows,) = segments.rows(store, RUN.run_id, [key])
    lines = [row | {"state": "[1]"} for row in rows.to_pylist()]
    segments.forget(store)
    segments.write(store, RUN.run_id, [type(rows).from_pylist(lines, segments.SCHEMA)])
    assert texts(load(store)) == expected(store)


def test_what_changed_just_now_is_not_trusted(store, monkeypatch):
    """Two changes within the resolution of the file system's clock may leave one time."""
    monkeypatch.setattr(local, "_CLOCK_NS", 3600 * 10**9)
    assert texts(load(store)) == expected(store)
    assert segments.segments(store) == []
    monkeypatch.setattr(local, "_CLOCK_NS", -(10**12))
    load(store)
    assert len(segments.segments(store)) == 1


def test_an_entry_whose_commits_are_no_longer_all_is_not_written(store):
    writer, shard = LedgerWriter(store, RUN.run_id), SHARDS[3]
    old = read_ledger(store).log(shard)
    put(store, commit(0, 3, "p", model="n", generation=1))  # after the log was read
    writer.add(segments.entry_of(shard, old, ()))
    writer.flush()
    assert segments.segments(store) == []
    writer.add(segments.entry_of(shard, read_ledger(store).log(shard), ()))
    writer.flush()
    (rows,) = segments.rows(store, RUN.run_id, segments.segments(store))
    (row,) = rows.to_pylist()
    assert (row["model"], row["start"], row["stop"], row["commits"]) == ("n", 0, 3, 2)
    assert json.loads(row["statuses"]) == {"reader": {}, "subject": {"ok": 6}}


def many_segments(store):
    """Leave a segment for each shard, some of them twice, and one that is old."""
    load(store)
    (key,) = segments.segments(store)
    (rows,) = segments.rows(store, RUN.run_id, [key])
    for at in range(len(rows)):
        segments.write(store, RUN.run_id, [rows.slice(at, 1)])
    put(store, commit(6, 9, model="n"))


def test_a_merge_that_is_cut_off_anywhere_loses_and_doubles_nothing(store, tmp_path, monkeypatch):
    monkeypatch.setattr("cotfaith.cluster.storage.run_states.MOST_SEGMENTS", 1)
    many_segments(store)
    plain = Counting(store.root)
    load(plain)
    for dies_at in range(plain.calls + 1):
        folder = tmp_path / f"dies-{dies_at}"
        shutil.copytree(store.root, folder)
        again = Counting(folder)
        many_segments(again)
        dying = Counting(folder, dies_at)
        with suppress(KeyboardInterrupt):
            load(dying)
        after = Counting(folder)
        assert texts(load(after)) == expected(store)
        assert len(segments.segments(after)) <= 2
        (*_, rows) = [one for one in segments.rows(after, RUN.run_id, segments.segments(after)) if len(one)]
        assert len(set(zip(rows["model"].to_pylist(), rows["start"].to_pylist(), strict=True))) == len(rows)


def test_a_segment_that_another_driver_removes_meanwhile_is_read_from_commits(store):
    load(store)

    class Racing(Counting):
        def get_many(self, wanted):
            wanted = list(wanted)
            return iter([None] * len(wanted)) if wanted[:1] and "_ledger" in wanted[0] else super().get_many(wanted)

    assert texts(load(Racing(store.root))) == expected(store)


def test_a_long_session_keeps_few_segments(store, monkeypatch):
    monkeypatch.setattr(segments, "MOST_OWN", 2)
    writer = LedgerWriter(store, RUN.run_id)
    for shard in SHARDS[:5]:
        writer.add(segments.entry_of(shard, read_ledger(store).log(shard), ()))
        writer.flush()
    assert 1 <= len(segments.segments(store)) <= 3
    assert sum(map(len, segments.rows(store, RUN.run_id, segments.segments(store)))) == 5


def test_work_that_was_given_out_is_read_again_unless_it_was_reported(store):
    found, writer = load(store), LedgerWriter(store, RUN.run_id)
    lost, told = SHARDS[5], SHARDS[3]
    for shard in (lost, told):
        found.given(shard, 3)
    put(store, commit(6, 9, model="n"), commit(0, 3, "p", model="n", generation=1))
    entry = segments.entry_of(told, read_ledger(store).log(told), ())
    found.take(entry, 3)
    commits_read(store)
    assert found.missing(told, IDS, WANTED) == {}
    assert commits_read(store) == 0
    assert found.missing(lost, ["i6", "i7", "i8"], WANTED) == {P: ("i6", "i7", "i8")}
    assert commits_read(store) == 1
    found.renew(writer)
    assert commits_read(store) == 1
    assert found.missing(lost, ["i6", "i7", "i8"], WANTED) == {P: ("i6", "i7", "i8")}
    assert commits_read(store) == 0
    stale = segments.entry_of(told, log(commit(0, 3, model="n")), ())
    found.take(stale)
    assert found.missing(told, IDS, WANTED) == {}


@pytest.mark.parametrize("name", ["x/t/0000000-0000003", "m/u/0000000-0000003", "m/t/0000000-0000002", "m/t/odd"])
def test_commits_that_are_of_no_shard_are_refused(store, name):
    (store.root / "_commits" / name).mkdir(parents=True)
    load(store)  # an empty folder is no fault
    (store.root / "_commits" / name / "00000.json").write_text("{}")
    with pytest.raises(RunFolderError, match=name):
        load(store)


@settings(max_examples=25, deadline=None)
@given(st.lists(commits("m", 3), min_size=1, max_size=4))
def test_any_histories_are_the_same_with_and_without_the_ledger(histories):
    """Each history takes the place of the one before, as when commits are deleted, restored and added."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_CLOCK_NS", -(10**12))
        store = Counting(Path(folder))
        for history in histories:
            present = {one.key for one in history}
            for key in list(store.list(keys.COMMITS)):
                if key not in present:
                    store.delete(key)
            put(store, *history)
            assert texts(load(store)) == expected(store)
            assert texts(load(store)) == expected(store)


def test_a_shard_without_a_folder_is_seen_without_reading(store):
    assert has_untouched(store, RUN, GROUPS)
    put(store, commit(6, 9, model="n"))
    commits_read(store)
    assert not has_untouched(store, RUN, GROUPS)
    assert has_untouched(store, RUN, [("x", "t")])
    assert not has_untouched(store, RUN.model_copy(update={"schema_version": 4}), [("x", "t")])
    assert commits_read(store) == 0


def test_a_ledger_of_commits_says_the_same_as_its_logs():
    found = Ledger({SHARDS[0]: log(commit(0, 3))})
    assert found.missing(SHARDS[0], IDS, WANTED) == {P: tuple(IDS)}
    assert found.missing(SHARDS[1], ["i3"], WANTED) == {PieceName("cot"): ("i3",)}
