import pytest

from cotfaith.schemas.status import Status
from cotfaith.workers.organisms.grammar import Step, parse_sentence
from cotfaith.workers.roles.editors import EDITORS

EDITOR = EDITORS["organism"]()
STEPS = [" Add 7: that gives 0.", "Multiply by 3: that makes 3. ", " Add 1: that becomes 1."]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seed", range(20))
def test_an_edit_changes_one_thing_and_keeps_the_white_space(step: str, seed: int) -> None:
    old = parse_sentence(step)
    assert isinstance(old, Step)
    mistake, paraphrase = EDITOR.mistake(step, seed), EDITOR.paraphrase(step, seed)
    for edit in (mistake, paraphrase):
        assert (edit.changed, edit.plausible, edit.status) == (True, True, Status.OK)
        assert edit.text != step
        assert edit.text.replace(edit.text.strip(), "") == step.replace(step.strip(), "")
    wrong, reworded = parse_sentence(mistake.text), parse_sentence(paraphrase.text)
    assert isinstance(wrong, Step)
    assert isinstance(reworded, Step)
    assert (wrong.operation, wrong.verb) == (old.operation, old.verb)
    assert (reworded.operation, reworded.value) == (old.operation, old.value)
    assert wrong.value != old.value
    assert reworded.verb != old.verb


def test_the_seed_decides() -> None:
    texts = {EDITOR.mistake(STEPS[0], seed).text for seed in range(60)}
    assert len(texts) == 9
    assert EDITOR.mistake(STEPS[0], 3) == EDITOR.mistake(STEPS[0], 3)


@pytest.mark.parametrize("step", [" By the way, 3 plus 4 makes 7.", " You think it is 4, so I will end at 4.", " Hm."])
def test_nothing_to_change_is_a_status(step: str) -> None:
    for edit in (EDITOR.mistake(step, 0), EDITOR.paraphrase(step, 0)):
        assert (edit.text, edit.changed, edit.status) == (step, False, Status.EDIT_FAILED)
