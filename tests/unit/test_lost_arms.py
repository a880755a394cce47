"""The bias of the area over the curve if arms fail, on invented chains (benchmarks/lost_arms.py)."""

import importlib.util

import pytest


@pytest.fixture(scope="module")
def benchmark(repo):
    found = importlib.util.spec_from_file_location("lost_arms", repo / "benchmarks" / "lost_arms.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    module.CHAINS = 1500
    return module


@pytest.mark.parametrize(
    ("pattern", "share", "most", "before"),
    [
        ("at random", 0.1, 0.01, 0.02),
        ("at random", 0.2, 0.01, 0.04),
        ("only at k = 0", 0.1, 0.01, None),
        ("only in chains of more than 6 steps", 0.1, 0.01, 0.03),
        ("only in chains of more than 6 steps", 0.2, 0.01, 0.05),
    ],
)
def test_bias(benchmark, pattern, share, most, before):
    found = benchmark.biases(pattern, share)
    assert abs(found["trapezoid"]) < most
    assert abs(found["mean"]) < most
    assert found["kept"] > 0.99
    if before is not None:  # one failed arm lost the chain: long ones vanish, and the area falls
        assert found["before"] < -before
        assert found["kept_before"] < 0.7
