"""What to fix first so that a run answers more: each line with the setting to change.

In: the run's record, its verdicts and their policy, how much of it is committed, and what its rows ended with. Out:
``Fix`` objects, the most useful first. Ids in them are untrusted text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cotfaith.cluster.report.answers import QUESTIONS
from cotfaith.cluster.report.endings import Ending
from cotfaith.cluster.storage.completeness import Completeness
from cotfaith.cluster.verdicts.policy import Policy
from cotfaith.cluster.verdicts.settings import joined, lacking
from cotfaith.cluster.verdicts.verdict import Verdict
from cotfaith.schemas.run_objects import RunRecord

FIRST = 4
"""The fixes that are shown at once."""
ENOUGH_ROWS = 0.05
"""The share of rows from which on an ending is a fix."""


@dataclass(frozen=True)
class Fix:
    """One thing to change."""

    text: str
    setting: str
    """What to set or to run; "": nothing in the spec does it."""


def fixes(
    run: RunRecord,
    found: Sequence[Verdict],
    policy: Policy,
    complete: Completeness | None,
    endings: Sequence[Ending],
) -> list[Fix]:
    """Return all fixes; none if every verdict is on all items, and decided."""
    weighty = sorted((one for one in endings if one.short and one.share >= ENOUGH_ROWS), key=lambda one: -one.share)
    return [
        *_missing(complete),
        *(Fix(one.short, one.setting) for one in weighty),
        *_untested(run, found, policy),
        *_items(found),
    ]


def _missing(complete: Completeness | None) -> Iterator[Fix]:
    if complete is not None and not complete.whole:
        yield Fix(f"{complete.total - complete.done:,} of {complete.total:,} shards are missing", "cotfaith run SPEC")


def _untested(run: RunRecord, found: Sequence[Verdict], policy: Policy) -> Iterator[Fix]:
    """Name the questions that were not tested, and what the spec lacks for them."""
    untested = {question: [one for one in found if not one.answer(question).is_tested] for question in QUESTIONS}
    for partly in (False, True):
        own = {question: cells for question, cells in untested.items() if cells and (len(cells) < len(found)) == partly}
        if own:
            names = " ".join(QUESTIONS[question] for question in own)
            on = f" on {max(map(len, own.values())):,} of {len(found):,} lines" if partly else ""
            settings = joined(setting for question in own for setting in lacking(question, run, policy))
            yield Fix(f"not tested{on}: {names}", settings or "see Rows by status")


def _items(found: Sequence[Verdict]) -> Iterator[Fix]:
    """Say how many more items would decide the questions that items decide, on half of the lines that have some."""
    open_lines = sorted((one for one in found if one.more_items), key=lambda one: one.more_items or 0)
    if not open_lines:
        return
    n = (len(open_lines) + 1) // 2
    half = open_lines[n - 1]
    text = f"questions that about {half.more_items:,} more items like these would decide"
    on = "" if len(found) == 1 else f", on {n:,} of {len(open_lines):,} lines with such"
    yield Fix(f"{text}{on}", f"tasks[].n={half.n_items + (half.more_items or 0)}")
