import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.workers.prefix_tree import distinct_tokens, pack

# Few distinct ids, so that prefixes are shared often; large ones, so that byte order would show.
IDS = st.sampled_from([0, 1, 2, 255, 256, 70_000])
SEQUENCES = st.lists(st.lists(IDS, min_size=1, max_size=12).map(tuple), min_size=1, max_size=12)


def prefixes(sequences):
    return {s[:n] for s in sequences for n in range(1, len(s) + 1)}


def attended(tree, i):
    return [j for j in range(len(tree)) if j <= i < tree.end_T[j]]


@given(SEQUENCES)
def test_what_a_node_attends_to_spells_its_prefix(sequences):
    (tree,) = pack(sequences, 10**6)
    for index, nodes in tree.nodes.items():
        for n, node in enumerate(nodes):
            assert attended(tree, node) == nodes[: n + 1].tolist()
            assert tuple(tree.tokens_T[attended(tree, node)]) == sequences[index][: n + 1]
            assert tree.positions_T[node] == n


@given(SEQUENCES)
def test_every_distinct_prefix_is_one_node(sequences):
    (tree,) = pack(sequences, 10**6)
    assert len(tree) == len(tree.end_T) == distinct_tokens(sequences) == len(prefixes(sequences))


@given(SEQUENCES, st.integers(1, 30))
def test_packing_keeps_every_sequence_whole_and_within_the_budget(sequences, budget):
    passes = pack(sequences, budget)
    assert sorted(i for tree in passes for i in tree.nodes) == list(range(len(sequences)))
    for tree in passes:
        held = [sequences[i] for i in tree.nodes]
        assert len(tree) == len(prefixes(held))
        assert len(tree) <= budget or len({len(s) for s in held}) == 1 or len(tree) == max(map(len, held))
        for i, nodes in tree.nodes.items():
            assert tuple(tree.tokens_T[nodes]) == sequences[i]


def test_a_sequence_longer_than_the_budget_gets_a_pass_of_its_own():
    passes = pack([(1,) * 10, (2, 3), (2, 4)], 4)
    assert [sorted(tree.nodes) for tree in passes] == [[0], [1, 2]]


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
    assert {a.dtype for a in (tree.tokens_T, tree.positions_T, tree.end_T)} == {np.dtype(np.int64)}
    assert tree.tokens_T.tolist() == [1, 2, 3]
    assert tree.end_T.tolist() == [3, 2, 3]
