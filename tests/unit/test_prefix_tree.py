import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotfaith.workers.engines.transformers.prefix_tree import MOST_KEPT, Reach, distinct_tokens, pack, work

# Few distinct ids, so that prefixes are shared often; large ones, so that byte order would show.
IDS = st.sampled_from([0, 1, 2, 255, 256, 70_000])
SEQUENCES = st.lists(st.lists(IDS, min_size=1, max_size=12).map(tuple), min_size=1, max_size=12)


def prefixes(sequences):
    return {s[:n] for s in sequences for n in range(1, len(s) + 1)}


class Kept:
    """Prefixes that are known before, with a slot each, and what a slot holds."""

    def __init__(self, sequences):
        self.slots = {prefix: i for i, prefix in enumerate(sorted(prefixes(sequences)))}
        self.token = {i: (prefix[-1], len(prefix) - 1) for prefix, i in self.slots.items()}

    def match(self, ids):
        known = [self.slots[p] for n in range(1, len(ids) + 1) if (p := tuple(ids[:n].tolist())) in self.slots]
        return np.array(known, dtype=np.int64)


NOTHING = Kept([])


def spelled(passes, kept=NOTHING):
    """Sequence index -> the tokens and positions that its last token attends to, from the definition in the module."""
    columns, found = [], {}
    for tree in passes:
        own = zip(tree.tokens_T.tolist(), tree.positions_T.tolist(), strict=True)
        columns = [*(columns[j] for j in tree.past_P), *(kept.token[slot] for slot in tree.kept_S.tolist()), *own]
        assert [depth for _, depth in columns] == tree.depth_C.tolist()
        for index, path in tree.nodes.items():
            row = path[-1]
            attended = [j for j in range(len(columns)) if tree.rank_C[j] <= tree.rank_C[row] < tree.end_C[j]]
            assert sorted(attended) == sorted(path.tolist())
            assert row >= tree.before  # its logits are computed in this pass
            assert tree.ids[index].tolist() == [columns[j][0] for j in path]
            found[index] = tuple(zip(*(columns[j] for j in path), strict=True))
        assert tree.cut_ids.tolist() == [columns[j][0] for j in tree.cut]
    return found


@settings(deadline=None)
@given(SEQUENCES, SEQUENCES, st.integers(1, 30))
def test_what_is_known_is_not_computed_again_but_for_last_tokens(sequences, earlier, budget):
    distinct, kept = list(dict.fromkeys(sequences)), Kept(earlier)
    passes = pack(distinct, budget, kept.match)
    assert spelled(passes, kept) == {i: (s, tuple(range(len(s)))) for i, s in enumerate(distinct)}
    known = prefixes(distinct) & set(kept.slots)
    expected = len(prefixes(distinct) - known) + len(known & set(distinct))
    assert sum(map(len, passes)) == work(passes).computed == expected
    assert all(1 <= len(tree) <= budget for tree in passes)


@settings(deadline=None)
@given(SEQUENCES, SEQUENCES, st.integers(1, 30), st.integers(1, 9), st.none() | st.integers(1, 5))
def test_blocks_with_known_nodes_hold_each_node_s_path_within_the_window(sequences, earlier, budget, size, window):
    for tree in pack(sequences, budget, Kept(earlier).match):
        seen = {}
        for block in tree.blocks(size, Reach(window)):
            assert 1 <= block.stop - block.start <= size
            assert len(block.column_K) <= max(tree.depth_C) + 2 * size
            for row, node in enumerate(range(block.start, block.stop)):
                seen[node] = set(block.column_K[block.seen_BK[row]].tolist())
        assert sorted(seen) == list(range(len(tree)))
        for node, got in seen.items():
            rank, depth = tree.rank_C[tree.before + node], tree.positions_T[node]
            path = (tree.rank_C <= rank) & (rank < tree.end_C) & (tree.depth_C > depth - (window or 99))
            assert got == set(np.flatnonzero(path).tolist())


@settings(deadline=None)
@given(SEQUENCES, SEQUENCES, st.integers(1, 30), st.integers(1, 9), st.integers(1, 5))
def test_blocks_of_chunks_hold_the_part_of_the_path_that_is_in_the_node_s_own_chunk(
    sequences, earlier, budget, size, chunk
):
    for tree in pack(sequences, budget, Kept(earlier).match):
        for block in tree.blocks(size, Reach(chunk=chunk)):
            for row, node in enumerate(range(block.start, block.stop)):
                depth = tree.positions_T[node]
                seen = sorted(tree.depth_C[block.column_K[block.seen_BK[row]]].tolist())
                assert seen == list(range(depth - depth % chunk, depth + 1))


