"""The forecast of a run, on engines that are simulated with a clock of their own; and what a stop loses."""

import math
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from forecasts import forecast_of, missing_of

from cotfaith.cluster.durations import duration
from cotfaith.cluster.fleet.chain_lengths import ChainLengths, expected
from cotfaith.cluster.fleet.estimate import Estimate
from cotfaith.cluster.fleet.forecast import LOADING, make_forecast
from cotfaith.cluster.fleet.in_flight import InFlight
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.ratios import Ratios
from cotfaith.cluster.fleet.shard_task import ShardReport, run_job
from cotfaith.cluster.fleet.to_do import Planned
from cotfaith.cluster.fleet.wall import STUCK_S, Wall
from cotfaith.cluster.plan.per_item import Amount
from cotfaith.cluster.plan.unit_costs import LEAST
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.workers.engines.protocol import (
    CHAINS,
    PROBES,
    READINGS,
    EngineUsage,
    Running,
    StageKey,
    StageWork,
)
from cotfaith.workers.engines.stub.engine import StubEngine

LIMIT = 200
ENGINES = 2
SERIAL = {"name": "t", "generator": "serial_arithmetic", "options": {"closed": True, "steps": [2]}, "n": 8}
TASKS = {"t": "addition", "u": "tracking_objects"}


@dataclass
class Span:
    """A time in which a simulated engine does one thing."""

    began: float
    ended: float
    engine: str
    key: StageKey
    work: StageWork

    def so_far(self, now):
        share = min(1.0, max(0.0, (now - self.began) / (self.ended - self.began)))
        return self.work.times(share)


@dataclass
class Simulation:
    """Engines of several models, two at a time; a model's engine loads, and does its shards one after another."""

    jobs: list
    token_s: dict
    request_s: float
    length: tuple
    probe_requests: float
    seed: int = 1
    loading_s: float = 5.0
    gap_s: float = 0.3
    spans: list = field(default_factory=list)
    ends: list = field(default_factory=list)
    up: dict = field(default_factory=dict)

    def __post_init__(self):
        draw, free = random.Random(self.seed), [0.0] * ENGINES
        models = list(dict.fromkeys(job.model for job in self.jobs))
        for model in models:
            place = free.index(min(free))
            now = self.up[model] = free[place] + self.loading_s
            for job in (job for job in self.jobs if job.model == model):
                now = self._do(job, model, now, draw)
            free[place] = now
        self.end = max(free)

    def _do(self, job, model, now, draw):
        lengths = [draw.randint(*self.length) for _ in job.items]
        requests = len(lengths) * self.probe_requests
        done = {}
        for stage, work in (
            (CHAINS, StageWork(2 * len(lengths), sum(lengths), sum(lengths) * self.token_s[model])),
            (PROBES, StageWork(requests, 0, requests * self.request_s * self.token_s[model])),
        ):
            key = StageKey(model, job.shard.task, stage)
            now += self.gap_s
            self.spans.append(Span(now, now + work.seconds, f"{model}#1", key, work))
            now, done[key] = now + work.seconds, work
        report = ShardReport(job.shard.id, len(job.items), stages=done, chains=len(lengths), chain_tokens=sum(lengths))
        self.ends.append((now, model, report))
        return now

    def usage(self, model, now):
        found = {}
        for span in self.spans:
            if span.engine == f"{model}#1" and span.began <= now:
                found[span.key] = found.get(span.key, StageWork()) + span.so_far(now)
        return EngineUsage(stages=found, loading_s=self.loading_s)

    def outlooks(self, forecast, clock):
        """Yield (now, outlook) every second; engines are asked every two."""
        told = set()
        for now in range(int(self.end) + 1):
            clock[0] = float(now)
            if now % 2 == 0:
                for model, up in self.up.items():
                    if up <= now:
                        forecast.used(f"{model}#1", self.usage(model, now))
            for end, model, report in self.ends:
                if end <= now and report.shard not in told:
                    told.add(report.shard)
                    forecast.used(f"{model}#1", self.usage(model, now))
                    forecast.finished(report)
            yield now, forecast.outlook()


