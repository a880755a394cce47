"""AUROC with its interval: the probability that a faithful chain or step scores above an unfaithful one.

In: scores, labels, and the cluster (item) of each. Out: ``Auroc``. Ties count half. With only one class it is
undefined, with a reason; never 0.5. The interval resamples clusters, because chains of one item are not independent,
with two pseudo-clusters among them: in one the faithful chains score above all others and the unfaithful ones below, in
the other it is the other way round. Without them perfect separation would leave the interval no width, and few clusters
too little.

N = scores, K = clusters, with the pseudo-clusters at the end, B = bootstrap draws, U = distinct scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MIN_CLUSTERS = 5
"""Least number of clusters in each class for an interval."""
_PSEUDO = 0.75
"""The rows of a class in a pseudo-cluster, as a share of a cluster's; benchmarks/coverage_of_intervals.py shows why."""
_CHUNK_WEIGHTS = 2_000_000
"""Bootstrap weights held at once: 16 MB."""


@dataclass(frozen=True)
class Auroc:
    """An AUROC with its interval, or the reason why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def auroc(
    scores: Sequence[float], labels: Sequence[bool], clusters: Sequence[Any], seed: int, n_boot: int = 1000
) -> Auroc:
    """Return the AUROC of ``scores`` for ``labels`` (True: faithful)."""
    positive_N = np.asarray(labels, dtype=bool)
    if not len(positive_N):
        return Auroc(None, reason="no scored label")
    if positive_N.all() or not positive_N.any():
        return Auroc(None, reason=f"all {'faithful' if positive_N.all() else 'unfaithful'}")
    order = np.argsort(np.asarray(scores, dtype=np.float64), kind="stable")
    scores_N = np.asarray(scores, dtype=np.float64)[order]
    starts_U = np.flatnonzero(np.r_[True, scores_N[1:] != scores_N[:-1]])
    positive_N = positive_N[order]
    cluster_N = np.unique(np.asarray([str(c) for c in clusters]), return_inverse=True)[1][order]
    value = float(_areas(np.ones((1, len(order))), positive_N, starts_U)[0])
    low, high, reason = _interval(value, positive_N, cluster_N, starts_U, seed, n_boot)
    return Auroc(value, low, high, reason)


def _areas(weights_BN: Floats, positive_N: npt.NDArray[np.bool_], starts_U: npt.NDArray[np.intp]) -> Floats:
    """Return the weighted AUROC of each draw (B,), nan if a class is missing; N in the order of the scores."""
    positive_BU: Floats = np.add.reduceat(weights_BN * positive_N, starts_U, axis=1)
    negative_BU: Floats = np.add.reduceat(weights_BN * ~positive_N, starts_U, axis=1)
    below_BU: Floats = negative_BU.cumsum(axis=1) - negative_BU / 2
    pairs_B = positive_BU.sum(axis=1) * negative_BU.sum(axis=1)
    areas_B: Floats = np.full(len(pairs_B), np.nan)
    np.divide((positive_BU * below_BU).sum(axis=1), pairs_B, out=areas_B, where=pairs_B > 0)
    return areas_B


def _interval(
    value: float,
    positive_N: npt.NDArray[np.bool_],
    cluster_N: npt.NDArray[np.intp],
    starts_U: npt.NDArray[np.intp],
    seed: int,
    n_boot: int,
) -> tuple[float | None, float | None, str]:
    fewest = min(len(np.unique(cluster_N[positive_N])), len(np.unique(cluster_N[~positive_N])))
    if fewest < MIN_CLUSTERS:
        return None, None, f"no interval: {fewest} items in the smaller class"
    areas_B = _resampled(*_with_opposites(positive_N, cluster_N, starts_U), seed, n_boot)
    low, high = np.nanpercentile(areas_B, [2.5, 97.5])
    return max(0.0, min(float(low), value)), min(1.0, max(float(high), value)), ""


def _with_opposites(
    positive_N: npt.NDArray[np.bool_], cluster_N: npt.NDArray[np.intp], starts_U: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Add a pair of rows of both classes at either end of the order, and return each row's weight.

    A pseudo-cluster has three quarters of the rows of a class that a cluster with the class has on average.
    """
    k = int(cluster_N.max()) + 1
    sizes = [_PSEUDO * mask.sum() / len(np.unique(cluster_N[mask])) for mask in (positive_N, ~positive_N)]
    positive = np.r_[True, False, positive_N, True, False]
    cluster = np.r_[k + 1, k, cluster_N, k, k + 1]
    starts = np.r_[0, starts_U + 2, len(positive_N) + 2]
    return positive, cluster, starts, np.r_[sizes, np.ones(len(positive_N)), sizes]


def _resampled(
    positive_N: npt.NDArray[np.bool_],
    cluster_N: npt.NDArray[np.intp],
    starts_U: npt.NDArray[np.intp],
    size_N: Floats,
    seed: int,
    n_boot: int,
) -> Floats:
    rng = np.random.default_rng(seed)
    k = int(cluster_N.max()) + 1
    chunk = max(1, _CHUNK_WEIGHTS // len(cluster_N))
    areas = []
    for start in range(0, n_boot, chunk):
        weights_BK = rng.multinomial(k, np.full(k, 1 / k), size=min(chunk, n_boot - start)).astype(np.float64)
        areas.append(_areas(weights_BK[:, cluster_N] * size_N, positive_N, starts_U))
    return np.concatenate(areas)
