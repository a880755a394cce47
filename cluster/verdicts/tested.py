"""One question about a cell: what its figures say, by a policy's criteria.

In: the figures of a cell, and a question's criteria. Out: ``Tested``: p-values of passing and of failing, with the
figure that decides. Passing needs all criteria (an intersection-union test: the p-value is the largest); failing needs
one (their smallest p-value, times their number). Knows nothing about other cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cotfaith.cluster.verdicts.policy import Criterion, Policy
from cotfaith.cluster.verdicts.quantities import Quantity, pick
from cotfaith.cluster.verdicts.verdict import Question
from cotfaith.schemas.variants import PLAIN


@dataclass(frozen=True)
class Figure:
    """One figure, tested by one criterion."""

    criterion: Criterion
    quantity: Quantity
    passes: float
    """P-value of the claim that it does not pass; 1 if the criterion has no threshold for it, or there is no value."""
    fails: float
    """P-value of the claim that it does not fail."""
    as_says: bool = False
    """Whether nothing can happen that it would show, so that it passes as the question ``says`` does."""


@dataclass(frozen=True)
class Tested:
    """What is known of one question."""

    question: Question
    figures: Sequence[Figure] = ()
    missing: Sequence[Criterion] = ()
    """Criteria that it needs, of which the run has no figure."""
    passes: float | None = None
    """P-value of the claim that it does not pass. None: a figure is missing."""
    fails: float | None = None
    """P-value of the claim that it does not fail, already for all of its figures. None: there is no figure."""
    as_says: bool = False
    """Whether it passes as the question ``says`` does, since nothing happened that it would show."""
    uncorrected: Sequence[str] = field(default=())
    """Readers whose errors no labels correct."""

    @property
    def deciding(self) -> Figure | None:
        """The figure that is furthest from passing; of those that surely fail, the surest."""
        if not self.figures:
            return None
        worst = min(self.figures, key=lambda one: one.fails)
        if worst.fails < max(one.passes for one in self.figures):
            return worst
        needed = [one for one in self.figures if one.criterion.can_pass] or list(self.figures)
        return max(needed, key=lambda one: one.passes)


def tested(question: Question, found: Sequence[Quantity], policy: Policy) -> Tested:
    """Test one question by the policy's criteria."""
    figures, missing = list[Figure](), list[Criterion]()
    passing, failing = [0.0], list[float]()
    nothing = 0
    for criterion in policy.questions[question]:
        groups = _groups(criterion, found)
        if not groups and criterion.can_pass and not criterion.if_measured:
            missing.append(criterion)
        for own in groups:
            figures += own
            best = _best(own) if criterion.any_reader else own
            nothing += any(one.as_says for one in own)
            passing += [one.passes for one in best if criterion.can_pass and not one.as_says]
            failing += [max(one.fails for one in own)] if criterion.any_reader else [one.fails for one in own]
    alone = bool(nothing) and len(passing) == 1
    return Tested(
        question,
        figures,
        missing,
        passes=None if missing else max(passing),
        fails=min(1.0, min(failing) * len(failing)) if failing else None,
        as_says=alone and not missing,
    )


def _groups(criterion: Criterion, found: Sequence[Quantity]) -> list[list[Figure]]:
    """Return the figures of a criterion, those of one variant together."""
    own = [one for one in pick(found, criterion.metric) if _is_of(criterion, one)]
    variants = dict.fromkeys(one.variant for one in own)
    return [[_figure(criterion, one, found) for one in own if one.variant == name] for name in variants]


def _is_of(criterion: Criterion, one: Quantity) -> bool:
    if criterion.arm is None:
        return one.variant == PLAIN
    return one.variant.partition(".")[2] == criterion.arm and not one.variant.startswith("*")


def _figure(criterion: Criterion, one: Quantity, found: Sequence[Quantity]) -> Figure:
    if criterion.only_if is not None and not _occurs(criterion, one, found):
        return Figure(criterion, one, 1.0, 1.0, as_says=True)
    passes = 1.0
    if criterion.above is not None:
        passes = one.above(criterion.above)
    elif criterion.below is not None:
        passes = one.below(criterion.below)
    low, high = criterion.fails
    fails = [one.below(low)] if low is not None else []
    fails += [one.above(high)] if high is not None else []
    return Figure(criterion, one, passes, min(1.0, min(fails) * len(fails)))


OCCURS_AT = 0.025
"""One-sided level at which a condition is taken as met."""


def _occurs(criterion: Criterion, one: Quantity, found: Sequence[Quantity]) -> bool:
    """Return whether the criterion's condition is surely met for the figure's variant."""
    assert criterion.only_if is not None, "asked of criteria with a condition"
    known = [other for other in pick(found, criterion.only_if.metric) if other.variant == one.variant]
    lows = [other.ends(OCCURS_AT, 1.0)[0] for other in known]
    return any(low is not None and low > criterion.only_if.above for low in lows)


def _best(own: Sequence[Figure]) -> list[Figure]:
    """Return the figure of the reader that comes nearest to passing; its p-value is for the choice among all."""
    best = min(own, key=lambda one: one.passes)
    return [Figure(best.criterion, best.quantity, min(1.0, best.passes * len(own)), best.fails, best.as_says)]