@pytest.mark.parametrize(
    ("models", "length", "probe_requests", "request_s"),
    [
        (7, (30, 60), 6, 0.5),  # short chains: the plan expects 200 tokens each
        (5, (20, 180), 11, 2.0),  # probes take most of the time
        (6, (190, 200), 2, 0.1),
        (6, (40, 40), 12, 2.0),
    ],
)
def test_the_eta_is_within_20_percent_after_a_tenth(tmp_path, models, length, probe_requests, request_s):
    """Which lengths the first few chains have is chance: the error is a mean over draws of them."""
    clock, names = [0.0], [f"m{i}" for i in range(models)]
    missing = missing_of(
        tmp_path,
        models=[{"id": name, "engine": "stub"} for name in names],
        tasks=[
            {"name": "t", "generator": "addition", "n": 12},
            {"name": "u", "generator": "tracking_objects", "n": 12},
        ],
        resources={"shard_size": 4},
    )
    jobs, token_s = missing.of_subjects(Ledger()), {name: 0.02 * (1 + i % 3 / 10) for i, name in enumerate(names)}
    at_a_tenth, later = [], []
    for seed in (1, 2, 3):
        forecast = make_forecast(missing, jobs, Ledger())
        forecast.wall = Wall(lambda: clock[0])
        made = Simulation(jobs, token_s, request_s, length, probe_requests, seed)
        seen = list(made.outlooks(forecast, clock))
        assert seen[0][1].phase == LOADING
        assert seen[0][1].left_s is None
        middle = [(now, look) for now, look in seen if 0.1 * made.end <= now <= 0.9 * made.end]
        errors = [abs(look.left_s / (made.end - now) - 1) for now, look in middle]
        at_a_tenth.append(errors[0])
        later += errors
        last = seen[-1][1]
        assert last.share > 0.98
        assert last.requests == pytest.approx(last.requests_done, rel=0.05)  # the last look is up to a second early
        assert {look.phase for _, look in seen} >= {LOADING, CHAINS}
    assert sum(at_a_tenth) / len(at_a_tenth) < 0.2
    assert sum(later) / len(later) < 0.15


def test_a_models_tasks_take_turns_in_proportion_to_their_shards(tmp_path):
    tasks = [{"name": "t", "generator": "addition"}, {"name": "u", "generator": "tracking_objects", "n": 4}]
    models = [{"id": name, "engine": "stub"} for name in ("m", "n")]
    missing = missing_of(tmp_path, models=models, tasks=[tasks[0] | {"n": 8}, tasks[1]])
    run = missing.run.model_copy(update={"ranges": {**missing.run.ranges, "u": _first(missing.run.ranges["u"], 4)}})
    jobs = Jobs(missing.plan, run).of_subjects(Ledger())
    order = [f"{job.model} {job.shard.task}{job.shard.start}" for job in jobs]
    assert order == [f"{model} {one}" for model in "mn" for one in ("t0", "u0", "t2", "t4", "u2", "t6")]


def _first(ranges, stop):
    return [ranges[0].model_copy(update={"stop": stop})]


def test_what_is_done_before_counts_as_done_and_not_as_speed(tmp_path):
    folder = tmp_path / "run"
    missing, store = missing_of(folder), LocalStore(folder)
    jobs = missing.of_subjects(Ledger())
    fresh = make_forecast(missing, jobs, Ledger()).outlook()
    assert (fresh.share, fresh.requests_done, fresh.left_s) == (0.0, 0, None)
    for job in jobs[:2]:
        run_job(job, {"subject": StubEngine(missing.plan.model("m"))})
    ledger = read_ledger(store, missing.run)
    half = make_forecast(missing, missing.of_subjects(ledger), ledger).outlook()
    assert half.share == pytest.approx(0.5)
    assert half.requests_done == fresh.requests / 2
    assert half.requests == fresh.requests
    assert half.left_s is None


