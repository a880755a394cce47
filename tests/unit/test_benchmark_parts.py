"""Parts of a long benchmark within a time limit (benchmarks/parts.py), on a clock that the test moves."""

import copy
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from parts import FAILED, OK, PATIENCE, SKIPPED, UNEQUAL, WAITING, Part, PartError, passed, run_parts

KEYS = {"status", "reason", "seconds", "estimate_s", "result"}


class Clock:
    """Seconds that pass when a part says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def part_of(clock, name, estimate_s=10.0, takes_s=1.0, result=None, error=None, needs=None, limits=None):
    def work(limit_s):
        clock.now += takes_s
        if limits is not None:
            limits.append(limit_s)
        if error is not None:
            raise error
        return result if result is not None else {"number": 1}

    return Part(name, estimate_s, work, needs)


def run(clock, parts, minutes=10.0):
    saved = []
    records = run_parts(parts, minutes, lambda found: saved.append(copy.deepcopy(dict(found))), clock)
    return records, saved


def test_a_part_that_raises_is_recorded_and_the_rest_goes_on():
    clock = Clock()
    parts = [
        part_of(clock, "a", result={"equal": True}),
        part_of(clock, "b", error=ZeroDivisionError("no rows")),
        part_of(clock, "c", error=PartError("exit code 1: out of memory", {"results": [1]})),
        part_of(clock, "d"),
    ]
    records, saved = run(clock, parts)
    assert [r["status"] for r in records.values()] == [OK, FAILED, FAILED, OK]
    assert records["b"]["reason"] == "ZeroDivisionError: no rows"
    assert records["b"]["result"] is None
    assert records["c"]["reason"] == "exit code 1: out of memory"
    assert records["c"]["result"] == {"results": [1]}
    assert saved[2]["a"]["result"] == {"equal": True}
    assert not passed(records, ["a"])


def test_results_that_differ_are_kept_and_do_not_pass():
    clock = Clock()
    records, _ = run(clock, [part_of(clock, "a", result={"equal": False, "gap": 2.0}), part_of(clock, "b")])
    assert records["a"]["status"] == UNEQUAL
    assert records["a"]["result"] == {"equal": False, "gap": 2.0}
    assert records["b"]["status"] == OK
    assert not passed(records, ["b"])


def test_a_part_that_does_not_fit_is_skipped_and_a_shorter_one_still_runs():
    clock = Clock()
    parts = [part_of(clock, "a", 30, 50), part_of(clock, "long", 20), part_of(clock, "short", 5)]
    records, _ = run(clock, parts, minutes=1)
    assert records["long"]["status"] == SKIPPED
    assert records["long"]["reason"] == "10 s left, about 20 s needed"
    assert records["long"]["seconds"] is None
    assert records["long"]["result"] is None
    assert records["short"]["status"] == OK
    assert passed(records, ["a"])
    assert not passed(records, ["a", "long"])


@pytest.mark.parametrize("fault", [{"error": OSError("disk full")}, {"result": {"equal": False}}, {"estimate_s": 1e9}])
def test_what_needs_a_part_without_success_is_skipped(fault):
    clock = Clock()
    parts = [part_of(clock, "model", **fault), part_of(clock, "a", needs="model"), part_of(clock, "b")]
    records, _ = run(clock, parts)
    assert records["a"]["status"] == SKIPPED
    assert records["a"]["reason"] == f"needs model, which is {records['model']['status']}"
    assert records["b"]["status"] == OK


def test_a_part_may_take_a_multiple_of_its_estimate_but_no_more_than_there_is():
    clock, limits = Clock(), []
    parts = [part_of(clock, name, 10, 40, limits=limits) for name in "ab"]
    run(clock, parts, minutes=1)
    assert limits == [10 * PATIENCE, 20]


jobs = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 150), st.sampled_from(["ok", "unequal", "raises"])),
    min_size=1,
    max_size=8,
)


@given(jobs, st.integers(1, 6))
def test_whatever_happens_every_part_has_a_record_at_every_moment(jobs, minutes):
    clock = Clock()
    kinds = {
        "ok": {"result": {"equal": True}},
        "unequal": {"result": {"equal": False}},
        "raises": {"error": RuntimeError("x")},
    }
    parts = [part_of(clock, f"{i}", e, t, **kinds[kind]) for i, (e, t, kind) in enumerate(jobs)]
    records, saved = run(clock, parts, minutes)
    assert len(saved) == len(jobs) + 1
    left = 60.0 * minutes
    for i, (estimate_s, takes_s, kind) in enumerate(jobs):
        expected = {"ok": OK, "unequal": UNEQUAL, "raises": FAILED}[kind] if left >= estimate_s else SKIPPED
        assert records[f"{i}"]["status"] == expected
        assert (records[f"{i}"]["seconds"] is None) == (expected == SKIPPED)
        left -= 0 if expected == SKIPPED else takes_s
    for done, found in enumerate(saved):
        assert list(found) == [part.name for part in parts]
        assert [record["status"] == WAITING for record in found.values()] == [i >= done for i in range(len(jobs))]
        for record in found.values():
            assert set(record) == KEYS
            assert (record["reason"] is None) == (record["status"] == OK)
            assert record["result"] is not None or record["reason"]
    assert passed(records, []) == all(r["status"] in (OK, SKIPPED) for r in records.values())
