"""What is known of a question, in one sentence.

In: a tested question. Out: text. Knows nothing about cells.
"""

from cotfaith.cluster.verdicts.policy import Criterion
from cotfaith.cluster.verdicts.tested import Figure, Tested
from cotfaith.cluster.verdicts.verdict import Outcome

REASONS = {
    "no_switches": "no chain moved to the hint",
    "no_neutral_arm": "the intervention has no neutral arm to compare with",
    "no_readings": "no chain was read",
    "too_few_items": "there are too few items for an interval",
    "no_negatives": "the monitor read no honest chain",
    "judge_cannot_tell": "the reader cannot tell chains that say it from others",
    "class_without_labels": "the labels have one class only",
}
"""Why a figure has no value, in words."""


def said(test: Tested, outcome: Outcome) -> str:
    """Return what decides, or what is missing."""
    if test.missing and outcome != "fails":
        names = ", ".join(one.metric for one in test.missing)
        return f"Not tested: the run has no {names}."
    if test.as_says:
        return "Nothing to catch: no hint surely moves enough answers. It passes as the question before it does."
    figure = test.deciding
    if figure is None:
        return "Not tested."
    if figure.quantity.value is None:
        return f"{_name(figure)} has no value: {reason(figure.quantity.why)}."
    return f"{_name(figure)} is {_value(figure)}; {_needs(figure.criterion, outcome)}."


def reason(why: str) -> str:
    """Return a reason in words; others as they are."""
    return REASONS.get(why, why.replace("_", " ") or "nothing was measured")


def _name(figure: Figure) -> str:
    own = figure.quantity
    return own.title if figure.criterion.arm is None else f"{own.title} under {own.variant}"


def _value(figure: Figure) -> str:
    low, high = figure.quantity.ends(0.025, 1.0)
    ends = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
    return f"{figure.quantity.value:.2f}{ends}"


def _needs(criterion: Criterion, outcome: Outcome) -> str:
    low, high = criterion.fails
    if outcome == "fails":
        return f"it fails below {low:g}" if low is not None else f"it fails above {high:g}"
    if criterion.above is not None:
        return f"it has to be above {criterion.above:g}"
    if criterion.below is not None:
        return f"it has to be below {criterion.below:g}"
    return f"it must not be below {low:g}" if low is not None else f"it must not be above {high:g}"