def test_shards_that_finish_correct_the_plan_and_end_at_all_requests(tmp_path):
    missing = missing_of(tmp_path / "run")
    jobs = missing.of_subjects(Ledger())
    forecast, engine = make_forecast(missing, jobs, Ledger()), StubEngine(missing.plan.model("m"))
    reports = [run_job(job, {"subject": engine}) for job in jobs]
    asked = sum(work.requests for report in reports for work in report.stages.values())
    for report in reports:
        before = forecast.outlook()
        forecast.finished(report)
        assert forecast.outlook().share > before.share
    look = forecast.outlook()
    assert (look.share, look.requests_done, look.requests) == (1.0, asked, asked)


def test_readings_are_work_from_the_start(tmp_path):
    probes = ["no_cot", {"name": "transfer", "options": {"readers": ["m"]}}]
    alone = forecast_of(tmp_path, probes=["no_cot"]).outlook()
    both = forecast_of(tmp_path, probes=probes)
    assert both.outlook().requests > alone.requests
    assert {one.stage.stage for one in both.whole} == {CHAINS, PROBES, READINGS}


@pytest.mark.parametrize(
    ("costs", "readings_s"),
    [
        ({"m": 10.0, "reader": 10.0}, 1.0),  # an engine of the same size: a unit takes as long
        ({"m": 10.0, "reader": 500.0}, 50.0),
        ({"m": 10.0, "reader": 0.0}, 0.0),  # no weights: nothing, until it has shown what it takes
        ({"m": 10.0, "reader": None}, 1.0),  # a server
        ({"m": None, "reader": 500.0}, 1.0),
    ],
)
def test_readings_of_a_model_that_has_not_worked_take_what_its_size_says(costs, readings_s):
    chains, probes, read = StageKey("m", "t", CHAINS), StageKey("m", "t", PROBES), StageKey("reader", "t", READINGS)
    planned = {
        Planned(chains, CHAINS): Amount(1, 100),
        Planned(probes, "early"): Amount(10, 40, 40),
        Planned(read, "judged"): Amount(5, 30, 20),
    }
    whole = Counter(dict.fromkeys(planned, 4))
    work = {chains: StageWork(4, 400, 40.0), probes: StageWork(40, 0, 320.0)}  # 0.1 s and 2 s a unit
    done = Counter({one: 4 for one in planned if one.stage != read})
    left = Counter({one: 4 for one in planned if one.stage == read})
    found = Estimate(planned.get, lambda _: 1.0, costs.get, whole, done, left, work, work).left_s()
    assert found == {"reader": pytest.approx(4 * 30 * 2.0 * readings_s)}  # as probes, which are answers too


def test_readings_take_what_they_have_shown_once_some_are_done():
    read = StageKey("reader", "t", READINGS)
    planned, work = {Planned(read, "judged"): Amount(5, 30, 20)}, {read: StageWork(5, 10, 3.0)}
    one = Counter(dict.fromkeys(planned, 1))
    found = Estimate(planned.get, lambda _: 1.0, lambda _: 0.0, one + one, one, one, work, work).left_s()
    assert found == {"reader": pytest.approx(3.0)}


def test_engines_of_readers_have_the_names_of_those_before_them_and_count_anew(tmp_path):
    forecast, chains, read = forecast_of(tmp_path), StageKey("m", "t", CHAINS), StageKey("m", "t", READINGS)
    forecast.begin_stage()
    forecast.used("m#1", EngineUsage(stages={chains: StageWork(10, 100, 50.0)}))
    before = forecast.outlook()
    forecast.begin_stage()
    forecast.used("m#1", EngineUsage(stages={read: StageWork(3, 0, 1.0)}))
    after = forecast.outlook()
    assert after.phase == READINGS
    assert after.requests_done == before.requests_done + 3


