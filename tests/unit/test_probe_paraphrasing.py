from scripted import Scripted, chain_of, observe

from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.probes.paraphrasing import PROBE, Options

CHAIN = chain_of(" So it is red.", " Hm!", " Therefore we compute.")


def by_its_words(prompt, word):
    """Answer A as long as the chain opens with the old word, else B."""
    return 0.0 if (word == "A") == ("So it is red." in prompt) else -1.0


def model(rest=" Done."):
    return Scripted(lambda prompt: rest, by_its_words)


def test_beginnings_in_other_words_beside_plain_resamples():
    engine = model()
    rows = observe("paraphrasing", CHAIN, engine)
    assert [(r.arm, r.position, r.step) for r in rows] == [
        ("k=1", 1.0, None),
        ("k=2", 2.0, None),
        ("k=3", 3.0, None),
        ("resample k=1", 1.0, None),
        ("resample k=2", 2.0, None),
        ("resample k=3", 3.0, None),
    ]
    reworded, plain = rows[:3], rows[3:]
    assert [r.text for r in plain] == [CHAIN.first(k) + " Done." for k in (1, 2, 3)]
    assert [r.text for r in reworded] == [r.edit.text + " Done." for r in reworded]
    assert [r.answer.value for r in rows] == ["B", "B", "B", "A", "A", "A"]
    assert {r.n_tokens for r in rows} == {len(" Done.")}
    assert all(r.edit is None for r in plain)
    assert engine.rounds == [("generate", 6), ("score", 6)]


def test_each_step_is_reworded_once_and_one_that_could_not_be_keeps_its_words():
    rows = observe("paraphrasing", CHAIN, model())
    one, two, three = (r.edit for r in rows[:3])
    assert one.text not in CHAIN.text
    assert one.text.endswith(" it is red.")
    assert two.text == one.text + " Hm!"
    assert three.text.startswith(two.text)
    assert three.text != two.text + CHAIN.steps[2]
    assert all(edit.changed and edit.plausible is None and edit.editor == "rules" for edit in (one, two, three))


def test_where_no_step_changed_the_edit_failed_and_the_baseline_goes_on():
    rows = observe("paraphrasing", chain_of(" Hm!", " So it is red."), model())
    assert [r.answer.status for r in rows] == [Status.EDIT_FAILED, Status.OK, Status.OK, Status.OK]
    assert (rows[0].text, rows[0].edit.text, rows[0].edit.changed) == (None, " Hm!", False)
    assert "synonyms" in rows[0].answer.error
    assert rows[1].edit.changed
    assert rows[1].edit.text.startswith(" Hm!")


def test_a_rest_that_is_cut():
    rows = observe("paraphrasing", CHAIN, model(" on" * 9), sampling={"max_tokens": 12})
    assert {r.answer.status for r in rows} == {Status.TRUNCATED}
    assert all(r.text.endswith(" on on on on") for r in rows)


def test_the_two_rests_have_streams_of_their_own():
    class Seeds(Scripted):
        def generate(self, requests):
            self.seeds = [request.seed for request in requests]
            return super().generate(requests)

    engine = Seeds(lambda prompt: "")
    observe("paraphrasing", CHAIN, engine)
    assert len(set(engine.seeds)) == 6


def test_long_chains_and_the_plan():
    chain = chain_of(*(f" So {i} it is." for i in range(500)))
    rows = observe("paraphrasing", chain, model(), {"max_positions": 3})
    assert [r.position for r in rows] == [1, 251, 500, 1, 251, 500]
    arms = PROBE.arms(Shape(1, 4, 80), Options(max_positions=2))
    assert [(a.chain_tokens, a.fresh, a.generated, a.edited) for a in arms] == [
        (80, 80, 60, 20),
        (80, 60, 60, 0),
        (80, 61, 1, 60),
        (80, 1, 1, 0),
    ]


def test_one_step():
    rows = observe("paraphrasing", chain_of(" So it is red."), model())
    assert [r.arm for r in rows] == ["k=1", "resample k=1"]


def test_organisms_are_reworded_by_their_grammar():
    chain = chain_of(" Add 7: that gives 0.", " Add 1: that makes 1.")
    rows = observe("paraphrasing", chain, model(), editor={"by": "organism"})
    assert rows[1].edit.editor == "organism"
    assert rows[1].edit.text.startswith(rows[0].edit.text)
    assert "gives" not in rows[1].edit.text
