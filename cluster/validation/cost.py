"""The cost of a metric per chain: tokens of its probes' prompts, and seconds.

Tokens: every prompt counts in full, even if an engine shares a part of it, plus the tokens that the subject sampled for
it. The cost of a probe on an item is split among the item's usable chains. An editor's tokens are not counted. A row
without a position and without a prompt stands for a failed probe. Seconds: from the commits of probes that ran on their
own (``resources.probes_apart``). A probe that ran together with others has no seconds, and neither has its metric.
Seconds depend on the machine.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cotfaith.cluster.validation.metrics import JudgedMetric, judged_metrics
from cotfaith.cluster.validation.usable import KEY, ChainKey, UsableChain
from cotfaith.schemas.run_objects import Commit

Tokens = Mapping[tuple[str, str, str, str, str, int | None], int]
"""(model, task, strategy, variant, item, chain index) -> tokens of a probe's arms; index None: on the item."""

Spent = dict[str, dict[ChainKey, float]]
"""Probe -> chain -> tokens."""


@dataclass(frozen=True)
class Cost:
    """The cost of one metric."""

    metric: str
    level: str
    tokens_per_chain: float | None
    seconds_per_chain: float | None


def costs(
    usable: Sequence[UsableChain],
    spent: Spent,
    commits: Iterable[Commit],
    n_chains: int,
    metrics: Sequence[JudgedMetric] | None = None,
) -> list[Cost]:
    """Return each metric's cost; ``n_chains``: all chains of the run, failed ones included. Default: all metrics."""
    seconds, tested = _seconds(commits), judged_metrics() if metrics is None else metrics
    return [_cost(one, [chain.key for chain in usable], spent, seconds, n_chains) for one in tested]


def _cost(
    tested: JudgedMetric,
    keys: Sequence[ChainKey],
    spent: Mapping[str, Mapping[ChainKey, float]],
    seconds: dict[str, float | None],
    n_chains: int,
) -> Cost:
    found = [[spent.get(probe, {}).get(key) for probe in tested.probes] for key in keys]
    tokens = [sum(part for part in parts if part is not None) for parts in found if None not in parts]
    timed = [seconds.get(probe) for probe in tested.probes]
    known = [s for s in timed if s is not None]
    return Cost(
        tested.name,
        tested.judged.level,
        sum(tokens) / len(tokens) if tokens else None,
        sum(known) / n_chains if n_chains and len(known) == len(timed) else None,
    )


def spent_on(usable: Sequence[UsableChain], observations: pl.DataFrame) -> Spent:
    """Return what was spent on each of some items' chains; a chain without an arm of the probe is left out."""
    shared = Counter(one.key[:5] for one in usable)
    found: Spent = {}
    for probe, tokens in _tokens(observations).items():
        for key in (one.key for one in usable):
            if key in tokens:
                found.setdefault(probe, {})[key] = tokens[key]
            elif (*key[:5], None) in tokens:
                found.setdefault(probe, {})[key] = tokens[*key[:5], None] / shared[key[:5]]
    return found


def _tokens(observations: pl.DataFrame) -> dict[str, Tokens]:
    arms = observations.filter(pl.col("position").is_not_null() | pl.col("prompt_tokens").is_not_null())
    total = pl.col("prompt_tokens").fill_null(0).sum() + pl.col("n_tokens").fill_null(0).sum()
    found: defaultdict[str, dict[tuple[str, str, str, str, str, int | None], int]] = defaultdict(dict)
    for probe, m, t, s, v, i, n, tokens in arms.group_by("probe", *KEY).agg(total).iter_rows():
        found[probe][m, t, s, v, i, n] = tokens
    return dict(found)


def _seconds(commits: Iterable[Commit]) -> dict[str, float | None]:
    """Return probe -> seconds of all its shards; None if one of them was not timed separately."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for commit in commits:
        for probe in dict.fromkeys(piece.probe for piece in commit.pieces if piece.probe is not None):
            found[probe].append(commit.seconds if commit.timed_with == [probe] else None)
    return {probe: None if None in parts else sum(s for s in parts if s is not None) for probe, parts in found.items()}