def test_what_a_unit_costs_is_guessed_from_the_engine_and_its_size(tmp_path):
    models = [
        {"id": "m", "engine": "stub"},
        {"id": "o", "source": "organism:reasoner"},
        {"id": "s", "engine": "stub", "parameters": "7B"},
    ]
    per_item = forecast_of(tmp_path, models=models, tasks=[SERIAL]).per_item
    assert per_item.unit_cost("m") == per_item.unit_cost("s") == 0.0
    assert LEAST < per_item.unit_cost("o") < LEAST + 1e6  # its weights are in the package


def test_a_plug_in_whose_plan_fails_ends_no_run(tmp_path, monkeypatch):
    from cotfaith.schemas.errors import SpecError

    def fail(*_):
        raise SpecError("its arms raise")

    forecast = forecast_of(tmp_path)
    monkeypatch.setattr("cotfaith.cluster.plan.per_item.stage_costs", fail)
    assert forecast.outlook().requests > 0


class TestWall:
    def looked(self, looks):
        clock = [0.0]
        wall = Wall(lambda: clock[0])
        for now, spent_s, engines in looks:
            clock[0] = now
            wall.look(spent_s, engines)
        return wall

    def test_a_slow_store_makes_what_is_left_take_longer(self):
        """One engine works for 10 s and waits for the store for 10 s, again and again."""
        looks, spent_s = [(0.0, 0.0, 1)], 0.0
        for second in range(1, 121):
            spent_s += (second - 1) % 20 < 10
            looks.append((float(second), spent_s, 1))
        wall = self.looked(looks)
        assert wall.left_s([100.0], 0, []) == pytest.approx(200, rel=0.15)

    def test_a_wait_for_a_load_is_the_loads(self):
        looks = [(float(second), 0.0 if second < 5 else min(second - 4.0, 10.0), 1) for second in range(40)]
        looks += [(40.0 + second, 11.0 + second, 2) for second in range(10)]
        wall = self.looked(looks)
        assert wall.stalled_s == 0
        assert wall.left_s([100.0], 0, [30.0]) == pytest.approx(100, rel=0.05)
        assert wall.left_s([100.0], 1, [30.0]) > 120

    def test_nobody_knows_how_long_a_store_stalls(self):
        looks = [(float(second), min(float(second), 20.0), 1) for second in range(20 + int(STUCK_S))]
        assert self.looked(looks[:-5]).left_s([100.0], 0, []) == pytest.approx(100, rel=0.1)
        stuck = self.looked([*looks, (20 + STUCK_S, 20.0, 1)])
        assert stuck.left_s([100.0], 0, []) is None
        assert stuck.left_s([100.0], 1, [5.0]) is not None  # an engine is still to come


class TestLengths:
    def test_open_texts_end_as_often_as_others_did(self):
        length, cut = expected([Running(1000, ended=10, open=10, open_tokens=600, limit=200)], 200)
        # 60 tokens each so far; one end in 100 tokens; at most 140 more
        assert 50 < length < 50 + 10 / 20 * 140
        assert 0 < cut < 0.5

    def test_if_none_has_ended_all_reach_the_limit(self):
        assert expected([Running(100, 0, 10, 100, 200)], 200) == (200.0, 1.0)

    def test_a_call_that_begins_takes_nothing_from_what_an_earlier_one_showed(self):
        lengths = ChainLengths(200)
        lengths.running("m", Running(400, ended=6, open=2, open_tokens=160, limit=200))
        known = lengths.cut_share("m")
        lengths.running("m", Running(8, ended=0, open=8, open_tokens=8, limit=200))
        # one text ends in 68 tokens: 6 of 16 ended, 2 have 120 tokens to go, 8 have 199
        assert lengths.cut_share("m") == pytest.approx(
            (2 * math.exp(-6 * 120 / 408) + 8 * math.exp(-6 * 199 / 408)) / 16
        )
        lengths.running("m", Running(80, ended=0, open=8, open_tokens=80, limit=200))
        assert len(lengths._calls["m"]) == 2
        assert 0 < known < lengths.cut_share("m") < 0.2

    def test_texts_that_probes_sample_are_no_chains(self, tmp_path):
        forecast = forecast_of(tmp_path)
        chains, probes = StageKey("m", "t", CHAINS), StageKey("m", "t", PROBES)
        limit = forecast.lengths.limit
        begun = StageWork(4, 400, 9.0)
        forecast.used("m#0", EngineUsage(running=Running(400, 2, 2, 200, limit), stages={chains: begun}))
        length = forecast.lengths.mean("m", "t")
        later = {chains: begun, probes: StageWork(5, 29, 1.0)}
        forecast.used("m#0", EngineUsage(running=Running(29, 5, 12, 24, limit), stages=later))
        assert forecast.lengths.mean("m", "t") == length != limit

    def test_finished_chains_count_before_guesses_and_answers_do_not(self):
        lengths = ChainLengths(200)
        assert lengths.mean("m", "t") == 200
        lengths.running("m", Running(50, 5, 5, 25, limit=16))  # generated answers
        assert lengths.mean("m", "t") == 200
        lengths.running("m", Running(500, 5, 5, 250, limit=200))
        assert 50 < lengths.mean("m", "t") == lengths.mean("n", "t") < 200
        lengths.made("m", "t", 4, 120)
        assert lengths.mean("m", "t") == lengths.mean("m", "u") == lengths.mean("n", "u") == 30


