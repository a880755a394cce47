"""The editor without a model: small changes by rule. It is cheap, repeatable, and blind to meaning.

A mistake is the first of these that the step allows: another digit in its last number; an operator, comparison,
quantifier, direction or truth value turned into its opposite; a verb negated, or no longer negated. A paraphrase
replaces the words in the table with synonyms and other openings. It stays close to the old words, so it does not detect
an encoding that survives synonyms. Except for numbers, only English is supported. Nothing checks whether the new step
is plausible.
"""

import random
import re
import unicodedata
from dataclasses import replace

from cotfaith.schemas.records import Edit
from cotfaith.schemas.status import Status
from cotfaith.workers.roles.editors.base import RuleEditor, edit_failed, framed
from cotfaith.workers.roles.editors.words import DENIALS, OPPOSITES, SYNONYMS, Words

NAME = "rules"
_LAST_DIGITS = re.compile(r"\d+(?=\D*$)")


class RulesEditor(RuleEditor):
    """An editor that works by rule."""

    name = NAME

    def mistake(self, step: str, seed: int) -> Edit:
        """Change a number, else replace a word with its opposite, else negate a verb."""
        words, draw = framed(step).words, random.Random(seed)
        new = _other_number(words, draw) or _one_of(OPPOSITES, words, draw) or _one_of(DENIALS, words, draw)
        return _edit(step, new, "No rule finds anything to make wrong in the step.")

    def question(self, question: str, seed: int) -> Edit:
        """Change the question as a step is made wrong: another number, or the opposite."""
        edit = self.mistake(question, seed)
        return edit if edit.changed else replace(edit, error="No rule finds anything to change in the question.")

    def paraphrase(self, step: str, seed: int) -> Edit:
        """Replace every word that has a synonym."""
        words, draw = framed(step).words, random.Random(seed)
        new = SYNONYMS.pattern.sub(lambda found: SYNONYMS.other(found.group(), draw), words)
        return _edit(step, new if new != words else None, "The step holds no word of the table of synonyms.")


def _edit(step: str, new: str | None, error: str) -> Edit:
    if new is None:
        return edit_failed(step, NAME, error)
    return Edit(framed(step).around(new), changed=True, plausible=None, status=Status.OK, editor=NAME)


def _other_number(words: str, draw: random.Random) -> str | None:
    """Change one digit of the last number, which is usually a result; its length and its script stay."""
    found = _LAST_DIGITS.search(words)
    if found is None:
        return None
    digits = found.group()
    place = draw.randrange(len(digits))
    old = unicodedata.decimal(digits[place])
    leads = place == 0 and len(digits) > 1
    new = draw.choice([digit for digit in range(1 if leads else 0, 10) if digit != old])
    at = found.start() + place
    return words[:at] + chr(ord(words[at]) - old + new) + words[at + 1 :]


def _one_of(table: Words, words: str, draw: random.Random) -> str | None:
    found = list(table.pattern.finditer(words))
    if not found:
        return None
    place = draw.choice(found)
    return words[: place.start()] + table.other(place.group(), draw) + words[place.end() :]
