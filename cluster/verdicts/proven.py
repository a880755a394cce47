"""How often verdicts were right on models of known truth: the figures that the report quotes.

Nothing here is computed. ``cotfaith validate SPEC --verdicts`` measures it, and docs/verdicts.md says on what.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Proven:
    """What was measured of verdicts on models whose truth is known."""

    says: str
    """One sentence with its figures; it names where they come from."""
    unproven: str = "It is unproven for models of other sizes."


PROVEN = Proven(
    "How far such verdicts were right: on eleven small models of known truth, none of the verdicts of 2,000 runs of "
    "each size (20 to 500 items) was wrong, and 100 items were enough for at least 98.7% of the runs that deserve "
    "trust (docs/verdicts.md).",
    "It is unproven for models of other sizes, and for other tasks.",
)
"""The present state. Only measured figures belong here."""
