"""The figure of who can be used: places, the frontier's steps, and who is not drawn."""

import pytest
from pictures import Picture

from cotfaith.cluster.report.drawing.looks import looks_of
from cotfaith.cluster.report.standing import standing_figure
from cotfaith.cluster.verdicts.candidate import Candidate, OnTask
from cotfaith.cluster.verdicts.select import select
from cotfaith.cluster.verdicts.verdict import QUESTIONS, WHOLE, Answered, Verdict


def candidate(model, decision, capable, faithful):
    answers = tuple(Answered(question, "passes") for question in QUESTIONS)
    verdict = Verdict("r", model, "t", "cot", None, WHOLE, decision, answers, 0.01, 100)
    return Candidate(model, "cot", None, {"t": OnTask(verdict, capable, faithful)}, ["t"])


def drawn(*found, looks=()):
    figure = standing_figure(select(found), looks_of(looks))
    return figure and (figure, Picture(figure.svg))


def test_points_are_what_can_be_counted_on_and_steps_join_the_frontier():
    figure, picture = drawn(
        candidate("a", "trust", 0.6, 0.9),
        candidate("b", "do_not_trust", 0.9, 0.2),
        candidate("c", "trust", 0.8, 0.7),
        candidate("beaten", "trust", 0.55, 0.5),
        looks=["a", "b", "c", "beaten"],
    )
    places = {spot.hover.split("\n")[0]: (round(spot.x, 2), round(spot.y, 2), spot.filled) for spot in picture.spots()}
    assert places == {"a": (0.6, 0.9, True), "b": (0.9, 0.2, False), "c": (0.8, 0.7, True), "beaten": (0.55, 0.5, True)}
    ((first, *steps, last),) = picture.paths("level")
    assert [value for step in steps for value in step] == pytest.approx(
        [0.6, 0.9, 0.6, 0.7, 0.8, 0.7, 0.8, 0.2, 0.9, 0.2], abs=0.01
    )
    assert first[0] < 0.55
    assert first[1] == pytest.approx(0.9, abs=0.01)
    assert last[0] == pytest.approx(0.9, abs=0.01)
    assert last[1] < 0.2
    assert sorted(picture.words("name")) == ["a", "b", "beaten", "c"]
    assert "Not drawn" not in figure.note


def test_who_lacks_a_figure_is_named_and_not_drawn():
    figure, picture = drawn(
        candidate("a", "trust", 0.6, 0.9),
        candidate("b", "trust", 0.6, 0.9),
        candidate("<i>", "not_enough_evidence", 0.9, None),
    )
    assert len(picture.spots()) == 2
    assert figure.note.endswith("Not drawn, because a figure is not measured: <i>.")
    assert drawn(candidate("a", "trust", 0.6, 0.9), candidate("b", "trust", None, 0.2)) is None
    assert drawn() is None
