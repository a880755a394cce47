"""Figures of imported chains that are withheld from a comparison, by the rule of ``stats/withheld.py``.

In: a side's sums by item. Out: the cells (strategy, variant, channel) in which what chains do to the answer is
withheld, and why.
"""

from cotfaith.cluster.stats.intervals import Sums, interval
from cotfaith.cluster.stats.metrics import find_metric
from cotfaith.cluster.stats.metrics.lib.bounds import SHARE
from cotfaith.cluster.stats.metrics.lib.recorded import AGREEMENT
from cotfaith.cluster.stats.withheld import why_withheld
from cotfaith.cluster.verdicts.comparing.item_sums import ItemSums, Key
from cotfaith.cluster.verdicts.comparing.side import Side

Cell = tuple[str, str, str]
"""Strategy, variant and channel."""


def withheld(side: Side, own: ItemSums) -> dict[Cell, str]:
    """Return the cells with a reason."""
    found = dict[Cell, str]()
    for key, frame in own.sums.items():
        if key[4:] == (AGREEMENT.name, AGREEMENT.method):
            num, den = (frame[name].to_numpy() for name in ("num", "den"))
            made, total = interval(Sums.of(num, den), SHARE), float(den.sum())
            row = {"value": float(num.sum()) / total if total else None, "ci_low": made.low, "ci_high": made.high}
            counts = {"n_total": len(frame), "n_ok": int(total), "n_items": len(frame)}
            if reason := why_withheld(row | counts, side.run.record.spec.min_agreement):
                found[key[:3]] = reason
    return found


def rests_on_answers(key: Key) -> bool:
    """Return whether a figure rests on what the whole chain leads the model to."""
    declared = find_metric(key[4], key[5])
    return declared.of_answers and declared.of_own_answer
