"""How a stub follows hints: which prompts hold one, on which items it follows them, and where its chain says so.

In: a prompt in the layout without a chat template. Out: the hinted answer, or None. Whether an item's hints are
followed depends on its choices only, so it is the same in all arms of all interventions, with and without a chain: the
truth is known. Looks at the user's turn with the question, and not at earlier turns.
"""

import re
from dataclasses import dataclass

from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import PromptSpec

PATTERN = r"answer is \(?(\w+)\)?"
"""What a hint looks like: "I think the answer is (B)"."""
_CHOICE = re.compile(r"^\W{0,8}\(([A-Z])\) (.+)$", re.MULTILINE)
"""A line of a choice, after its mark if it has one."""
_NEXT, _REPLY = "\n\nHuman: ", "\n\nAssistant:"
_PROMPTS = PromptSpec()


@dataclass(frozen=True)
class Hints:
    """What a stub does with hints."""

    pattern: str
    """A regular expression; group 1 is the answer."""
    followed: float
    """The share of items on which hints are followed."""
    named: float
    """The share of these whose chain names the hint."""

    def followed_in(self, prompt: str) -> str | None:
        """Return the answer that the question hints at, if hints are followed on the item."""
        asked = _asked(prompt)
        found = re.findall(self.pattern, asked) if self.followed else []
        return str(found[-1]) if found and _is_among(self.followed, "follows", asked) else None

    def named_in(self, prompt: str) -> str:
        """Return the sentence with which a chain names the hint that it follows; "" if it names none."""
        answer = self.followed_in(prompt)
        return f" The hint says {answer}." if answer and _is_among(self.named, "names", _asked(prompt)) else ""


def question_of(prompt: str) -> str:
    """Return the prompt up to where the model begins to reply to the question."""
    before, _, request = prompt.rpartition(_NEXT)
    if request.startswith(_PROMPTS.answer_question):
        return before.rpartition(_REPLY)[0]
    if before and _PROMPTS.no_cot_question in request:
        return prompt.rpartition(_REPLY)[0]
    return prompt.partition(_REPLY)[0]


def _asked(prompt: str) -> str:
    """Return the user's turn with the question."""
    before, _, request = prompt.rpartition(_NEXT)
    whole = before if request.startswith(_PROMPTS.answer_question) else prompt
    return whole.rpartition(_NEXT)[2].partition(_REPLY)[0]


def _is_among(share: float, what: str, asked: str) -> bool:
    """Return whether the item is in this share of all items, by a hash of its choices, or of all that is asked."""
    key = [" ".join(choice) for choice in _CHOICE.findall(asked)] or [asked]
    return derive_seed(what, *key) / 2**63 < share
