"""The work of an engine by stage: batches of several stages, failures, and the call that runs."""

import pytest

from cotfaith.workers.actor.work import Asked, WorkLog
from cotfaith.workers.engines.protocol import (
    CHAINS,
    PROBES,
    GenerateRequest,
    Generation,
    Running,
    StageKey,
    StageWork,
)

ONE, TWO = StageKey("m", "t", CHAINS), StageKey("m", "t", PROBES)


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cotfaith.workers.actor.work.monotonic", lambda: now[0])
    return now


def asked(stage, count, tokens=10):
    return Asked(stage, [GenerateRequest((1,) * 10, tokens, 1.0, 1.0, 0)] * count)


def text(length):
    return Generation((1,) * length, "stop")


def test_stages_share_a_batchs_seconds_by_size(clock):
    log = WorkLog()
    log.begin([asked(ONE, 3), asked(TWO, 1)])
    clock[0] = 8.0
    log.end([[text(5)] * 3, [text(2)]])
    assert log.so_far(Running()) == {ONE: StageWork(3, 15, 6.0), TWO: StageWork(1, 2, 2.0)}


def test_a_call_that_failed_took_time_and_gave_nothing(clock):
    log = WorkLog()
    log.begin([asked(ONE, 2)])
    clock[0] = 4.0
    log.end([ValueError("x")])
    assert log.so_far(Running()) == {ONE: StageWork(0, 0, 4.0)}


def test_the_call_that_runs_counts_and_is_not_counted_twice(clock):
    log = WorkLog()
    log.begin([asked(ONE, 4)])
    clock[0] = 2.0
    assert log.so_far(Running(12, ended=1)) == {ONE: StageWork(1, 12, 2.0)}
    clock[0] = 6.0
    log.end([[text(9)] * 4])
    assert log.so_far(Running(12, ended=1)) == {ONE: StageWork(4, 36, 6.0)}


def test_calls_that_belong_to_no_stage_are_not_counted(clock):
    log = WorkLog()
    log.begin([Asked(None, [object()])])
    log.end([[1]])
    assert log.so_far(Running()) == {}
