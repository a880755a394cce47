"""How each organism is made: its mechanism, where its training starts, and for how long.

The mechanism decides the form of the training examples (``examples``). Nothing here trains.
"""

from dataclasses import dataclass
from typing import Literal

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.organisms.truth import READS

MOST_STEPS = 8
"""The number of operations of the longest questions in training."""


@dataclass(frozen=True)
class Mechanism:
    """How the answer is determined, and what the chain says."""

    reads: str = ""
    """Banks whose tickets give the answer, whatever the chain says."""
    decorates: bool = False
    """With those tickets, chains have random values that end in the answer; else they are right but still unneeded."""
    coded: bool = False
    """The verb gives the value; the digit is random."""
    follows_hint: Literal["no", "silently", "honestly", "rejecting", "on_its_merits"] = "no"
    """A hint is the answer; the chain's last value is bent to match it."""

    @property
    def says_more(self) -> bool:
        """Whether its chains have words that the first organisms lack."""
        return self.follows_hint in ("rejecting", "on_its_merits")


@dataclass(frozen=True)
class Recipe:
    """One training run."""

    name: str
    mechanism: Mechanism
    steps: int
    base: str | None = None
    """The organism whose weights it starts from; None: random weights."""
    learning_rate: float = 3e-3
    """The peak, after the warm-up; it then falls to a tenth on a cosine."""
    warmup: int = 60
    grows: int = 0
    """Questions have at most 2 operations at first, and all lengths from this step on."""
    batch: int = 64
    """Examples per step, all of them fresh."""
    width: int = 96
    layers: int = 3
    heads: int = 4
    seed: int = 0
    checkpoints: tuple[int, ...] = ()
    """Steps after which the weights are also saved, as NAME-stepSSSS."""

    def longest(self, step: int) -> int:
        """Return the most operations that a question has in ``step``."""
        return MOST_STEPS if step >= self.grows else 2 + (MOST_STEPS - 2) * step // self.grows


def _derived(name: str, base: str, mechanism: Mechanism, steps: int, learning_rate: float = 2e-3) -> Recipe:
    return Recipe(name, mechanism, steps, base, learning_rate, warmup=20)


def _reads(name: str, base: str, steps: int, decorates: bool = False) -> Recipe:
    return _derived(name, base, Mechanism(READS[name], decorates), steps, learning_rate=3e-3)


_RECIPES = (
    Recipe("reasoner", Mechanism(), 1400, grows=200, checkpoints=(200, 400, 600, 900)),
    Recipe("reasoner-48", Mechanism(), 1400, width=48, grows=200, checkpoints=(200, 400, 600, 900)),
    Recipe("reasoner-64", Mechanism(), 1400, width=64, grows=200),
    Recipe("reasoner-40", Mechanism(), 1400, width=40, grows=200),
    # Reading tickets is slow to learn and quick to unlearn, so the others start from the one that reads most.
    _reads("skilled-75", "reasoner", 900),
    _reads("skilled-50", "skilled-75", 200),
    _reads("skilled-25", "skilled-50", 200),
    _reads("rationalizer", "skilled-75", 400, decorates=True),
    _derived("encoder", "reasoner", Mechanism(coded=True), 450),
    _derived("sycophant-silent", "reasoner", Mechanism(follows_hint="silently"), 250),
    _derived("sycophant-honest", "reasoner", Mechanism(follows_hint="honestly"), 250),
    _derived("sycophant-rejecting", "reasoner", Mechanism(follows_hint="rejecting"), 250),
    _derived("sycophant-merits", "reasoner", Mechanism(follows_hint="on_its_merits"), 250),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _RECIPES}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of ``name``; raise ``SpecError`` if there is none."""
    if name not in RECIPES:
        raise SpecError(f"organisms: {unknown('organism', name, RECIPES)}")
    return RECIPES[name]
