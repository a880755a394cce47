"""What an arm did, in words: "truncated after 3 of 7 steps", "step 2 made wrong" with the old and the new step.

In: a CHAINS row, an OBSERVATIONS row, and the words of its probe. Out: text. The words are those of the report's
transcripts; an arm that these leave out is described by the words' ``arm``, or else by its own name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.stats.metrics.lib.remarks import Cut, Remark, Without
from cotfaith.cluster.stats.metrics.lib.words import AGAIN, Words
from cotfaith.workers.plugins import faults_named

Row = dict[str, Any]


@dataclass(frozen=True)
class ArmWords:
    """What an arm did."""

    what: str
    old: str | None = None
    """The words before an edit; ``new`` replaces them."""
    new: str | None = None


def arm_words(chain: Row, row: Row, words: Mapping[str | None, Words]) -> ArmWords:
    """Return what the arm of ``row`` did to the chain."""
    own = words.get(row["probe"])
    if own is None:
        return ArmWords("")
    with faults_named(f"Words for an arm of {row['probe']}", own.remarks, AGAIN):
        found = list(own.remarks(chain, [row]))
        if not found:
            return ArmWords(own.arm(row) if own.arm else "")
    match found[0]:
        case Cut(k=k):
            n = len(chain["steps"] or [])
            return ArmWords("the whole chain" if k == n else f"truncated after {k} of {n} steps")
        case Without():
            return ArmWords("no chain of thought")
        case Remark() as one:
            what = one.what if one.step is None else f"step {one.step} {one.what}"
            quote = "" if row.get("quote") is None else f'"{row["quote"]}"'
            return ArmWords(quote if one.what.endswith(f", {row['arm']}") else what, one.old, one.new)
