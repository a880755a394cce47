"""Which commit holds the rows of each piece and item, and what is missing: by hand, and against a slow model."""

import pytest
from any_commits import COT, DIRECT, IDS, PIECES, READ, P, commits
from hypothesis import given, settings
from hypothesis import strategies as st
from run_records import commit, ledger, log

from cotfaith.cluster.storage.ledger import Shard, Wanted
from cotfaith.schemas.run_objects import PieceName

ALL = Wanted(frozenset({COT, P}))


def chains(generation, items=IDS, text="", **more):
    return commit(0, 3, items=items, generation=generation, text=text, **more)


def probed(generation, items=IDS, text="", pieces=(P,), **more):
    return commit(0, 3, items=items, generation=generation, text=text, pieces=pieces, **more)


def held(found, piece):
    """Item -> the generation that holds its rows of the piece."""
    return {item: one.commit.generation for item, one in found.live.get(piece, {}).items()}


def test_nothing_is_committed():
    assert log().live == {}
    assert log().next_generation == 0
    assert log().missing(IDS, ALL) == {COT: tuple(IDS)}  # the probe waits for the chains


def test_an_item_s_rows_are_those_of_its_highest_generation():
    found = log(chains(2, ["i1"]), chains(0), chains(5, ["i2", "i1"]))
    assert held(found, COT) == {"i0": 0, "i1": 5, "i2": 5}
    assert found.next_generation == 6
    assert found.live[COT]["i1"].place == 1


def test_each_piece_of_an_item_is_held_once():
    both = commit(0, 3, pieces=[COT, DIRECT], generation=0)
    found = log(both, commit(0, 3, pieces=[DIRECT], items=["i1"], generation=1))
    assert held(found, COT) == {"i0": 0, "i1": 0, "i2": 0}
    assert held(found, DIRECT) == {"i0": 0, "i1": 1, "i2": 0}
    assert found.missing(IDS, Wanted(frozenset({COT, DIRECT}))) == {}


def test_a_commit_that_was_removed_leaves_a_gap_and_its_rows_are_missing():
    found = log(chains(0), chains(2, ["i0"]), probed(3))
    assert held(found, P) == dict.fromkeys(IDS, 3)
    without = log(chains(2, ["i0"]), probed(3))
    assert without.missing(IDS, ALL) == {COT: ("i1", "i2")}
    assert held(without, P) == {"i0": 3}  # the others' chains are gone
    assert without.next_generation == 4


def test_a_probe_on_chains_that_are_not_the_present_ones_is_missing():
    found = log(chains(0, text="old"), probed(1, text="old"), chains(2, ["i1"], text="new"))
    assert held(found, P) == {"i0": 1, "i2": 1}
    assert found.missing(IDS, ALL) == {P: ("i1",)}
    renewed = log(*found.commits, probed(3, ["i1"], text="new"))
    assert held(renewed, P) == {"i0": 1, "i1": 3, "i2": 1}
    assert renewed.missing(IDS, ALL) == {}


def test_a_chain_made_again_with_the_same_text_keeps_its_probes():
    found = log(chains(0, text="same"), probed(1, text="same"), chains(2, text="same"))
    assert held(found, COT) == dict.fromkeys(IDS, 2)
    assert held(found, P) == dict.fromkeys(IDS, 1)


def test_rows_on_chains_that_are_the_present_ones_again_count_again():
    """The newest chains' commit was removed: the ones before it, and the rows on them, are the present ones."""
    old = [chains(0, text="old"), probed(1, text="old")]
    new = [chains(2, text="new"), probed(3, text="new")]
    assert held(log(*old, *new), P) == dict.fromkeys(IDS, 3)
    assert held(log(*old, new[1]), P) == dict.fromkeys(IDS, 1)


def test_a_reader_s_rows_are_a_piece_of_their_own():
    found = log(chains(0), probed(1, pieces=[READ]))
    assert found.missing(IDS, Wanted(frozenset({P, READ}))) == {P: tuple(IDS)}
    stale = log(*found.commits, chains(2, ["i0"], text="new"))
    assert stale.missing(IDS, Wanted(frozenset({READ}))) == {READ: ("i0",)}


