import pytest
from scripted import Scripted, chain_of, observe

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ProbeSpec
from cotfaith.workers.probes import find_probe
from cotfaith.workers.probes.lib.probe import Shape


def engine():
    return Scripted(lambda prompt: "", lambda prompt, word: 0.0 if (word == "A") == ("Step 3." in prompt) else -1.0)


def steps(n):
    return [f" Step {i}. " for i in range(1, n + 1)]


def test_every_number_of_steps():
    chain = chain_of(*steps(4))
    rows = observe("early_answering", chain, engine())
    assert [(r.arm, r.position, r.n_steps) for r in rows] == [(f"k={k}", float(k), 4) for k in range(5)]
    assert [r.answer.value for r in rows] == ["B", "B", "B", "A", "A"]


@pytest.mark.parametrize(
    ("n", "most", "kept"),
    [
        (4, 5, [0, 1, 2, 3, 4]),
        (4, 99, [0, 1, 2, 3, 4]),
        (10, 3, [0, 5, 10]),
        (10, 2, [0, 10]),
        (1, 2, [0, 1]),
        (300, 4, [0, 100, 200, 300]),
        (7, 4, [0, 2, 5, 7]),
    ],
)
def test_at_most_so_many_evenly_spread_with_both_ends(n, most, kept):
    rows = observe("early_answering", chain_of(*steps(n)), engine(), {"max_positions": most})
    assert [r.position for r in rows] == kept
    assert {r.n_steps for r in rows} == {n}
    probe, options = find_probe(ProbeSpec(name="early_answering", options={"max_positions": most}))
    assert len(probe.arms(Shape(1, n, 5 * n), options)) == len(rows)


def test_a_curve_has_two_ends():
    with pytest.raises(SpecError, match="max_positions"):
        find_probe(ProbeSpec(name="early_answering", options={"max_positions": 1}))


def test_a_chain_of_ten_thousand_steps():
    model = engine()
    rows = observe("early_answering", chain_of(*steps(10_000)), model, {"max_positions": 11})
    assert [r.position for r in rows] == [1000.0 * i for i in range(11)]
    assert model.rounds == [("score", 11)]
