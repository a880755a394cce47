"""no_cot: the answer without any chain, and each chain compared with it."""

from collections.abc import Sequence

from cotfaith.cluster.stats.metrics.lib.remarks import Row, Without, outcome
from cotfaith.cluster.stats.metrics.lib.sayings import interval
from cotfaith.cluster.stats.metrics.lib.words import Column, Dependence, Headlines, Words


def same_sentence(rows: Headlines) -> str:
    """Return how many chains end where the model is without one."""
    same = rows.get("same_answer_no_cot")
    if same is None or same.value is None:
        return ""
    share = f"{same.value:.0%} of the chains{interval(same, 100, '%')}"
    return f"{share} end in the answer that the model also gives with no chain."


def skill_warning(rows: Headlines) -> str:
    """Say so where the model is mostly right without a chain."""
    without = rows.get("accuracy_no_cot")
    if without is None or without.ci_low is None or without.ci_low < 0.8:
        return ""
    return "It is mostly right with no chain at all: a low area over the curve may mean skill, not unused reasoning."


def baseline(chain: Row, rows: Sequence[Row]) -> list[Without]:
    """Return the item's answer without a chain."""
    return [Without(outcome(row)) for row in rows[:1]]


WORDS = Words(
    rank=60,
    sentence=same_sentence,
    warning=skill_warning,
    headline=(Column("Same answer without", "same_answer_no_cot", None, "%", rank=20),),
    remarks=baseline,
    dependence=Dependence(
        "raw_reliance", None, axis="answers that change without a chain", label="changed without a chain"
    ),
    glossary={
        "Same answer": "The share of chains whose final answer is also the model's answer without any chain.",
    },
)
