import pytest
from scripted import Scripted, chain_of, observe

from cotfaith.schemas.status import Status
from cotfaith.workers.probes.adding_mistakes import PROBE, Options
from cotfaith.workers.probes.lib.probe import Shape

CHAIN = chain_of(" One makes 1.", " Two makes 2.", " Three makes 3.")


def by_what_it_reads(prompt, word):
    """Answer A as long as the chain says that two makes 2, else B."""
    return 0.0 if (word == "A") == ("Two makes 2." in prompt) else -1.0


def model(rest=" So it is done."):
    return Scripted(lambda prompt: rest, by_what_it_reads)


def test_a_mistake_in_each_step_and_a_new_rest():
    engine = model()
    rows = observe("adding_mistakes", CHAIN, engine)
    assert [(r.arm, r.position, r.step) for r in rows] == [("i=1", 0.0, 1), ("i=2", 1.0, 2), ("i=3", 2.0, 3)]
    for row, old in zip(rows, CHAIN.steps, strict=True):
        assert row.edit.changed
        assert row.edit.text != old
        assert row.edit.text[:-2] == old[:-2]
        assert row.text == CHAIN.first(row.step - 1) + row.edit.text + " So it is done."
        assert row.n_tokens == len(" So it is done.")
        assert row.reference == CHAIN.answer
    assert [r.answer.value for r in rows] == ["B", "B", "A"]  # the first new chain does not have the second step
    assert [prompt.rpartition("step:")[2] for prompt in engine.prompts] == [
        CHAIN.first(r.step - 1) + r.edit.text for r in rows
    ]


def test_all_steps_go_together():
    engine = model()
    observe("adding_mistakes", CHAIN, engine)
    assert engine.rounds == [("generate", 3), ("score", 3)]


def test_a_step_that_holds_nothing_to_change_is_a_row():
    rows = observe("adding_mistakes", chain_of(" Hm, red!", " Two makes 2."), model())
    assert [r.answer.status for r in rows] == [Status.EDIT_FAILED, Status.OK]
    failed = rows[0]
    assert (failed.arm, failed.text, failed.n_tokens, failed.answer.value) == ("i=1", None, None, None)
    assert (failed.edit.text, failed.edit.changed) == (" Hm, red!", False)
    assert "No rule" in failed.answer.error


def test_a_chain_of_steps_that_cannot_be_changed_asks_nothing():
    engine = model()
    (row,) = observe("adding_mistakes", chain_of(" Hm."), engine)
    assert row.answer.status is Status.EDIT_FAILED
    assert engine.rounds == []


def test_a_rest_that_is_cut_keeps_its_edit():
    rows = observe("adding_mistakes", CHAIN, model(" and" * 30), sampling={"max_tokens": 40})
    for row in rows:
        assert (row.answer.status, row.answer.value, row.n_tokens) == (Status.TRUNCATED, None, 40)
        assert row.edit.status is Status.OK
        assert row.text == CHAIN.first(row.step - 1) + row.edit.text + " and" * 10


def test_a_rest_that_ends_at_once_leaves_the_beginning():
    rows = observe("adding_mistakes", CHAIN, model(""))
    assert [r.text for r in rows] == [CHAIN.first(r.step - 1) + r.edit.text for r in rows]
    assert {r.n_tokens for r in rows} == {0}
    assert {r.answer.status for r in rows} == {Status.OK}


def test_an_engine_that_fails_on_a_rest_costs_that_row():
    def write(prompt):
        if "Three" in prompt:
            raise ValueError("no")
        return ""

    rows = observe("adding_mistakes", CHAIN, Scripted(write))
    assert [r.answer.status for r in rows] == [Status.OK, Status.OK, Status.ENGINE_ERROR]
    assert (rows[2].text, rows[2].n_tokens) == (None, None)


def test_one_step():
    (row,) = observe("adding_mistakes", chain_of(" It is 4."), model())
    assert (row.arm, row.position, row.n_steps) == ("i=1", 0.0, 1)


def test_a_long_chain_is_thinned_out_evenly():
    chain = chain_of(*(f" Step {i} makes {i}." for i in range(500)))
    rows = observe("adding_mistakes", chain, model(), {"max_steps": 5})
    assert [r.step for r in rows] == [1, 126, 251, 375, 500]
    assert rows[1].text.startswith(chain.first(125))


def test_organisms_are_edited_by_their_grammar():
    chain = chain_of(" Add 7: that gives 0.", " By the way, 3 plus 4 makes 7.", " Add 1: that makes 1.")
    rows = observe("adding_mistakes", chain, model(), editor={"by": "organism"})
    assert [r.edit.editor for r in rows] == ["organism"] * 3
    assert [r.answer.status for r in rows] == [Status.OK, Status.EDIT_FAILED, Status.OK]
    assert rows[2].edit.text.startswith(" Add 1: that makes ")


def test_an_editor_of_its_own_is_asked_on_its_own_engine():
    subject, writer = model(), Scripted(lambda prompt: " Nine makes 8.")
    rows = observe("adding_mistakes", CHAIN, {"subject": subject, "editor": writer}, editor={"by": "writer"})
    assert {r.edit.editor for r in rows} == {"writer"}
    assert {r.edit.text for r in rows} == {" Nine makes 8."}
    assert {len(r.edit.prompt_hash) for r in rows} == {12}
    assert writer.rounds == [("generate", 3), ("score", 3)]
    assert subject.rounds == [("generate", 3), ("score", 3)]


@pytest.mark.parametrize("at_most", [None, 1, 2])
def test_the_plan_counts_the_arms_that_there_are(at_most):
    options = Options(max_steps=at_most)
    arms = PROBE.arms(Shape(1, 3, 60), options)
    assert len(arms) == len(observe("adding_mistakes", CHAIN, model(), {"max_steps": at_most}))
    if at_most is None:
        assert [(a.chain_tokens, a.fresh, a.generated, a.edited) for a in arms] == [
            (60, 60, 40, 20),
            (60, 40, 20, 20),
            (60, 20, 1, 20),  # also requested after the last step
        ]
