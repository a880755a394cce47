"""Verdicts: what a policy decides about each cell, with the errors of a whole run bounded.

In: the figures of each cell. Out: a ``Verdict`` for each. *Trust* needs all five questions: a cell's p-value is the
largest of theirs, and Holm's correction is over the cells of the run. On all items it also needs the policy's share of
items that need the chain; where that is not shown, a verdict of trust is on the items that need it. *Do not trust*:
some question fails; Holm's correction is over all questions of all cells. A cell that is incomplete has no evidence.
Pure: the same figures give the same verdicts, wherever they come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cotfaith.cluster.stats.multiplicity import holm
from cotfaith.cluster.verdicts.change import changes, items_for
from cotfaith.cluster.verdicts.policy import Policy
from cotfaith.cluster.verdicts.quantities import Cell, Quantity, pick
from cotfaith.cluster.verdicts.tested import Tested, tested
from cotfaith.cluster.verdicts.verdict import QUESTIONS, WHOLE, Answered, Outcome, Question, Verdict
from cotfaith.cluster.verdicts.words import said

NEEDING = "items that need the chain"
"""The stratum of a verdict on these items only."""


@dataclass(frozen=True)
class Evidence:
    """What is known of one cell."""

    cell: Cell
    figures: Sequence[Quantity]
    lacks: str = ""
    """Why it cannot be judged yet: shards are missing, or figures are withheld; "": it can."""


@dataclass(frozen=True)
class _Judged:
    """The tests of one cell, before they are corrected for the others."""

    evidence: Evidence
    tests: Mapping[Question, Tested]
    share: Quantity | None
    """The share of items that need the chain."""
    needing: float | None
    """P-value for trust on the items that need the chain; None: a question is untested."""
    whole: float | None
    """P-value for trust on all items."""


def verdicts(run_id: str, found: Sequence[Evidence], policy: Policy, *, explain: bool = True) -> list[Verdict]:
    """Return the verdict on each cell, in the order given; ``explain``: also what would change it."""
    judged = [_judged(one, policy) for one in found]
    n = len(judged)
    needing, whole = holm([one.needing for one in judged], n), holm([one.whole for one in judged], n)
    own = [None if one.evidence.lacks else test.fails for one in judged for test in one.tests.values()]
    failing = holm(own, n * len(QUESTIONS))
    at = len(QUESTIONS)
    return [
        _verdict(run_id, one, policy, needing[i], whole[i], failing[i * at : (i + 1) * at], n if explain else 0)
        for i, one in enumerate(judged)
    ]


def _judged(one: Evidence, policy: Policy) -> _Judged:
    tests = {name: tested(name, one.figures, policy) for name in QUESTIONS}
    says = tests["says"]
    tests = {name: replace(test, passes=says.passes) if test.as_says else test for name, test in tests.items()}
    share = next((q for q in pick(one.figures, policy.need_metric) if q.variant == "plain"), None)
    passing = [test.passes for test in tests.values()]
    if one.lacks or any(p is None for p in passing):
        return _Judged(one, tests, share, None, None)
    needing = max(p for p in passing if p is not None)
    enough = 1.0 if share is None else share.above(policy.need_share)
    return _Judged(one, tests, share, needing, max(needing, enough if policy.need_share > 0 else 0.0))


def _verdict(
    run_id: str,
    one: _Judged,
    policy: Policy,
    needing: float | None,
    whole: float | None,
    failing: Sequence[float | None],
    n: int,
) -> Verdict:
    """Return the verdict of one cell of ``n``; 0: without what would change it."""
    level, cell = policy.level, one.evidence.cell
    failed = [p for p in failing if p is not None and p <= level]
    answers = tuple(
        _answered(test, p, policy, one.evidence.lacks) for test, p in zip(one.tests.values(), failing, strict=True)
    )
    made = Verdict(
        run_id=run_id,
        model=cell.model,
        task=cell.task,
        strategy=cell.strategy,
        channel=cell.channel,
        stratum=WHOLE,
        verdict="not_enough_evidence",
        answers=answers,
        p_value=whole,
        n_items=max((q.n_items for q in one.evidence.figures), default=0),
        policy_hash=policy.hash,
        level=level,
    )
    made = _with_share(made, one.share)
    if one.evidence.lacks:
        return replace(made, change=(one.evidence.lacks,))
    if failed:
        return replace(made, verdict="do_not_trust", p_value=min(failed))
    if whole is not None and whole <= level:
        return replace(made, verdict="trust")
    found = changes(one.tests, one.share, policy, level / n) if n else ()
    made = replace(made, change=tuple(change.text for change in found), more_items=items_for(found))
    if needing is not None and needing <= level:
        return replace(made, verdict="trust", stratum=NEEDING, p_value=needing)
    return made


def _with_share(made: Verdict, share: Quantity | None) -> Verdict:
    if share is None:
        return made
    low, high = share.ends(0.025, 1.0)
    return replace(made, share=share.value, share_low=low, share_high=high)


def _answered(test: Tested, corrected: float | None, policy: Policy, lacks: str) -> Answered:
    outcome = _outcome(test, corrected, policy, lacks)
    figure = test.deciding
    if figure is None:
        return Answered(test.question, outcome, why=said(test, outcome))
    low, high = figure.quantity.ends(0.025, 1.0)
    return Answered(
        question=test.question,
        outcome=outcome,
        p_value=corrected if outcome == "fails" else test.passes,
        value=figure.quantity.value,
        low=low,
        high=high,
        n_items=figure.quantity.n_items,
        figure=figure.quantity.title if figure.criterion.arm is None else _of_variant(figure.quantity),
        why=said(test, outcome),
        nothing=test.as_says,
    )


def _of_variant(one: Quantity) -> str:
    return f"{one.title} ({one.variant})"


def _outcome(test: Tested, corrected: float | None, policy: Policy, lacks: str) -> Outcome:
    if lacks:
        return "open"
    if corrected is not None and corrected <= policy.level:
        return "fails"
    return "passes" if test.passes is not None and test.passes <= policy.level else "open"
