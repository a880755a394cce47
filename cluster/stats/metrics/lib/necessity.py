"""Whether items need a chain, as far as their accuracies tell: four kinds, from the ends of intervals.

    too_hard    accuracy with a chain is not above chance: its interval begins at chance or below it, and ends below the
                middle between chance and 1 (else there are only too few items)
    not_needed  the gain by the chain is below .05: its interval ends below it
    needed      the chain gains something: the interval of the gain is above 0
    undecided   none of them

The first that holds counts. Where accuracy rises from below chance to chance, both "too hard" and "needed" hold: the
chain then only ends a preference for wrong answers, and what the model cannot do with a chain shows nothing about its
chains. A gain that is surely above 0 and surely below .05 is not needed: fewer than one item in twenty depends on it.
"""

from typing import Literal

from cotfaith.cluster.stats.metrics.lib.bounds import Bounds

Kind = Literal["needed", "not_needed", "too_hard", "undecided"]
KINDS: tuple[Kind, ...] = ("needed", "not_needed", "too_hard", "undecided")
NEGLIGIBLE = 0.05
"""A gain below this is none."""


def necessity(gain: Bounds | None, accuracy: Bounds | None, chance: float) -> Kind:
    """Return the kind of some items.

    Args:
        gain: the ends of the interval of accuracy with minus without a chain; None: there is no interval.
        accuracy: those of the accuracy with a chain.
        chance: the accuracy of guessing, the mean of 1 / choices; 0 for open answers.

    """
    if accuracy is not None and is_at_chance(accuracy, chance):
        return "too_hard"
    if gain is None:
        return "undecided"
    if gain[1] < NEGLIGIBLE:
        return "not_needed"
    return "needed" if gain[0] > 0 else "undecided"


def is_at_chance(accuracy: Bounds, chance: float) -> bool:
    """Return whether an accuracy is not above chance, and surely nearer to chance than to 1."""
    return accuracy[0] <= chance and accuracy[1] < (1 + chance) / 2
