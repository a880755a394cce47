import itertools

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from cotfaith.cluster.validation.auroc import auroc


def of(faithful, unfaithful, clusters=None, seed=0):
    scores = [*faithful, *unfaithful]
    labels = [True] * len(faithful) + [False] * len(unfaithful)
    return auroc(scores, labels, clusters or range(len(scores)), seed)


@pytest.mark.parametrize(
    ("faithful", "unfaithful", "expected"),
    [
        ([3], [1], 1.0),
        ([1], [3], 0.0),
        ([2], [2], 0.5),
        ([1, 3], [2], 0.5),
        ([2, 3], [1, 2], 3.5 / 4),  # pairs: 2>1, 2=2, 3>1, 3>2
    ],
)
def test_by_hand(faithful, unfaithful, expected):
    assert of(faithful, unfaithful).value == pytest.approx(expected)


@pytest.mark.parametrize("digits", [1, 8])  # one digit: many ties
def test_equals_mann_whitney(digits):
    rng = np.random.default_rng(3)
    faithful, unfaithful = rng.normal(0.5, 1, 40).round(digits), rng.normal(0, 1, 70).round(digits)
    u = mannwhitneyu(faithful, unfaithful).statistic
    assert of(list(faithful), list(unfaithful)).value == pytest.approx(u / (40 * 70))


def test_order_does_not_matter():
    rng = np.random.default_rng(4)
    scores, labels, clusters = rng.random(60).round(1), rng.random(60) < 0.4, rng.integers(0, 20, 60)
    shuffled = rng.permutation(60)
    one = auroc(scores, labels, clusters, 1)
    assert one.value == auroc(scores[shuffled], labels[shuffled], clusters[shuffled], 1).value


@pytest.mark.parametrize(
    ("faithful", "unfaithful", "reason"),
    [([1, 2], [], "all faithful"), ([], [1, 2], "all unfaithful"), ([], [], "no scored label")],
)
def test_one_class_is_undefined_and_says_why(faithful, unfaithful, reason):
    found = of(faithful, unfaithful)
    assert (found.value, found.low, found.high, found.reason) == (None, None, None, reason)


def test_few_items_give_no_interval():
    found = of([3, 4, 5, 6], [1] * 20)
    assert found.value == 1.0
    assert found.low is None
    assert "4 items" in found.reason


def test_perfect_separation_is_not_certain():
    found = of(range(10, 30), range(10))
    assert (found.value, found.high) == (1.0, 1.0)
    assert (
        0.69 < found.low < 0.8
    )  # a tenth of a class that scores on the wrong side is missed by chance: .9 ** 10 = .35
    assert of(range(10), range(10, 30)).low == 0.0


def test_interval_is_wider_for_chains_of_few_items():
    rng = np.random.default_rng(5)
    base = rng.normal(0, 1, 40)
    scores = np.repeat(base, 10)
    labels = np.repeat(base + rng.normal(0, 1, 40) > 0, 10)
    alone = auroc(scores, labels, range(400), 0)
    clustered = auroc(scores, labels, np.repeat(range(40), 10), 0)
    assert alone.value == clustered.value
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)
    assert clustered.low < clustered.value < clustered.high


def test_interval_covers_about_as_often_as_it_says():
    """Two normals one apart: the true area is Phi(1 / sqrt 2) = 0.7602."""
    rng = np.random.default_rng(6)
    hits = 0
    for seed in range(100):
        found = auroc([*rng.normal(1, 1, 40), *rng.normal(0, 1, 40)], [True] * 40 + [False] * 40, range(80), seed, 300)
        hits += found.low <= 0.7602 <= found.high
    assert 85 <= hits <= 99


def pairs_by_hand(scores, labels, strata):
    pairs = [
        (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2
        for i, j in itertools.product(range(len(scores)), repeat=2)
        if labels[i] and not labels[j] and strata[i] == strata[j]
    ]
    return sum(pairs) / len(pairs)


@pytest.mark.parametrize("n_strata", [1, 2, 5, 20])
def test_within_strata_only_their_own_pairs_are_compared(n_strata):
    rng = np.random.default_rng(n_strata)
    scores, labels = rng.random(80).round(1), rng.random(80) < 0.4
    strata, clusters = rng.integers(0, n_strata, 80), rng.integers(0, 40, 80)
    found = auroc(scores, labels, clusters, 1, strata=strata)
    assert found.value == pytest.approx(pairs_by_hand(scores, labels, strata))
    assert found.low < found.value < found.high
    moved = auroc(scores + 10 * strata, labels, clusters, 1, strata=strata)  # a shift of a whole stratum is no merit
    assert (moved.value, moved.low, moved.high) == pytest.approx((found.value, found.low, found.high))
    if n_strata == 1:
        alone = auroc(scores, labels, clusters, 1)
        assert (found.value, found.low, found.high) == pytest.approx((alone.value, alone.low, alone.high))


def test_a_stratum_with_one_class_counts_for_nothing():
    scores, labels = [1, 2, 3, 9, 9, 9], [False, True, False, True, True, True]
    assert auroc(scores, labels, range(6), 0, strata=[0, 0, 0, 1, 1, 1]).value == 0.5
    nothing = auroc(scores, labels, range(6), 0, strata=labels)
    assert (nothing.value, nothing.reason) == (None, "each part is all faithful or all unfaithful")


def test_infinite_scores_have_a_place_too():
    scores = [-np.inf] * 6 + [0.0] * 6 + [np.inf] * 6
    labels = [False] * 9 + [True] * 9
    found, finite = (auroc(one, labels, range(18), 2) for one in (scores, np.clip(scores, -5, 5)))
    assert found == finite
