"""The tree of segments spells the sequences that it was made of, and each shared beginning once."""

from hypothesis import given
from hypothesis import strategies as st

from cotfaith.workers.engines.transformers.forks import segments
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens

SEQUENCES = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=9).map(tuple), min_size=1, max_size=12, unique=True
)


def walk(found, before=()):
    for segment in found:
        spelled = before + segment.tokens
        assert segment.tokens
        assert segment.start == len(before)
        assert segment.text in (None, spelled)
        assert segment.text or len(segment.children) > 1  # else it would be one segment with its child
        yield segment
        yield from walk(segment.children, spelled)


@given(SEQUENCES)
def test_segments_spell_every_sequence_and_no_token_twice(sequences):
    found = list(walk(segments(sequences)))
    assert sorted(s.text for s in found if s.text) == sorted(sequences)
    assert sum(len(s.tokens) for s in found) == distinct_tokens(sequences)


def test_a_chain_asked_at_each_step_is_a_trunk_with_a_branch_at_each_step():
    chain = (1, 2, 3, 4)
    (first,) = segments([(*chain[:n], 9) for n in range(1, 5)])
    assert first.tokens == (1,)
    assert [child.tokens for child in first.children] == [(2,), (9,)]
