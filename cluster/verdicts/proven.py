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


PROVEN = Proven("How often such verdicts are right on models of known truth: docs/verdicts.md.")
"""The present state. Only measured figures belong here."""
