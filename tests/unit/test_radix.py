"""A radix tree knows what a plain table of prefixes would, whatever is inserted, asked for and taken away."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cotfaith.workers.engines.transformers.radix import Radix

SEQUENCE = st.lists(st.sampled_from([0, 1, 70_000]), min_size=1, max_size=8).map(tuple)
STEPS = st.lists(
    st.tuples(st.just("insert"), SEQUENCE)
    | st.tuples(st.just("match"), SEQUENCE)
    | st.tuples(st.just("take"), st.integers(0, 9))
    | st.tuples(st.just("call"), st.none()),
    max_size=40,
)


def array(ids):
    return np.array(ids, dtype=np.int64)


@settings(deadline=None)
@given(STEPS)
def test_it_knows_what_a_table_of_prefixes_knows(steps):
    radix, slots, used, fresh = Radix(), {}, {}, iter(range(10**6))
    for what, given_ in steps:
        if what == "call":
            radix.call += 1
        elif what == "take":
            taken = set(radix.take(given_).tolist())
            old = {prefix for prefix in slots if used[prefix] < radix.call}
            gone = {prefix for prefix in slots if slots[prefix] in taken}
            assert gone <= old
            assert len(gone) == len(taken) == min(given_, len(old))
            slots = {prefix: slot for prefix, slot in slots.items() if prefix not in gone}
            assert all(prefix[:-1] in slots or len(prefix) == 1 for prefix in slots)  # only ends go
        else:
            known = [given_[:n] for n in range(1, len(given_) + 1) if given_[:n] in slots]
            if what == "insert":
                own = array([next(fresh) for _ in given_])
                assert radix.insert(array(given_), own).tolist() == own[len(known) :].tolist()
                slots |= {given_[: n + 1]: int(own[n]) for n in range(len(known), len(given_))}
                known = [given_[:n] for n in range(1, len(given_) + 1)]
            else:
                assert radix.match(array(given_)).tolist() == [slots[prefix] for prefix in known]
            used |= dict.fromkeys(known, radix.call)


def test_the_least_recently_used_end_goes_first():
    radix = Radix()
    for call, ids in enumerate([(1, 2, 3), (1, 2, 4), (5,)]):
        radix.call = call
        radix.insert(array(ids), array([10 * call + n for n in range(len(ids))]))
    radix.call = 3
    radix.match(array((1, 2, 3)))
    radix.call = 4
    assert [radix.take(1).tolist() for _ in range(6)] == [[12], [20], [2], [1], [0], []]
