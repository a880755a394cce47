"""Benchmarks of the scheduler: a simulated fleet at a small size, and the timer of the driver's parts."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import driver as driver_benchmark
import simulate_fleet

SIZE = "--no-driver-time --actors 16 --shards 240 --models 2 --tasks 2 --items 1 --lifetime-h 0.5"
CALM = "--lifetime-h 0 --slow 0 --store-fails 0 --no-reissue"
MEASURED = ("ms a shard", "processor s", "memory")


def figures(folder, *more):
    options = simulate_fleet.make_parser().parse_args([*SIZE.split(), *more])
    found = simulate_fleet.simulate(options, folder).figures(options)
    return {name: value for name, value in found.items() if not any(word in name for word in MEASURED)}


def test_a_simulated_run_is_done_and_the_same_each_time(tmp_path):
    found = figures(tmp_path / "a")
    assert found == figures(tmp_path / "b")
    assert found["shards done"] == 240
    assert found["nodes taken"] > 0
    assert found["makespan over its bound"] > 1
    assert found != figures(tmp_path / "c", "--seed", "1")


def test_on_machines_without_faults_nothing_is_lost(tmp_path):
    found = figures(tmp_path, *CALM.split())
    assert (found["computed and lost, %"], found["engines lost while up"]) == (0, 0)
    assert found["makespan over its bound"] == found["the same, no attempt being slow"]


def test_a_timed_part_is_counted_without_the_parts_within_it(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 10.0])  # the outer part takes 10 s, the inner one from 1 s to 3 s
    monkeypatch.setattr(driver_benchmark, "process_time", lambda: next(clock))
    times = driver_benchmark.Times()
    with times.of("outer"), times.of("inner"):
        pass
    assert times.seconds == {"outer": pytest.approx(8.0), "inner": pytest.approx(2.0)}
