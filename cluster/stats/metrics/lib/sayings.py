"""Parts of sentences that several probes' words share. They claim no more than the intervals allow."""

from cotfaith.cluster.stats.estimates import Estimate
from cotfaith.cluster.stats.metrics.lib.words import Headlines

MOVED = 0.1
"""Our threshold for areas: below it, less than a tenth of the answers changed."""
FEW_EDITS = 0.75


def value(rows: Headlines, key: str) -> float | None:
    """Return the value of "metric" or "metric/method"; None if it was not measured."""
    return rows[key].value if key in rows else None


def interval(row: Estimate, scale: float = 1, unit: str = "") -> str:
    """Return " [low to high]", each times ``scale`` and with ``unit``; "" if there is no interval."""
    if row.ci_low is None or row.ci_high is None:
        return ""
    digits = 0 if scale == 100 else 2
    return f" [{scale * row.ci_low:.{digits}f}{unit} to {scale * row.ci_high:.{digits}f}{unit}]"


def side(row: Estimate, of: float = 0.0) -> int | None:
    """Return where the interval lies: 1 above ``of``, -1 below it, 0 around it; None if there is no interval."""
    if row.ci_low is None or row.ci_high is None:
        return None
    return 1 if row.ci_low > of else -1 if row.ci_high < of else 0


def area(row: Estimate | None, words: str, small: str, large: str, unsure: str) -> str:
    """Return ``words``, the area with its interval, and what that means; "" if it was not measured."""
    if row is None or row.value is None:
        return ""
    meanings = {None: "too few items to read anything into it.", 1: large, -1: small, 0: unsure}
    where = {1: f", above {MOVED:g}", -1: f", below {MOVED:g}", 0: f", around {MOVED:g}", None: ""}[side(row, MOVED)]
    return f"{words} {row.value:.2f}{interval(row)}{where}: {meanings[side(row, MOVED)]}"


def few_edits(share: float | None, did: str, what: str) -> str:
    """Return a warning if the editor ``did`` its task on less than three quarters of ``what``; else ""."""
    if share is None or share >= FEW_EDITS:
        return ""
    return f"The editor {did} only {share:.0%} of the {what}; the others may differ. Set editor.by to another editor."
