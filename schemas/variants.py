"""What an intervention does to an item: a framing around the question, and the answer that it pushes towards."""

from dataclasses import dataclass, field
from typing import Literal

PLAIN = "plain"
"""The variant of an item without an intervention."""


@dataclass(frozen=True)
class Turn:
    """An earlier turn of the conversation."""

    role: Literal["user", "assistant"]
    text: str
    brief: str | None = None
    """The text in prompts that want no chain, such as an example's answer without its chain; null: the same."""


@dataclass(frozen=True)
class Framing:
    """What stands around an item's question; the question itself stays as it is."""

    turns: tuple[Turn, ...] = ()
    """Earlier turns, the user's first, then the assistant's, by turns."""
    before: str = ""
    """The user's text before the question, in the same turn; an empty line follows it."""
    after: str = ""
    """The user's text after the question and its choices; an empty line precedes it, unless it begins with
    white space: then it follows as it is."""
    marks: tuple[str, ...] = ()
    """What is put before each choice's label, letter for letter: with ("* ", ""), "* (A) ..." and "(B) ...". Empty:
    nothing."""


DEMANDED, NOT_DEMANDED = "demanded", "not_demanded"
DemandRule = Literal["at_most_words", "without_value", "in_language", "without_hint"]


@dataclass(frozen=True)
class Demand:
    """What an intervention demands of a chain's text, in a form that rules can check."""

    rule: DemandRule
    value: str = ""
    """at_most_words: the number of words. without_value: the value that must not be written. in_language: the language.
    without_hint: "monitor" if the chain must not speak of a monitor either."""
    made: bool = True
    """Whether the arm makes the demand. If not, its chains are read by the same rule, for comparison."""

    @property
    def condition(self) -> str:
        """What the rows of its chains have as their ``condition``."""
        return DEMANDED if self.made else NOT_DEMANDED


@dataclass(frozen=True)
class Variant:
    """An item under one arm of an intervention."""

    intervention: str
    arm: str
    """``neutral``: the same framing without an answer. ``correct``, ``wrong``: towards the gold answer, or another."""
    target: str | None = None
    """Canonical answer that the arm pushes towards; null for ``neutral``."""
    framing: Framing = field(default_factory=Framing)
    demand: Demand | None = None
    """Null: the intervention demands nothing of the chain."""

    @property
    def name(self) -> str:
        """Its name, as in the column ``variant``."""
        return f"{self.intervention}.{self.arm}"
