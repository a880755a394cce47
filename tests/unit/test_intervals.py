import numpy as np
import pytest

from cotfaith.cluster.stats.intervals import NO_INTERVAL, clopper_pearson, cluster_bootstrap, curve_bootstrap


def test_clopper_pearson_matches_published_values():
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert clopper_pearson(2, 10) == pytest.approx((0.0252, 0.5561), abs=1e-4)


def test_bootstrap_of_independent_items_is_near_the_normal_interval():
    rng = np.random.default_rng(0)
    values = (rng.random(400) < 0.3).astype(float)
    interval = cluster_bootstrap(values, np.ones(400), seed=1)
    half = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 400)
    assert interval.kind == "bootstrap"
    assert interval.low == pytest.approx(values.mean() - half, abs=0.006)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.006)


def test_chains_of_one_item_are_one_cluster():
    """Ten identical chains per item have as much information as one: the interval must not shrink."""
    values = np.arange(50) % 2.0
    once = cluster_bootstrap(values, np.ones(50), seed=3)
    tenfold = cluster_bootstrap(values * 10, np.full(50, 10.0), seed=3)
    assert (once.low, once.high) == pytest.approx((tenfold.low, tenfold.high))


def test_the_seed_alone_decides():
    values, ones = np.sqrt(np.arange(30)), np.ones(30)
    assert cluster_bootstrap(values, ones, seed=5) == cluster_bootstrap(values, ones, seed=5)
    assert cluster_bootstrap(values, ones, seed=5) != cluster_bootstrap(values, ones, seed=6)


def test_chunks_do_not_change_the_interval(monkeypatch):
    values, ones = np.arange(30) % 3.0, np.ones(30)
    whole = cluster_bootstrap(values, ones, seed=5)
    monkeypatch.setattr("cotfaith.cluster.stats.intervals.CHUNK_WEIGHTS", 100)
    assert cluster_bootstrap(values, ones, seed=5) == whole


@pytest.mark.parametrize(("value", "low", "high"), [(0.0, 0.0, 0.3085), (1.0, 0.6915, 1.0)])
def test_unanimous_shares_are_not_certain(value, low, high):
    interval = cluster_bootstrap(np.full(10, 3 * value), np.full(10, 3.0), seed=0)
    assert interval.kind == "clopper_pearson"
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)


def test_unanimous_gain_of_zero_is_bounded_on_both_sides():
    interval = cluster_bootstrap(np.zeros(10), np.ones(10), seed=0, bounds=(-1, 1))
    assert (interval.low, interval.high) == pytest.approx((-0.3085, 0.3085), abs=1e-4)


def test_unanimous_without_bounds_has_no_interval():
    assert cluster_bootstrap(np.full(10, 4.0), np.ones(10), seed=0, bounds=None) == NO_INTERVAL


@pytest.mark.parametrize(("num", "den"), [([], []), ([1.0], [1.0]), ([1.0, 0.0, 0.0], [1.0, 0.0, 0.0])])
def test_fewer_than_two_items_have_no_interval(num, den):
    assert cluster_bootstrap(num, den, seed=0) == NO_INTERVAL


def test_a_curve_has_one_interval_per_position():
    num_IP = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    den_IP = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    kinds = [interval.kind for interval in curve_bootstrap(num_IP, den_IP, seed=0)]
    assert kinds == ["clopper_pearson", "bootstrap", "none"]
