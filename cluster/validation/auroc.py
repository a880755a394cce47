"""AUROC with its interval: the probability that a faithful chain or step scores above an unfaithful one.

In: scores, labels, and the cluster (item) of each. Out: ``Auroc``. Ties count half. With only one class it is
undefined, with a reason; never 0.5. The interval resamples clusters, because chains of one item are not independent,
with two pseudo-clusters among them: in one the faithful chains score above all others and the unfaithful ones below, in
the other it is the other way round. Without them perfect separation would leave the interval no width, and few clusters
too little.

N = scores, K = clusters, with the pseudo-clusters at the end, B = bootstrap draws, S = strata, U = distinct scores of a
stratum.
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
    scores: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[Any],
    seed: int,
    n_boot: int = 1000,
    strata: Sequence[Any] | None = None,
) -> Auroc:
    """Return the AUROC of ``scores`` for ``labels`` (True: faithful).

    ``strata``: only pairs of rows of one stratum are compared, and strata with one class count for nothing: what
    tells strata apart is then no merit. Every pair counts the same.
    """
    positive_N = np.asarray(labels, dtype=bool)
    if not len(positive_N):
        return Auroc(None, reason="no scored label")
    if positive_N.all() or not positive_N.any():
        return Auroc(None, reason=f"all {'faithful' if positive_N.all() else 'unfaithful'}")
    rank_N = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)[1]
    stratum_N = _numbers(strata if strata is not None else [0] * len(positive_N))
    mixed_N = np.isin(stratum_N, np.intersect1d(stratum_N[positive_N], stratum_N[~positive_N]))
    if not mixed_N.any():
        return Auroc(None, reason="each part is all faithful or all unfaithful")
    order = np.lexsort((rank_N, stratum_N))
    order = order[mixed_N[order]]
    rows = _Rows(rank_N[order], positive_N[order], _numbers(clusters)[order], stratum_N[order])
    value = float(_areas(np.ones((1, len(order))), rows)[0])
    low, high, reason = _interval(value, rows, seed, n_boot)
    return Auroc(value, low, high, reason)


def _numbers(names: Sequence[Any]) -> npt.NDArray[np.intp]:
    """Return a number for each name, from 0."""
    return np.unique(np.asarray([str(name) for name in names]), return_inverse=True)[1]


@dataclass(frozen=True)
class _Rows:
    """Rows (N,) in the order of their strata, and in one by the ranks of their scores."""

    rank: npt.NDArray[np.intp]
    positive: npt.NDArray[np.bool_]
    cluster: npt.NDArray[np.intp]
    stratum: npt.NDArray[np.intp]

    @property
    def starts(self) -> npt.NDArray[np.intp]:
        """The first row of each distinct score of a stratum: (U,)."""
        new = (self.rank[1:] != self.rank[:-1]) | (self.stratum[1:] != self.stratum[:-1])
        return np.flatnonzero(np.r_[True, new])


def _areas(weights_BN: Floats, rows: _Rows) -> Floats:
    """Return the weighted AUROC of each draw (B,), nan if a class is missing in every stratum."""
    starts_U = rows.starts
    positive_BU: Floats = np.add.reduceat(weights_BN * rows.positive, starts_U, axis=1)
    negative_BU: Floats = np.add.reduceat(weights_BN * ~rows.positive, starts_U, axis=1)
    firsts_S = np.flatnonzero(np.r_[True, np.diff(rows.stratum[starts_U]) != 0])
    sizes_S = np.diff(np.r_[firsts_S, len(starts_U)])
    negative_BS: Floats = np.add.reduceat(negative_BU, firsts_S, axis=1)
    before_BS = negative_BS.cumsum(axis=1) - negative_BS
    below_BU: Floats = negative_BU.cumsum(axis=1) - negative_BU / 2 - before_BS.repeat(sizes_S, axis=1)
    pairs_B = (np.add.reduceat(positive_BU, firsts_S, axis=1) * negative_BS).sum(axis=1)
    areas_B: Floats = np.full(len(pairs_B), np.nan)
    np.divide((positive_BU * below_BU).sum(axis=1), pairs_B, out=areas_B, where=pairs_B > 0)
    return areas_B


def _interval(value: float, rows: _Rows, seed: int, n_boot: int) -> tuple[float | None, float | None, str]:
    positive_N, cluster_N = rows.positive, rows.cluster
    fewest = min(len(np.unique(cluster_N[positive_N])), len(np.unique(cluster_N[~positive_N])))
    if fewest < MIN_CLUSTERS:
        return None, None, f"no interval: {fewest} items in the smaller class"
    areas_B = _resampled(*_with_opposites(rows), seed, n_boot)
    low, high = np.nanpercentile(areas_B, [2.5, 97.5])
    return max(0.0, min(float(low), value)), min(1.0, max(float(high), value)), ""


def _with_opposites(rows: _Rows) -> tuple[_Rows, Floats]:
    """Add a pair of rows of both classes at either end of each stratum, and return each row's weight.

    A pseudo-cluster has three quarters of the rows of a class that a cluster with the class has on average, in each
    stratum its share of them.
    """
    k = int(rows.cluster.max()) + 1
    masks = (rows.positive, ~rows.positive)
    clusters = [len(np.unique(rows.cluster[mask])) for mask in masks]
    parts, weights = [], []
    for one in np.unique(rows.stratum):
        at = rows.stratum == one
        sizes = [_PSEUDO * (mask & at).sum() / n for mask, n in zip(masks, clusters, strict=True)]
        positive = np.r_[True, False, rows.positive[at], True, False]
        cluster = np.r_[k + 1, k, rows.cluster[at], k, k + 1]
        last = rows.rank.max() + 1
        rank = np.r_[-1, -1, rows.rank[at], last, last]
        parts.append((rank, positive, cluster, np.full(len(rank), one)))
        weights.append(np.r_[sizes, np.ones(at.sum()), sizes])
    return _Rows(*map(np.concatenate, zip(*parts, strict=True))), np.concatenate(weights)


def _resampled(rows: _Rows, size_N: Floats, seed: int, n_boot: int) -> Floats:
    rng = np.random.default_rng(seed)
    k = int(rows.cluster.max()) + 1
    chunk = max(1, _CHUNK_WEIGHTS // len(size_N))
    areas = []
    for start in range(0, n_boot, chunk):
        weights_BK = rng.multinomial(k, np.full(k, 1 / k), size=min(chunk, n_boot - start)).astype(np.float64)
        areas.append(_areas(weights_BK[:, rows.cluster] * size_N, rows))
    return np.concatenate(areas)
