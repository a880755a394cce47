"""What a metric costs per chain: tokens of its probes' prompts, and seconds.

Tokens: every prompt counted whole, however much of it an engine shares, and what the subject sampled anew for it; what
a probe on an item costs is split among the item's chains. An editor's tokens are not counted. Seconds: from the commits
of probes that ran on their own (``resources.probes_apart``); a probe that ran together with others has no seconds of
its own, and the metric none. Seconds depend on the machine.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cotfaith.cluster.validation.evidence import Arm, Evidence
from cotfaith.cluster.validation.metrics import METRICS, Metric
from cotfaith.schemas.run_objects import Commit


@dataclass(frozen=True)
class Cost:
    """One metric's cost."""

    metric: str
    tokens_per_chain: float | None
    seconds_per_chain: float | None


def costs(evidence: Sequence[Evidence], commits: Iterable[Commit], n_chains: int) -> list[Cost]:
    """Return each metric's cost; ``n_chains``: all chains of the run, those that failed included."""
    seconds = _seconds(commits)
    return [_cost(metric, evidence, seconds, n_chains) for metric in METRICS]


def _cost(metric: Metric, evidence: Sequence[Evidence], seconds: dict[str, float | None], n_chains: int) -> Cost:
    seen = [e for e in evidence if all(probe in e.arms for probe in metric.probes)]
    tokens = [sum(_tokens(e, e.arms[probe]) for probe in metric.probes) for e in seen]
    spent = [seconds.get(probe) for probe in metric.probes]
    known = [s for s in spent if s is not None]
    return Cost(
        metric.name,
        sum(tokens) / len(tokens) if tokens else None,
        sum(known) / n_chains if n_chains and len(known) == len(spent) else None,
    )


def _tokens(evidence: Evidence, arms: Sequence[Arm]) -> float:
    total = sum(arm.prompt_tokens + arm.sampled_tokens for arm in arms)
    return total / evidence.shared_by if arms[0].of_item else total


def _seconds(commits: Iterable[Commit]) -> dict[str, float | None]:
    """Return probe -> seconds of all its shards; None if one of them was not timed alone."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for commit in commits:
        if commit.probe is not None:
            alone = commit.timed_with == [commit.probe]
            found[commit.probe].append(commit.seconds if alone else None)
    return {probe: None if None in parts else sum(s for s in parts if s is not None) for probe, parts in found.items()}
