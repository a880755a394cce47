"""Probes of a run whose metrics are not known here, because the plug-in that has them was not named.

In: names of probes, as a run's folder has them. Out: a sentence. Nothing that a run's folder names is imported.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console

from cotfaith.cluster.stats.metrics import METRICS
from cotfaith.cluster.terminal import plain_text


def unknown_probes(probes: Iterable[str]) -> list[str]:
    """Return those of ``probes`` whose metrics are not known, by name."""
    return sorted(set(probes) - METRICS.keys())


def say_unknown(probes: Sequence[str]) -> str:
    """Return what is missing for the probes and which option to give; "" where nothing is."""
    if not probes:
        return ""
    several = len(probes) > 1
    named = ", ".join(probes)
    return (
        f"There are no metrics for the probe{'s' * several} {named}: the rows are counted and shown, but they have no "
        "estimates. Name the plug-in that registers the metrics: --plugin NAME (docs/add-a-probe.md)."
    )


def say_if_unknown(probes: Iterable[str], console: Console) -> None:
    """Print what is missing for the probes of a run, if anything is."""
    if text := say_unknown(unknown_probes(probes)):
        console.print(plain_text(text), markup=False, soft_wrap=True)
