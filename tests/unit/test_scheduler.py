"""The scheduler on simulated machines (benchmarks/simulated_machines.py): virtual time, and makespans known by hand."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from cotfaith.cluster.fleet import driver, stragglers
from cotfaith.cluster.fleet.crashes import VERDICT_S
from cotfaith.cluster.fleet.driver import IDLE_S, Scheduler
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.reporter import NoProgress
from cotfaith.cluster.fleet.stage_jobs import listed
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.ledger import ledger_of
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import StoreError
from cotfaith.schemas.spec import parse_spec

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from simulated_machines import Commit, Conditions, Machines

LOOK_S = 2.0
"""Engines are looked after each second, and what that asks for shows a second later."""


class Recorder(NoProgress):
    def __init__(self):
        self.shards, self.lines = [], []

    def finished(self, model, report, engine):
        self.shards.append((model, report.shard))

    def say(self, text):
        self.lines.append(text)


class Simulated:
    """A run of stub models: as many jobs of one item for each as asked for, on nodes with so many GPUs."""

    def __init__(self, folder, jobs, models=("m",), gpus=(8,), own=None, probes=(), **resources):
        own = own or {}
        content = {
            "models": [{"id": one, "engine": "stub", **own.get(one, {})} for one in models],
            "tasks": [{"name": "t", "generator": "addition", "n": jobs}],
            "probes": ["no_cot", *probes],
            "resources": {"shard_size": 1, "gpus": 1, "in_flight": 1, "ray_address": "auto", **resources},
            "output": {"path": str(folder)},
        }
        self.plan = make_plan(parse_spec(content))
        self.store = open_store(self.plan.spec.output)
        ident = identity(self.plan.resolved, self.plan.weights, self.plan.templates, self.plan.items)
        run = open_run(self.store, self.plan.resolved, ident, self.plan.items)
        self.jobs = Jobs(self.plan, run).of_subjects(ledger_of([]))
        self.gpus, self.said = gpus, Recorder()
        self.replicas = {}

    def run(self, plan=lambda machines: None, **conditions):
        """Do the run; return its makespan. ``plan`` says what happens to the machines."""
        self.machines = Machines(Conditions(**conditions))
        for at, n in enumerate(self.gpus):
            self.machines.add_node(f"node{at}", {"GPU": n, "CPU": 64})
        plan(self.machines)
        self.scheduler = Scheduler(self.plan, listed(self.jobs).models, self.machines, self.said, self.store)
        self.outcome = self.scheduler.run(self._note)
        return self.machines.now()

    def _note(self):
        self.replicas |= {one.name: one for one in self.scheduler.pool.replicas()}

    def started(self, before_s=float("inf")):
        """Return how many engines of each model were asked for."""
        names = [what for time_s, what in self.machines.log if what.startswith("start") and time_s < before_s]
        return Counter(name.removeprefix("start ").rpartition("#")[0] for name in names)

    def ended(self):
        """Return when engines were ended."""
        return [time_s for time_s, what in self.machines.log if what.startswith("end ")]

    def is_all_done(self):
        """Return whether each job was done, and counted once, and nothing is left of the attempts."""
        shards = [(job.model, job.shard.id) for job in self.jobs]
        free = all(not (one.busy or one.helping or one.exclusive) for one in self.replicas.values())
        once = sorted(self.said.shards) == sorted(shards) and self.outcome.done == len(shards)
        return once and free and self.scheduler.running == {} and self.scheduler.bytes == 0


@pytest.fixture
def simulated(tmp_path):
    return lambda jobs, **settings: Simulated(tmp_path / "run", jobs, **settings)


@pytest.mark.parametrize(("jobs", "replicas", "seconds"), [(3, 2, 20), (4, 2, 20), (3, 8, 10), (5, 1, 50)])
def test_jobs_of_ten_seconds_take_as_many_rounds_as_engines_need(simulated, jobs, replicas, seconds):
    run = simulated(jobs, replicas=replicas)
    assert run.run() == seconds
    assert run.is_all_done()
    assert run.started() == {"m": min(jobs, replicas)}  # no more than there is work for


@pytest.mark.parametrize(("in_flight", "seconds"), [(1, 30), (2, 25)])
def test_an_engine_serves_the_next_job_while_one_is_committed(simulated, in_flight, seconds):
    assert simulated(2, in_flight=in_flight).run(commit=lambda _: Commit(5.0)) == seconds


@pytest.mark.parametrize(("parts", "left"), [((15.0, 15.0), 15.0), ((30.0,), 30.0)])
def test_a_lost_node_loses_the_part_in_progress_and_replacements_do_what_is_missing(simulated, parts, left):
    run = simulated(1, gpus=(1, 1))
    ends_s = run.run(lambda m: m.at(20.0, lambda s: m.lose_node("node0", s)), parts=lambda job: parts, noticed_s=14.0)
    assert 0 <= ends_s - (20.0 + 14.0 + left) <= LOOK_S
    assert run.is_all_done()
    assert (run.outcome.preemptions, run.started()) == (1, {"m": 2})
    assert sum("its node was taken away" in line for line in run.said.lines) == 1
    assert run.machines.spent.lost == {"engine lost": 20.0 - (30.0 - left)}


def test_a_node_with_notice_finishes_its_job_and_gets_no_other(simulated):
    run = simulated(2, gpus=(1, 1))
    ends_s = run.run(lambda m: m.at(5.0, lambda s: m.give_notice("node0", 60.0, s)), parts=lambda job: (30.0,))
    assert 0 <= ends_s - (5.0 + 30.0) <= LOOK_S  # its second job began elsewhere at once
    assert run.is_all_done()
    assert run.outcome.preemptions == 1
    assert run.machines.spent.lost == {}
    assert min(run.ended()) - 30.0 <= LOOK_S  # the node waits for nothing then


def test_a_crash_on_a_cluster_of_several_nodes_is_charged_once_the_nodes_verdict_is_known(simulated):
    run = simulated(1, gpus=(1, 1))
    ends_s = run.run(lambda m: m.at(5.0, lambda s: m.crash("m#1", s)))
    assert 0 <= ends_s - (5.0 + VERDICT_S + 10.0) <= LOOK_S
    assert run.is_all_done()
    assert run.outcome.preemptions == 0
    assert any("attempt 1 failed" in line for line in run.said.lines)


def test_every_job_is_done_once_whatever_is_lost(simulated):
    run = simulated(60, models=("m", "n"), gpus=(2, 2, 2), replicas=3, in_flight=2)
    failing = iter([False] * 25 + [True] + [False] * 30 + [True, True] + [False] * 1000)

    def faults(machines):
        machines.at(12.0, lambda s: machines.lose_node("node0", s))
        machines.at(33.0, lambda s: machines.add_node("node3", {"GPU": 2, "CPU": 64}))
        machines.at(47.0, lambda s: machines.give_notice("node1", 5.0, s))
        machines.at(61.0, lambda s: machines.crash(next(iter(machines._engines)), s))
        machines.at(80.0, lambda s: machines.add_node("node4", {"GPU": 2, "CPU": 64}))

    run.run(
        faults,
        parts=lambda job: (2.0 + job.shard.start % 7, 3.0),
        commit=lambda _: Commit(0.5, next(failing)),
        slowness=lambda number: 5.0 if number % 29 == 0 else 1.0,
    )
    assert run.is_all_done()
    assert run.machines.committed == {job.name: 2 for job in run.jobs}
    assert run.outcome.quarantined == []
    spent = run.machines.spent
    assert spent.own == sum(5.0 + job.shard.start % 7 for job in run.jobs)
    assert set(spent.lost) >= {"engine lost", "store failed"}


def late(number):
    """The 20th attempt, which is the last job's first one, takes ten times as long."""
    return 10.0 if number == 20 else 1.0


