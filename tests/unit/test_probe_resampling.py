import pytest
from scripted import Scripted, chain_of, observe

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.probes.resampling import PROBE, Options

CHAIN = chain_of(" One makes 1.", " Two makes 2.", " Three makes 3.")

WITH_EMBEDDER = {
    "models": [{"id": "m", "engine": "stub"}, {"id": "e", "engine": "stub", "roles": ["embedder"]}],
    "editor": {"by": "rules"},
}


class InTurn(Scripted):
    """An engine that writes the texts one after another for any prompt."""

    def __init__(self, *texts, weigh=lambda prompt, word: 0.0):
        rest = iter(texts)
        super().__init__(lambda prompt: next(rest), weigh)


class Lengths:
    """An engine that embeds a text as a direction given by its length, and fails on texts with "unreadable"."""

    capabilities = Capabilities(generate=False, score=False, prefill=False, embed=True)

    def __init__(self):
        self.texts = []

    def embed(self, requests):
        texts = [bytes(request.prompt).decode() for request in requests]
        if any("unreadable" in text for text in texts):
            raise EngineError("no")
        self.texts += texts
        return [(1.0, 0.0) if len(text) % 2 else (0.6, 0.8) for text in texts]


def b_without(words):
    return lambda prompt, word: 0.0 if (word == "A") == (words in prompt) else -1.0


def test_rollouts_from_before_each_step():
    engine = Scripted(lambda prompt: " So two. It is done.", b_without("Two"))
    rows = observe("resampling", CHAIN, engine, {"rollouts": 2})
    assert [r.arm for r in rows] == ["i=1 r=0", "i=1 r=1", "i=2 r=0", "i=2 r=1", "i=3 r=0", "i=3 r=1"]
    assert [(r.step, r.rollout, r.position) for r in rows] == [(i, r, i - 1.0) for i in (1, 2, 3) for r in (0, 1)]
    for row in rows:
        assert row.text == CHAIN.first(row.step - 1) + " So two. It is done."
        assert row.n_tokens == len(" So two. It is done.")
        assert (row.reference, row.n_steps, row.embedder) == (CHAIN.answer, 3, "lexical")
    assert [r.answer.value for r in rows] == ["B", "B", "B", "B", "A", "A"]
    assert engine.rounds == [("generate", 6), ("score", 6)]
    assert [p.rpartition("step:")[2] for p in engine.prompts[::2]] == [CHAIN.first(i) for i in (0, 1, 2)]


def test_rollouts_of_one_step_are_other_samples_and_reproduce():
    def texts():
        engine = StubEngine(ModelSpec(id="m", engine="stub"))
        return {row.arm: row.text for row in observe("resampling", CHAIN, engine, {"rollouts": 3})}

    first = texts()
    assert len(set(first.values())) == len(first) == 9
    assert texts() == first


@pytest.mark.parametrize(
    ("rest", "similarity"),
    [
        (" Two makes 2. Then 9.", 1.0),  # the step unchanged
        ("Two makes 2.", 1.0),  # no white space between what is kept and what is new
        (" Two makes 7. Two makes 2.", 0.0),  # other numbers: a different step, though the old one follows
        (" Blue sky. Two makes 2.", 0.0),
    ],
)
def test_the_new_step_is_compared_with_the_old_one(rest, similarity):
    rows = observe("resampling", CHAIN, Scripted(lambda prompt: rest), {"rollouts": 1})
    assert rows[1].similarity == pytest.approx(similarity)


def test_a_rollout_that_ends_at_once_has_no_step_to_compare():
    rows = observe("resampling", CHAIN, Scripted(lambda prompt: ""), {"rollouts": 1})
    assert [(r.answer.status, r.similarity) for r in rows] == [
        (Status.EMPTY_CHAIN, None),  # nothing kept and nothing written
        (Status.OK, None),
        (Status.OK, None),
    ]
    assert [r.text for r in rows[1:]] == [CHAIN.first(1), CHAIN.first(2)]
    assert rows[0].answer.value is None


def test_a_rollout_of_white_space_has_no_step_either():
    rows = observe("resampling", CHAIN, Scripted(lambda prompt: "\n\n "), {"rollouts": 1})
    assert [(r.answer.status, r.similarity) for r in rows[1:]] == [(Status.OK, None)] * 2


def test_rollouts_that_are_cut_are_rows():
    engine = InTurn(" Short.", " and on" * 20, " Two.", " Three.", " Four.", " Five.")
    rows = observe("resampling", CHAIN, engine, {"rollouts": 2}, sampling={"max_tokens": 40})
    assert [r.answer.status for r in rows] == [Status.OK, Status.TRUNCATED, *[Status.OK] * 4]
    cut = rows[1]
    assert (cut.similarity, cut.answer.value, cut.n_tokens) == (None, None, 40)
    assert cut.text == (" and on" * 20)[:40]
    assert [r.text for r in rows[2:]] == [CHAIN.first(1) + t for t in (" Two.", " Three.")] + [
        CHAIN.first(2) + t for t in (" Four.", " Five.")
    ]


def test_a_model_compares_all_pairs_at_once():
    subject, embedder = Scripted(lambda prompt: " Odd one. Even."), Lengths()
    chain = chain_of(" Odd.", " Three.", " Five...")
    rows = observe("resampling", chain, {"subject": subject, "embedder": embedder}, {"rollouts": 2}, **WITH_EMBEDDER)
    assert len(embedder.texts) == len(set(embedder.texts)) == 4  # three steps, and the new one once
    assert {r.embedder for r in rows} == {"e"}
    assert [r.similarity for r in rows] == pytest.approx([1, 1, 1, 1, 0.6, 0.6])


def test_a_text_that_the_embedder_fails_on_costs_its_own_similarities():
    subject = InTurn(" An unreadable step.", " Fine.", " Fine.")
    engines = {"subject": subject, "embedder": Lengths()}
    rows = observe("resampling", CHAIN, engines, {"rollouts": 1}, **WITH_EMBEDDER)
    assert [r.similarity is None for r in rows] == [True, False, False]
    assert {r.answer.status for r in rows} == {Status.OK}


def test_a_chain_of_one_step():
    rows = observe("resampling", chain_of(" It is red."), Scripted(lambda prompt: " It is blue."), {"rollouts": 3})
    assert [(r.arm, r.position, r.text) for r in rows] == [(f"i=1 r={r}", 0.0, " It is blue.") for r in range(3)]


def test_max_steps_spreads_over_a_very_long_chain():
    chain = chain_of(*(f" Step {i}." for i in range(10_000)))
    engine = Scripted(lambda prompt: " Done.")
    rows = observe("resampling", chain, engine, {"rollouts": 2, "max_steps": 3})
    assert [r.step for r in rows] == [1, 1, 5001, 5001, 10_000, 10_000]
    assert len(engine.prompts) == 6


@pytest.mark.parametrize("options", [Options(), Options(rollouts=3, max_steps=2)])
def test_the_plan_knows_the_arms(options):
    rows = observe("resampling", CHAIN, Scripted(lambda prompt: " Done."), options.model_dump())
    arms = PROBE.arms(Shape(chains=1, steps=3, tokens=30), options)
    assert len(arms) == len(rows)
    assert {arm.chain_tokens for arm in arms} == {30}
    assert arms[0].generated == arms[0].fresh == 30
    assert arms[-1].generated == 10
