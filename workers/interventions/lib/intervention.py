"""What an intervention is: a small pure function from an item to its variants, and what it needs.

The function gets a finished item, its checked options and a random stream. It returns one variant for each arm: a
framing that stands around the question, and the answer that the framing pushes towards. It changes nothing in the
question, the choices or the gold, and knows nothing about models, prompts' layout or other items. The stream depends on
the run's seed, the task, the item and the intervention's name only, so a model or another intervention changes no
target. ``applied.py`` calls the function and checks what it returns.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import Section
from cotfaith.schemas.variants import Variant

WRONG, CORRECT, NEUTRAL = "wrong", "correct", "neutral"
INSTRUCTED, INSTRUCTED_WRONG = "instructed", "instructed_wrong"
"""Arms that demand something of the chain: ``neutral`` with the demand, and ``wrong`` with the demand."""
_ARM = re.compile(r"[a-z][a-z0-9_]{0,31}")  # a part of a variant's name


@dataclass(frozen=True)
class Intervention:
    """A registered intervention."""

    name: str
    options: type[Section]
    variants: Callable[[Item, Any, Random], tuple[Variant, ...]]
    """(item, options, random stream) -> a variant for each of ``arms``, in any order."""
    source: str
    """The paper and its section."""
    arms: tuple[str, ...] = (WRONG, CORRECT, NEUTRAL)
    """In ``wrong`` the target is never the gold answer, in ``correct`` it is. ``neutral`` is the same framing without
    an answer, and has no target.
    """
    optional: tuple[str, ...] = ()
    """Arms that an item may lack, such as those with a target where no wrong answer is known. If the spec wants one
    that an item lacks, the plan refuses it."""
    needs_choices: bool = True
    """Whether it needs multiple-choice items."""
    named: tuple[str, ...] = ()
    """What chains call its hint: regular expressions, in any case ("the oracle (?:says|said)"). For interventions
    without a rule of their own in ``workers/judges/rules``.
    """

    hint_of: str | None = None
    """Another intervention whose hint it gives, in the same words: rules read its chains as they do that one's."""
    hint: str = "something in its prompt points to {target}."
    """What models that read chains are told of its hint: the end of a sentence that begins with "The hint:", with
    {target} where its answer belongs. It says neither whether the hint is right nor what the chain made of it.
    """

    def __post_init__(self) -> None:
        wrong = [arm for arm in self.arms if not isinstance(arm, str) or not _ARM.fullmatch(arm)]
        if not isinstance(self.arms, tuple) or not self.arms or wrong or len(set(self.arms)) < len(self.arms):
            raise SpecError(
                f"The intervention {self.name!r} has the arms {self.arms!r}: expected a tuple of different names in "
                "lower-case letters, digits and '_'."
            )
        if not isinstance(self.hint, str):
            raise SpecError(
                f"The intervention {self.name!r} has the hint {self.hint!r}: expected a text with {{target}}."
            )

    @property
    def summary(self) -> str:
        """What it does, in one line: the first of its function's docstring, and the paper."""
        does = (self.variants.__doc__ or "").partition("\n")[0]
        return f"{does} {self.source[:1].upper()}{self.source[1:]}.".strip()

    @property
    def module(self) -> str:
        """The module of its function."""
        return self.variants.__module__
