"""What would change a verdict: more items, labels, probes that were not run.

In: the tested questions of a cell. Out: ``Change`` objects, the most useful first. How many items it takes is found by
asking for the same interval with several times as many items like these, at the level that the cell has to reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from cotfaith.cluster.stats.metrics import METRICS
from cotfaith.cluster.verdicts.policy import Criterion, Policy
from cotfaith.cluster.verdicts.quantities import Quantity
from cotfaith.cluster.verdicts.tested import Figure, Tested
from cotfaith.cluster.verdicts.verdict import Question
from cotfaith.cluster.verdicts.words import reason
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.probes import PROBES

MOST_TIMES = 1000.0
"""More times the items than this are not asked for."""


@dataclass(frozen=True)
class Change:
    """One thing that would change a verdict."""

    text: str
    items: int | None = None
    """The items that it takes; None: items alone do not do it."""


def items_for(found: tuple[Change, ...]) -> int | None:
    """Return how many more items would settle what items settle; None: they settle nothing of it."""
    return max((one.items for one in found if one.items is not None), default=None)


def changes(
    tests: Mapping[Question, Tested], share: Quantity | None, policy: Policy, level: float
) -> tuple[Change, ...]:
    """Return what would decide the open questions; ``level``: one-sided, that a figure has to reach."""
    has_variants = any(one.quantity.variant != PLAIN for test in tests.values() for one in test.figures)
    lacking = [(test.question, one) for test in tests.values() for one in test.missing]
    found = [Change(f"{question!r} was not tested: {_add(one, has_variants)}") for question, one in lacking]
    for test in tests.values():
        if not test.missing and not test.as_says and test.passes is not None and test.passes > level:
            found += [_more(one, level) for one in test.figures if _is_open(one, level)]
    if share is not None and (share.value or 0.0) >= policy.need_share and share.above(policy.need_share) > level:
        found.append(_items(share, policy.need_share, above=True, level=level))
    return tuple(dict.fromkeys(found))


def _is_open(one: Figure, level: float) -> bool:
    return one.criterion.can_pass and not one.as_says and one.passes > level


def _add(criterion: Criterion, has_variants: bool) -> str:
    """Return what to add to the spec so that the run has the figure."""
    name, probe = criterion.metric.partition("/")[0], probe_of(criterion)
    parts = ["an intervention, such as hint_metadata"] if criterion.arm is not None and not has_variants else []
    parts += [f"the probe {probe}"] if probe is not None else []
    parts += [f"a model with the role {role}"] if (role := role_of(probe)) else []
    return f"add {' and '.join(parts) or name} to the spec, and run it again: it computes what is missing."


def probe_of(criterion: Criterion) -> str | None:
    """Return the probe that measures a criterion's figure; None: it describes the chains, or no probe does."""
    name = criterion.metric.partition("/")[0]
    owner = next((one for one in METRICS.values() if any(metric.name == name for metric in one.metrics)), None)
    return None if owner is None else owner.probe


def role_of(probe: str | None) -> str:
    """Return the role of the models that a probe's rows come from, if it is not the subject's or any reader's."""
    role = PROBES[probe].reader_role if probe is not None and probe in PROBES else "reader"
    return "" if role == "reader" else role


def _more(one: Figure, level: float) -> Change:
    own, criterion = one.quantity, one.criterion
    if own.value is None:
        return Change(f"{own.title}: {reason(own.why)}.")
    threshold = criterion.passes_at
    assert threshold is not None, "the criterion can pass"
    above = criterion.above is not None
    if (own.value > threshold) != above:
        return _wrong_side(one, threshold, level)
    return _items(own, threshold, above=above, level=level)


def _wrong_side(one: Figure, threshold: float, level: float) -> Change:
    own, (low, high) = one.quantity, one.criterion.fails
    below = low is not None and own.value is not None and own.value < low
    bound = low if below else high
    if bound is None:
        stays = "no number of items makes it pass unless the figure itself changes"
        return Change(f"{own.title} is {own.value:.2f}: {stays}.")
    return _items(own, bound, above=not below, level=level, to="fail")


def _items(own: Quantity, threshold: float, *, above: bool, level: float, to: str = "pass") -> Change:
    times = _times(own, threshold, above=above, level=level)
    side = "above" if above else "below"
    if times is None:
        near = f"too near to {threshold:g} for more items like these to tell them apart"
        return Change(f"{own.title} is {own.value:.2f}: {near}.")
    more = _rounded(max(1, ceil(own.n_items * (times - 1))))
    what = f"would let {own.title} {to} ({side} {threshold:g}), if it stays at {own.value:.2f}"
    return Change(f"About {more:,} more items {what}.", more)


def _times(own: Quantity, threshold: float, *, above: bool, level: float) -> float | None:
    """Return how many times the items it takes; None if ``MOST_TIMES`` do not do."""

    def clears(times: float) -> bool:
        end = own.ends(level, times)[0 if above else 1]
        return end is not None and (end > threshold if above else end < threshold)

    if not clears(MOST_TIMES):
        return None
    low, high = 1.0, MOST_TIMES
    for _ in range(20):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if clears(middle) else (middle, high)
    return high


def _rounded(n: int) -> int:
    """Return the number with two digits that count."""
    unit: int = 10 ** max(0, len(str(n)) - 2)
    return ceil(n / unit) * unit