def test_a_larger_limit_renews_the_items_that_the_smaller_one_cut():
    found = log(chains(0, cut=["i1"], max_tokens=10), probed(1, cut=["i2"], max_tokens=10))
    for limit, missing in ((10, {}), (5, {}), (None, {}), (11, {COT: ("i1",), P: ("i2",)})):
        assert found.missing(IDS, Wanted(frozenset({COT, P}), limit)) == missing
    again = log(*found.commits, chains(2, ["i1"], cut=["i1"], text="longer", max_tokens=20))
    assert again.missing(IDS, Wanted(frozenset({COT, P}), 20)) == {P: ("i1", "i2")}
    assert again.missing(IDS, Wanted(frozenset({COT, P}), 30)) == {COT: ("i1",), P: ("i1", "i2")}


def test_commits_of_no_known_limit_are_never_renewed_for_it():
    assert log(chains(0, cut=["i1"])).missing(IDS, Wanted(frozenset({COT}), 10**6)) == {}


def test_quarantined_items_are_wanted_anew_if_they_are_asked_for():
    statuses = {"ok": [1, 0, 1], "quarantined": [0, 1, 0]}
    found = log(chains(0, statuses=statuses))
    assert found.missing(IDS, Wanted(frozenset({COT}))) == {}
    assert found.missing(IDS, Wanted(frozenset({COT}), quarantined=True)) == {COT: ("i1",)}


def test_what_a_damaged_part_held_is_wanted_anew_with_what_rests_on_it():
    found = log(chains(0, text="a"), probed(1, text="a"), chains(2, ["i0"], text="b"), probed(3, ["i0"], text="b"))

    def missing(*keys):
        return found.missing(IDS, Wanted(frozenset({COT, P}), without=frozenset(keys)))

    assert missing() == missing("_parts/elsewhere.chains") == {}
    assert missing(found.commits[1].parts[0].key) == {P: ("i1", "i2")}
    assert missing(found.commits[0].part("items").key) == {COT: ("i1", "i2")}
    assert missing(found.commits[2].part("chains").key) == {COT: ("i0",)}  # readers do not go back to those before it
    assert missing(*(found.commits[at].part("chains").key for at in (0, 2))) == {COT: tuple(IDS)}


def test_rows_by_status_are_those_that_count():
    found = ledger(
        chains(0, statuses={"ok": [2, 1, 2], "truncated": [0, 1, 0]}),
        chains(1, ["i1"], statuses={"ok": [2]}),
        probed(2, statuses={"ok": [1, 1, 0], "unparsed": [0, 0, 1]}),
        probed(3, pieces=[READ], statuses={"unparsed": [1, 1, 1]}),
        chains(0, statuses={"ok": [1, 1, 1]}, model="other"),
    )
    assert found.statuses() == {"ok": 6 + 2 + 3, "unparsed": 1 + 3}
    assert found.statuses(readers=False) == {"ok": 11, "unparsed": 1}
    assert found.statuses(readers=True) == {"unparsed": 3}
    assert list(found.logs) == [Shard("m", "t", 0, 3), Shard("other", "t", 0, 3)]
    assert len(list(found.commits())) == 5


def model_holder(found, piece, item, without):
    """The last commit of the piece and item on the present text, unless it is damaged: straight from the definition."""
    own = [one for one in found if item in one.items and piece in [p.name for p in one.pieces]]
    if piece.probe is not None:
        under = model_holder(found, piece.chains, item, without)
        own = [one for one in own if under is not None and text_of(one, piece, item) == text_of(under, piece, item)]
    last = max(own, key=lambda one: one.generation, default=None)
    return None if last is None or without & {part.key for part in last.parts} else last


def text_of(one, piece, item):
    (hashes,) = [t.hashes for t in one.texts if (t.strategy, t.variant) == piece[:2]]
    return hashes[one.items.index(item)]


