"""What a run lacks from the states of its shards, against the same from all its commits; and whole runs that go on."""

import random

import pytest
from forecasts import missing_of
from runs_here import without_ray

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.forecast import make_forecast
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.lacking import FromCommits, FromStates
from cotfaith.cluster.fleet.run import Again, execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.fleet.stage_jobs import listed
from cotfaith.cluster.storage import local
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine

MODELS = [{"id": name, "engine": "stub"} for name in ("m", "n")]
TASKS = [
    {"name": "t", "generator": "addition", "n": 5},
    {"name": "u", "generator": "tracking_objects", "n": 5},
]
MORE = {"models": MODELS, "tasks": TASKS, "probes": ["no_cot", "transfer"]}


@pytest.fixture(autouse=True)
def no_wait(monkeypatch):
    """Take all folders as settled, though these tests have just changed them."""
    monkeypatch.setattr(local, "_CLOCK_NS", -(10**12))


def do(job):
    models = {model.id: model for model in job.spec.models}
    return run_job(job, {"subject": StubEngine(models[job.model])})


def by_model(jobs):
    found = listed(jobs)
    return {one.model: list(one) for one in found.models}


def check_same(missing, store):
    """The jobs and counts of both ways are the same; partly done shards may be counted with all their probes."""
    states, commits = FromStates(missing, store), FromCommits(missing, store)
    for lazy, whole in ((states.subjects(), commits.subjects()), (states.readers(), commits.readers())):
        assert {one.model: list(one) for one in lazy.models} == by_model(whole)
        assert [one.model for one in lazy.models] == [one.model for one in whole.models]
        assert {one.model: len(one) for one in lazy.models} == {one.model: len(one) for one in whole.models}
        probes = {one.model: one.probes for one in whole.models}
        assert all(one.probes >= probes[one.model] for one in lazy.models)
    states.states.renew(states.writer)
    assert states.counted(states.subjects()) == commits.counted(commits.subjects())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_jobs_are_the_same_as_those_from_all_commits(tmp_path, seed):
    missing, store, draw = missing_of(tmp_path, **MORE), LocalStore(tmp_path), random.Random(seed)
    check_same(missing, store)
    jobs = missing.of_subjects(Ledger())
    for job in draw.sample(jobs, 7):
        do(job)
    check_same(missing, store)
    for job in draw.sample(missing.of_readers(read_ledger(store)), 3):
        do(job)
    check_same(missing, store)
    widened = missing_of(tmp_path, **MORE | {"probes": ["no_cot", "early_answering", "transfer"]})
    check_same(widened, store)
    one, *_ = draw.sample(widened.of_subjects(read_ledger(store)), 1)
    do(one.halves()[0] if len(one.items) > 1 else one)
    check_same(widened, store)
    longer = Jobs(widened.plan, widened.run.model_copy(update={"max_tokens": 500}))
    assert by_model(FromStates(longer, store).subjects()) == by_model(longer.of_subjects(read_ledger(store)))


def test_the_forecast_from_states_is_that_from_commits_and_ends_at_nothing(tmp_path):
    missing, store = missing_of(tmp_path, **MORE), LocalStore(tmp_path)
    for job in missing.of_subjects(Ledger())[:5]:
        do(job)
    ledger, lacking = read_ledger(store), FromStates(missing, store)
    subjects = lacking.subjects()
    forecast, whole = lacking.forecast(subjects), make_forecast(missing, missing.of_subjects(ledger), ledger)
    assert forecast.to_do.left() == whole.to_do.left()
    assert (forecast.whole, forecast.models) == (whole.whole, whole.models)
    assert forecast.outlook() == whole.outlook()
    for stage in (lambda: subjects, lacking.readers):
        for job in stage():
            report = do(job)
            before = forecast.to_do.left().total()
            forecast.finished(report)
            lacking.finished(report)
            assert forecast.to_do.left().total() < before
    assert forecast.to_do.left() == {}
    assert forecast.to_do.parts == {}
    assert forecast.outlook().share == 1.0


def test_a_shard_that_is_partly_done_is_counted_exactly_when_its_turn_comes(tmp_path):
    missing, store = missing_of(tmp_path), LocalStore(tmp_path)
    first = missing.of_subjects(Ledger())[0]
    do(first.halves()[0])  # one of two items
    lacking = FromStates(missing, store)
    subjects = lacking.subjects()
    forecast = lacking.forecast(subjects)
    assert forecast.to_do.left().total() == 8 * 3  # chains and two probes
    for job in subjects:
        forecast.finished(do(job))
        break
    assert forecast.to_do.left().total() == 6 * 3
    again = FromStates(missing, store)
    again.forecast(again.subjects())
    assert again.to_do.left().total() == 6 * 3


class Reading(LocalStore):
    """Counts the commits that drivers read."""

    read = 0

    def get(self, key):
        Reading.read += key.startswith("_commits/")
        return super().get(key)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Do a run whose workers report; return how many commits its driver read."""
    without_ray(monkeypatch)
    spec = parse_spec(MORE | {"output": {"path": str(tmp_path / "run")}, "resources": {"shard_size": 2}})

    def reporting(plan, jobs, progress, *_):
        for job in jobs:
            before = Reading.read
            report = do(job)
            Reading.read = before  # a worker's own
            progress.finished(job.model, report, "engine")
        return RunOutcome(done=len(jobs))

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", reporting)
    monkeypatch.setattr("cotfaith.cluster.fleet.run.open_store", lambda output: Reading(tmp_path / "run"))

    def done(**again):
        Reading.read = 0
        assert execute(spec, again=Again(**again)) == []
        return Reading.read

    done.store = LocalStore(tmp_path / "run")
    return done


def commits_of(store):
    return sorted(key for key in store.list("_commits/"))


def test_a_driver_whose_workers_report_reads_no_commit_and_nor_does_the_next(run):
    assert run() == 0
    before = commits_of(run.store)
    assert len(before) > 12
    assert run() == 0
    assert commits_of(run.store) == before
    for key in run.store.list("_ledger/"):
        run.store.delete(key)
    assert run() == len(before)
    assert run() == 0


def test_a_driver_that_is_killed_has_its_work_found_by_the_next(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("cotfaith.cluster.storage.segments.LedgerWriter.flush", lambda _: None)
        assert run() == 0
    before = commits_of(run.store)
    assert run() == len(before)
    assert commits_of(run.store) == before


def test_a_repair_forgets_the_ledger_and_what_it_moves_away_is_done_again(run):
    run()
    key = commits_of(run.store)[0]
    path = run.store.root / key
    path.write_bytes(path.read_bytes().replace(b'"ok"', b'"OK"'))  # in place: its folder does not change
    assert run() == 0
    run(damaged=True)
    assert run.store.get(f"_aside/{key}") is not None
    assert run() > 0
    assert read_ledger(run.store).statuses().keys() == {"ok"}
