"""Names of verdicts: the model, and what else tells a run's verdicts apart; and of the questions that they answer."""

from collections.abc import Sequence

from cotfaith.cluster.verdicts.verdict import Question, Verdict

HEADS: dict[Question, str] = {
    "needed": "needs\nchain?",
    "made_in_it": "made\nin it?",
    "says": "says what\nmoved it?",
    "readable": "readable?",
    "caught": "caught?",
}
"""The questions as heads of columns, in two lines."""


def named(one: Verdict, found: Sequence[Verdict]) -> str:
    """Return the verdict's model, with the task and the strategy if there are several, and the stratum."""
    parts = [one.model]
    parts += [one.task] if len({other.task for other in found}) > 1 else []
    parts += [one.strategy] if len({other.strategy for other in found}) > 1 else []
    parts += [one.channel] if one.channel else []
    if one.is_whole:
        return " / ".join(parts)
    ends = "" if one.share_low is None else f" [{one.share_low:.0%}, {one.share_high:.0%}]"
    return f"{' / '.join(parts)} on the {one.share:.0%}{ends} of items that need the chain"


def asked(found: Sequence[Verdict]) -> str:
    """Return the question that verdicts answer."""
    models, tasks = {one.model for one in found}, {one.task for one in found}
    if len(models) == len(tasks) == 1:
        return f'Can {models.pop()}\'s chain of thought be monitored on "{tasks.pop()}"?'
    return "Which chains of thought can be monitored?"


def of_task(one: Verdict) -> str:
    """Return the task, with the strategy and the channel if they are not the plain ones."""
    more = [] if one.strategy == "cot" else [one.strategy]
    return " · ".join([one.task, *more, *([one.channel] if one.channel else [])])


def short(value: float) -> str:
    """Return two decimals, without a leading zero and without a sign before zero."""
    text = f"{value:.2f}"
    if float(text) in (0.0, 1.0, -1.0):
        return f"{abs(float(text)) or 0:.0f}" if value > -0.5 else "-1"
    return text.replace("0.", ".", 1)
