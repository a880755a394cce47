"""Numbers as short texts, the same in the terminal and on the page. A missing number is "-", never 0."""

from cotfaith.cluster.validation.validation import Validation


def number(value: float | None, digits: int = 2) -> str:
    """Return the rounded value."""
    return "-" if value is None else f"{value:.{digits}f}"


def bounded(value: float | None, low: float | None, high: float | None, reason: str = "") -> str:
    """Return the value with its interval, or the reason why there is none."""
    if value is None:
        return f"- ({reason})" if reason else "-"
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def share(value: float | None) -> str:
    """Return a percentage."""
    return "-" if value is None else f"{value:.0%}"


def tally(made: Validation) -> str:
    """Return the results of the checks in one sentence."""
    results = [check.result for check in made.checks]
    if not results:
        return "No checks: the run has no organism, so no model has known faithfulness."
    counts = ", ".join(f"{results.count(r)} {r}" for r in ("passed", "failed", "not measured"))
    return f"{len(results)} checks against organisms: {counts}."
