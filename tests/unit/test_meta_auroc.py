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