def test_a_quotient_that_rests_on_little_is_near_that_of_its_stage():
    key = StageKey
    pairs = {key("a", "t", PROBES): (100, 1000), key("a", "u", PROBES): (4, 10)}
    drawn = Ratios(pairs).of(key("a", "u", PROBES))
    weight, around = 0.1 * 1000, 104 / 1010
    assert drawn == pytest.approx((4 + weight * around) / (10 + weight))
    assert around < drawn < 0.4
    assert Ratios(pairs).of(key("a", "t", PROBES)) == pytest.approx(0.1, rel=0.001)


def test_a_model_that_is_twice_as_slow_is_so_in_a_stage_that_only_others_have_been_in():
    key = StageKey
    ratios = Ratios({key("a", "t", CHAINS): (10, 10), key("a", "t", PROBES): (30, 10), key("b", "t", CHAINS): (20, 10)})
    assert ratios.scaled(key("a", "u", PROBES)) == 3
    assert ratios.scaled(key("b", "t", PROBES)) == pytest.approx(3 * 2 / 1.5)
    assert ratios.scaled(key("b", "t", READINGS)) == 2
    assert ratios.of(key("c", "t", READINGS)) is None
    assert Ratios({}).scaled(key("a", "t", CHAINS)) is None


class TestInFlight:
    def test_the_loss_is_the_time_since_the_last_commit(self, tmp_path):
        folder = tmp_path / "run"
        job, other = missing_of(folder).of_subjects(Ledger())[:2]
        clock = [1000.0]
        flight = InFlight(lambda: clock[0])
        assert flight.loss() == ""
        flight.began(job)
        clock[0] += 40
        assert flight.loss() == "1 shard in flight is lost: about 40 s of work."
        flight.began(other)
        assert flight.loss() == "2 shards in flight are lost: about 40 s of work."
        flight.ended(job)
        assert flight.loss() == "1 shard in flight is lost: about 0 s of work."

    def test_what_a_shard_has_committed_is_not_lost(self, tmp_path):
        import time

        folder = tmp_path / "run"
        missing = missing_of(folder)
        job = missing.of_subjects(Ledger())[0]
        flight = InFlight(lambda: time.time() + 100)
        flight.clock = lambda: time.time() - 1000
        flight.began(job)
        run_job(job, {"subject": StubEngine(missing.plan.model("m"))})
        flight.clock = lambda: time.time() + 30
        lost = int(flight.loss().split("about ")[1].split(" s")[0])
        assert 25 <= lost < 60  # and not the 1030 s since it began

    @pytest.mark.parametrize(
        ("seconds", "said"), [(0, "0 s"), (99.4, "99 s"), (100, "2 min"), (3600, "60 min"), (7500, "2 h 5 min")]
    )
    def test_durations(self, seconds, said):
        assert duration(seconds) == said