def model_missing(found, piece, item, wanted):
    one = model_holder(found, piece, item, wanted.without)
    if piece.probe is not None and model_holder(found, piece.chains, item, wanted.without) is None:
        return False  # it waits
    if one is None:
        return True
    (own,) = [p for p in one.pieces if p.name == piece]
    place = one.items.index(item)
    if wanted.quarantined and own.statuses.get("quarantined", [0] * 9)[place]:
        return True
    small = None not in (wanted.max_tokens, one.max_tokens) and one.max_tokens < wanted.max_tokens
    return small and place in own.cut


@settings(max_examples=100, deadline=None)
@given(commits(), st.randoms(use_true_random=False), st.sampled_from([None, 10, 20, 30]), st.booleans(), st.data())
def test_any_log_is_read_as_the_definition_says(found, random, limit, quarantined, data):
    parts = [part.key for one in found for part in one.parts]
    without = frozenset(data.draw(st.lists(st.sampled_from(parts), unique=True, max_size=2))) if parts else frozenset()
    wanted = Wanted(frozenset(PIECES), limit, quarantined, without)
    shuffled = random.sample(found, len(found))  # the order of reading does not matter
    read = log(*shuffled)
    for piece in PIECES:
        expected = {item: model_holder(found, piece, item, frozenset()) for item in IDS}
        live = read.live.get(piece, {})
        assert {item: live[item].commit if item in live else None for item in IDS} == expected
        lacking = tuple(item for item in IDS if model_missing(found, piece, item, wanted))
        assert read.missing(IDS, wanted).get(piece, ()) == lacking


@settings(max_examples=40, deadline=None)
@given(commits(), st.sampled_from([10, 20, 30]))
def test_doing_what_is_missing_leaves_nothing_missing(found, limit):
    wanted, done = Wanted(frozenset(PIECES), limit, quarantined=True), list(found)
    for _ in range(2):  # chains, then the probes on them
        read = log(*done)
        for piece, items in read.missing(IDS, wanted).items():
            texts = {
                item: "new" if piece.probe is None else read.live[piece.chains][item].texts(piece)[0] for item in items
            }
            generation = max((one.generation for one in done), default=-1) + 1
            done.append(commit(0, 3, pieces=[piece], items=items, generation=generation, text=texts, max_tokens=limit))
            read = log(*done)
    assert log(*done).missing(IDS, wanted) == {}


@pytest.mark.parametrize("items", [["i2"], ["i2", "i0"], []])
def test_only_the_items_that_are_asked_for_are_missing_in_their_order(items):
    found = log(chains(0, ["i1"])).missing(items, Wanted(frozenset({COT})))
    assert found == ({COT: tuple(items)} if items else {})


SIMULATED = PieceName("cot", probe="s", reader="r")
READS = Wanted(frozenset({SIMULATED}), reads=frozenset({("s", "p")}))


def test_a_reading_of_a_probes_rows_waits_for_them():
    assert log(chains(0)).missing(IDS, READS) == {}
    found = log(chains(0), probed(1, ["i0", "i2"]))
    assert found.missing(IDS, READS) == {SIMULATED: ("i0", "i2")}
    assert found.missing(IDS, Wanted(frozenset({SIMULATED}))) == {SIMULATED: tuple(IDS)}, "without them it waits not"


def test_a_reading_of_rows_that_were_made_anew_is_asked_anew():
    first = [chains(0), probed(1), probed(2, pieces=(SIMULATED,))]
    assert log(*first).missing(IDS, READS) == {}
    renewed = [*first, probed(3, ["i1"])]
    assert log(*renewed).missing(IDS, READS) == {SIMULATED: ("i1",)}
    assert log(*renewed, probed(4, ["i1"], pieces=(SIMULATED,))).missing(IDS, READS) == {}


def test_a_reading_of_rows_that_are_damaged_waits_for_them():
    found = log(chains(0), probed(1), probed(2, pieces=(SIMULATED,)))
    lost = frozenset(part.key for part in found.commits[1].parts)
    wanted = Wanted(frozenset({SIMULATED}), without=lost, reads=READS.reads)
    assert found.missing(IDS, wanted) == {}
    both = Wanted(frozenset({P, SIMULATED}), without=lost, reads=READS.reads)
    assert found.missing(IDS, both) == {P: tuple(IDS)}