def test_a_late_job_is_issued_again_and_the_first_to_end_counts(simulated):
    run = simulated(20, replicas=2)
    ends_s = run.run(slowness=late)
    # It begins at 90 s, is late after 1.5 times the usual 10 s, and its second attempt takes 10 s.
    assert 0 <= ends_s - (90 + 15 + 10) <= LOOK_S
    assert run.is_all_done()
    assert run.outcome.issued_again == 1


def test_without_that_the_run_waits_for_it(simulated, monkeypatch):
    monkeypatch.setattr(stragglers, "FACTOR", float("inf"))
    run = simulated(20, replicas=2)
    assert run.run(slowness=late) == 90 + 100
    assert run.outcome.issued_again == 0


def test_if_the_second_attempt_is_slow_too_the_first_one_counts(simulated):
    run = simulated(20, replicas=2)
    assert run.run(slowness=lambda number: 10.0 if number >= 20 else 1.0) == 90 + 100
    assert run.is_all_done()
    assert run.outcome.issued_again == 1


def test_if_the_second_attempt_is_late_too_there_is_a_third_and_no_fourth(simulated):
    run = simulated(27, replicas=4)
    # The 27th attempt begins at 60 s, the next one 15 s later, and the third one 15 s after that.
    ends_s = run.run(slowness=lambda number: 10.0 if number in (27, 28) else 1.0)
    assert 0 <= ends_s - (60 + 15 + 15 + 10) <= 2 * LOOK_S
    assert run.is_all_done()
    assert run.outcome.issued_again == 2


