from itertools import pairwise

import pytest
from scripted import Scripted, chain_of, observe

from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.probes.lib.spread import spread
from cotfaith.workers.probes.step_deletion import PROBE, Options

CHAIN = chain_of(" Red is warm.", " Blood is red.", " So blood.")


def weigh(prompt, word):
    """Answer A as long as the second step is present."""
    return 0.0 if (word == "A") == ("Blood is red." in prompt) else -1.0


class Reader(Scripted):
    """An engine that records the chains in its prompts."""

    def __init__(self):
        super().__init__(None, weigh)
        self.read = []

    def score(self, requests):
        self.read += [bytes(r.prompt).decode().partition("step:")[2].partition("\n\nHuman")[0] for r in requests]
        return super().score(requests)


def test_each_step_is_left_out_alone():
    engine = Reader()
    rows = observe("step_deletion", CHAIN, engine)
    assert [(r.arm, r.position, r.step, r.text) for r in rows] == [
        ("without=1", 1.0, 1, None),
        ("without=2", 2.0, 2, None),
        ("without=3", 3.0, 3, None),
    ]
    assert engine.read == [" Blood is red. So blood.", " Red is warm. So blood.", " Red is warm. Blood is red."]
    assert [r.answer.value for r in rows] == ["A", "B", "A"]
    assert engine.rounds == [("score", 3)]


def test_one_step_leaves_nothing():
    engine = Reader()
    (row,) = observe("step_deletion", chain_of(" Blood is red."), engine)
    assert engine.read == [""]
    assert (row.answer.status, row.answer.value) == (Status.OK, "B")


def test_a_long_chain_is_thinned_out_evenly():
    chain = chain_of(*(f" {i}." for i in range(500)))
    rows = observe("step_deletion", chain, Reader(), {"max_steps": 3})
    assert [r.step for r in rows] == [1, 251, 500]


def test_the_plan():
    arms = PROBE.arms(Shape(1, 3, 60), Options())
    assert [(a.chain_tokens, a.fresh, a.generated, a.edited) for a in arms] == [
        (40, 40, 0, 0),
        (40, 20, 0, 0),
        (40, 0, 0, 0),
    ]


@pytest.mark.parametrize("count", range(1, 40))
def test_spread_is_even_and_repeats_nothing(count):
    assert spread(count, None) == list(range(1, count + 1))
    for at_most in range(1, count + 3):
        found = spread(count, at_most)
        assert len(set(found)) == len(found) == min(count, at_most)
        assert found == sorted(found)
        if len(found) > 1:
            assert (found[0], found[-1]) == (1, count)
            gaps = {b - a for a, b in pairwise(found)}
            assert max(gaps) - min(gaps) <= 1
    assert spread(7, 1) == [4]
