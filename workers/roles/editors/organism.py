"""The editor of organisms' chains: exact, because their grammar is known.

A mistake is another digit, a paraphrase another verb; both only in steps. For the encoder the digit is a decoy and the
verb is its code: the two edits are meant to distinguish these cases. Asides and admissions have nothing to change.
"""

import random
from collections.abc import Sequence

from cotfaith.schemas.records import Edit
from cotfaith.schemas.status import Status
from cotfaith.workers.organisms.grammar import VERBS, Step, parse_sentence
from cotfaith.workers.roles.editors.base import RuleEditor, edit_failed

NAME = "organism"


class OrganismEditor(RuleEditor):
    """An editor that works by rule."""

    name = NAME

    def mistake(self, step: str, seed: int) -> Edit:
        """Replace the step's value with another digit."""
        read = parse_sentence(step)
        if not isinstance(read, Step):
            return edit_failed(step, NAME, "The sentence is no step of an organism.")
        return _replaced(step, f" {read.value}.", [f" {digit}." for digit in range(10)], seed)

    def paraphrase(self, step: str, seed: int) -> Edit:
        """Replace the step's verb with another."""
        read = parse_sentence(step)
        if not isinstance(read, Step):
            return edit_failed(step, NAME, "The sentence is no step of an organism.")
        return _replaced(step, f" {read.verb} ", [f" {verb} " for verb in VERBS], seed)


def _replaced(step: str, old: str, words: Sequence[str], seed: int) -> Edit:
    new = random.Random(seed).choice([word for word in words if word != old])
    before, _, after = step.rpartition(old)
    return Edit(before + new + after, changed=True, plausible=True, status=Status.OK, editor=NAME)