def test_a_pass_ends_before_it_uses_too_many_known_nodes():
    known = [(t, *range(20)) for t in range(9)]
    passes = pack([(*k, leaf) for k in known for leaf in (98, 99)], 10, Kept(known).match)
    assert max(len(tree.kept_S) for tree in passes) <= MOST_KEPT * 10
    assert sum(map(len, passes)) == 18


@settings(deadline=None)
@given(SEQUENCES, st.integers(1, 30))
def test_what_a_last_token_attends_to_spells_its_sequence(sequences, budget):
    distinct = list(dict.fromkeys(sequences))
    found = spelled(pack(distinct, budget))
    assert found == {i: (s, tuple(range(len(s)))) for i, s in enumerate(distinct)}


@settings(deadline=None)
@given(SEQUENCES, st.integers(1, 30))
def test_no_prefix_is_computed_twice_and_no_pass_exceeds_the_budget(sequences, budget):
    passes = pack(sequences, budget)
    assert sum(map(len, passes)) == distinct_tokens(sequences) == len(prefixes(sequences))
    assert all(1 <= len(tree) <= budget for tree in passes)


@settings(deadline=None)
@given(SEQUENCES)
def test_in_one_pass_every_token_of_every_sequence_attends_to_its_own_prefix(sequences):
    tree, *others = pack(sequences, 10**6)
    assert not others
    for index, columns in tree.nodes.items():
        assert tuple(tree.tokens_T[columns]) == sequences[index]
        for n, column in enumerate(columns):
            assert [j for j in range(len(tree)) if j <= column < tree.end_C[j]] == columns[: n + 1].tolist()


def test_a_sequence_longer_than_the_budget_is_cut_and_its_path_kept():
    passes = pack([(1,) * 10, (2, 3), (2, 4)], 4)
    assert [len(tree) for tree in passes] == [4, 4, 2, 3]
    assert [tree.past_P.tolist() for tree in passes] == [[], [0, 1, 2, 3], list(range(8)), []]
    assert [sorted(tree.nodes) for tree in passes] == [[], [], [0], [1, 2]]


def test_what_is_kept_is_the_path_alone():
    branches = [(0, *range(100 * b, 100 * b + 7)) for b in range(1, 6)]
    assert [tree.past_P.tolist() for tree in pack(branches, 8)][1:] == [[0]] * 4


def test_unrelated_trees_get_passes_of_their_own_once_these_are_large():
    sequences = [(tree, *range(9), leaf) for tree in range(3) for leaf in range(4)]
    assert [len(tree) for tree in pack(sequences, 100)] == [14, 14, 14]
    assert [len(tree) for tree in pack(sequences, 1000)] == [42]


def test_a_chain_costs_its_length_rather_than_the_square():
    chain = tuple(range(100))
    assert distinct_tokens([chain[:n] for n in range(1, 101)]) == 100


@pytest.mark.parametrize("function", [distinct_tokens, lambda s: len(pack(s, 5))])
def test_nothing_costs_nothing(function):
    assert function([]) == 0


def test_arrays_are_what_torch_takes_as_ids():
    (tree,) = pack([(1, 2), (1, 3)], 10)
    assert {a.dtype for a in (tree.past_P, tree.tokens_T, tree.positions_T, tree.end_C)} == {np.dtype(np.int64)}
    assert tree.tokens_T.tolist() == [1, 2, 3]
    assert tree.end_C.tolist() == [3, 2, 3]


@settings(deadline=None)
@given(SEQUENCES, st.integers(1, 30), st.integers(1, 9), st.none() | st.integers(1, 5))
def test_blocks_hold_each_node_s_path_within_the_window_and_few_columns_more(sequences, budget, size, window):
    for tree in pack(sequences, budget):
        past, columns = len(tree.past_P), np.arange(len(tree.end_C))
        seen = {}
        for block in tree.blocks(size, Reach(window)):
            assert block.stop - block.start <= size
            assert len(block.column_K) <= max(tree.depth_C) + size
            for row, node in enumerate(range(block.start, block.stop)):
                seen[node] = block.column_K[block.seen_BK[row]].tolist()
        assert sorted(seen) == list(range(len(tree)))
        for node, got in seen.items():
            at = past + node
            path = columns[(columns <= at) & (at < tree.end_C)].tolist()
            assert got == (path if window is None else path[-window:])