def test_at_most_three_attempts_run(simulated):
    run = simulated(27, replicas=4)
    assert run.run(slowness=lambda number: 10.0 if number >= 27 else 1.0) == 60 + 100
    assert run.is_all_done()
    assert run.outcome.issued_again == 2


def test_jobs_that_share_an_engine_are_not_late_for_that(simulated):
    run = simulated(40, replicas=2, in_flight=2)

    def parts(job):  # two in turn on an engine take twice as long; the last one has an engine for itself
        return (5.0, 5.0) if job.shard.start < 39 else (7.0, 7.0)

    run.run(parts=parts)
    assert run.is_all_done()
    assert run.outcome.issued_again == 0


def test_in_the_last_round_no_job_waits_behind_another_while_an_engine_will_be_free(simulated):
    run = simulated(4, replicas=2, in_flight=2)
    assert run.run(parts=lambda job: (40.0 if job.shard.start == 0 else 10.0,)) == 40
    assert run.is_all_done()


def test_two_attempts_that_end_at_the_same_moment_count_once(simulated):
    began_s, factor = 90, (simulated(20, replicas=2).run(slowness=late) - 90) / 10
    run = simulated(20, replicas=2)
    assert run.run(slowness=lambda number: factor if number == 20 else 1.0) == began_s + 10 * factor
    assert run.is_all_done()
    assert run.outcome.issued_again == 1


def test_jobs_wait_while_too_many_bytes_are_on_their_way(simulated, monkeypatch):
    monkeypatch.setattr(driver, "MOST_BYTES", 1)  # the first of several always goes
    run = simulated(3, replicas=3)
    assert run.run() == 30
    assert run.is_all_done()


def test_idle_engines_are_ended_while_a_long_job_runs(simulated):
    run = simulated(4, replicas=4)
    assert run.run(parts=lambda job: (200.0 if job.shard.start == 0 else 10.0,)) == 200
    first = sorted(run.ended())[:3]
    assert all(0 <= time_s - (10 + IDLE_S) <= LOOK_S for time_s in first)
    assert run.started() == {"m": 4}


def test_models_share_a_cluster_that_is_too_small_for_all(simulated):
    run = simulated(8, models=("m", "n"), gpus=(4,), replicas=8)
    ends_s = run.run()
    assert 0 <= ends_s - 16 * 10 / 4 <= LOOK_S
    assert run.is_all_done()
    up = Counter(one.deployment.model for one in run.replicas.values() if one.capabilities)
    assert up == {"m": 2, "n": 2}


def test_more_models_than_places_take_turns(simulated):
    run = simulated(4, models=("m", "n", "o"), gpus=(2,), replicas=4)
    ends_s = run.run()
    assert run.is_all_done()
    # m and n have an engine each for 40 s; then o gets both places.
    assert 0 <= ends_s - (40 + 20) <= 2 * LOOK_S


def test_the_largest_engines_are_asked_for_first(simulated):
    own = {"large": {"resources": {"gpus": 4}}}
    run = simulated(4, models=("small", "large"), gpus=(4, 4), own=own, replicas=4)
    run.run()
    assert run.is_all_done()
    starts = [what for _, what in run.machines.log if what.startswith("start")]
    assert [name.rpartition("#")[0] for name in starts[:2]] == ["start large", "start small"]


def test_a_store_that_fails_one_job_after_another_ends_the_run(simulated):
    run = simulated(20, replicas=4)
    with pytest.raises(StoreError, match="did not take"):
        run.run(commit=lambda _: Commit(0.0, failed=True))
    assert run.said.shards == []


def test_a_subject_yields_its_place_to_a_helper_that_lost_its_own(simulated):
    own = {"e": {"roles": ["editor"]}}
    run = simulated(6, models=("m", "e"), gpus=(1, 2), own=own, probes=["adding_mistakes"], replicas=2)
    ends_s = run.run(lambda m: m.at(15.0, lambda s: m.lose_node("node0", s)), noticed_s=0.0)
    assert run.is_all_done()
    assert any("its place is needed for a helper" in line for line in run.said.lines)
    # Two jobs end at 10 s and two at 20 s; the helper has its place 10 s later, and one engine does the last two.
    assert 0 <= ends_s - (20 + 10 + 20) <= 3 * LOOK_S
