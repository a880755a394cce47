"""The report's first screen: the question, the answer, what to fix, the matrix and what follows from it.

In: a run's record, verdicts, policy and estimates. Out: ``First``, ready to be printed, or as plain data. Records of an
experiment that others ran have no verdicts: then it says so.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cotfaith.cluster.report.answers import DECISIONS, Line, answer_lines
from cotfaith.cluster.report.endings import Ending
from cotfaith.cluster.report.fixes import Fix, fixes
from cotfaith.cluster.report.rules import Rule, rules, words
from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.storage.completeness import Completeness
from cotfaith.cluster.verdicts.candidate import Candidate, candidates, sizes_of
from cotfaith.cluster.verdicts.named import asked
from cotfaith.cluster.verdicts.policy import Policy
from cotfaith.cluster.verdicts.proven import PROVEN, Proven
from cotfaith.cluster.verdicts.select import Selection, select
from cotfaith.cluster.verdicts.verdict import Verdict
from cotfaith.schemas.run_objects import RunRecord

MOST_NAMED = 6
"""The most models that one line names."""
IMPORTED = (
    "No verdict: these are records of an experiment that others ran. They lack what the questions need, and none of "
    "their models can be asked again."
)
EMPTY = "No verdict: no chain has been committed yet."


@dataclass(frozen=True)
class First:
    """The first screen."""

    heading: str
    n_items: int
    """Questions of the run, over all tasks."""
    date: str
    shards: str
    """How much of the run is there, if something is missing; else ""."""
    overall: str
    fixes: Sequence[Fix]
    lines: Sequence[Line]
    tasks: Sequence[str]
    avoid: str
    """Whose chains not to rely on; "" if nobody's."""
    selected: Selection | None
    """Who can be used; None: there are no verdicts."""
    rules: Sequence[Rule]
    words: Sequence[tuple[str, str]]
    proven: Proven = PROVEN

    @property
    def chosen(self) -> Candidate | None:
        """The most capable model that is trusted on every task; None: nobody is."""
        return None if self.selected is None else self.selected.chosen

    @property
    def best(self) -> str:
        """The name of whom ``chosen`` is."""
        return "none" if self.chosen is None else self.chosen.name

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "question": self.heading,
            "questions": self.n_items,
            "date": self.date,
            "incomplete": self.shards or None,
            "overall": self.overall,
            "fix_first": [{"what": one.text, "setting": one.setting} for one in self.fixes],
            "matrix": [_line_data(one) for one in self.lines],
            "do_not_rely_on": [_name_data(one) for one in self.lines if one.verdict.verdict == "do_not_trust"],
            "most_capable_that_passes": None if self.chosen is None else _candidate_data(self.chosen),
            "rules": {one.head: list(one.lines) for one in self.rules},
            "proven": f"{self.proven.says} {self.proven.unproven}",
        }


def first_screen(
    run: RunRecord,
    found: Sequence[Verdict],
    policy: Policy,
    estimates: Sequence[Estimate],
    n_items: int,
    complete: Completeness | None = None,
    endings: Sequence[Ending] = (),
) -> First:
    """Return the first screen."""
    lines = answer_lines(found)
    return First(
        heading=asked(found),
        n_items=n_items,
        date=_date(run.created),
        shards=_shards(complete),
        overall=_overall(found) if found else IMPORTED if run.imported is not None else EMPTY,
        fixes=fixes(run, found, policy, complete, endings) if found else [],
        lines=lines,
        tasks=sorted({line.task for line in lines}),
        avoid=_named_by_model([one for one in found if one.verdict == "do_not_trust"], found),
        selected=select(candidates(found, estimates, sizes_of(run))) if found else None,
        rules=rules(policy) if found else [],
        words=words(policy, len(found)) if found else [],
    )


def _date(created: str) -> str:
    with suppress(ValueError):
        made = datetime.fromisoformat(created)
        return f"{made.day} {made:%b %Y}"
    return created


def _shards(complete: Completeness | None) -> str:
    """Return "41 of 60 shards; 3 given up"."""
    if complete is None or (complete.whole and not complete.quarantined):
        return ""
    parts = [] if complete.whole else [f"{complete.done:,} of {complete.total:,} shards"]
    parts += [f"{len(complete.given_up):,} models given up"] if complete.given_up else []
    parts += [f"{len(complete.quarantined):,} items quarantined"] if complete.quarantined else []
    return "; ".join(parts)


def _overall(found: Sequence[Verdict]) -> str:
    if len(found) == 1:
        (one,) = found
        part = "" if one.is_whole or one.share is None else f" on the {one.share:.0%} of items that need the chain"
        return f"{DECISIONS[one.verdict]}{part}"
    on_all = [one.verdict for one in found if one.is_whole]
    whole = {said: on_all.count(decision) for decision, said in DECISIONS.items()}
    counts = whole | {"trust on a part of the items": sum(not one.is_whole for one in found)}
    return ", ".join(f"{n:,} {said}" for said, n in counts.items() if n)


def _named_by_model(own: Sequence[Verdict], found: Sequence[Verdict]) -> str:
    """Return the models, each with how many of its lines are meant if these are not all."""
    models = dict.fromkeys(one.model for one in own)
    names = [_with_share(model, own, found) for model in models]
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _with_share(model: str, own: Sequence[Verdict], found: Sequence[Verdict]) -> str:
    n, of = (sum(one.model == model for one in some) for some in (own, found))
    return model if n == of else f"{model} ({n:,} of {of:,})"


def _line_data(line: Line) -> dict[str, Any]:
    answers = {
        cell.question: {"word": cell.word, "why": cell.why, "n_items": cell.n_items}
        | {name: getattr(line.verdict.answer(cell.question), name) for name in ("figure", "value", "low", "high")}
        for cell in line.cells
    }
    return {**_name_data(line), "decision": line.decision, "answers": answers, "n": line.n_items}


def _name_data(line: Line) -> dict[str, Any]:
    return {name: getattr(line.verdict, name) for name in ("model", "task", "strategy", "channel")}


def _candidate_data(one: Candidate) -> dict[str, Any]:
    return {"model": one.model, "strategy": one.strategy, "channel": one.channel}
