"""Names are looked up once: by the plan, and in each shard task; commits are read once by each run."""

from collections import Counter
from contextlib import nullcontext

import pytest

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.costs import costs
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import make_plan, overflow_warnings
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.store import LocalStore, open_store
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.workers import resolved
from cotfaith.workers.engines import resolved as resolved_model
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.resolved import resolve

PROBES = ["no_cot", "early_answering", {"name": "transfer", "options": {"readers": ["n"]}}]


@pytest.fixture
def spec(tmp_path):
    def made(**changes):
        content = {
            "models": [{"id": "m", "engine": "stub"}, {"id": "n", "engine": "stub"}],
            "tasks": [{"name": "t", "generator": "addition", "n": 4}],
            "probes": PROBES,
            "resources": {"shard_size": 2},
            "output": {"path": str(tmp_path / "run")},
        }
        return parse_spec(content | changes)

    return made


@pytest.fixture
def looked_up(monkeypatch):
    """How often each name is looked up, and each codec made."""
    counts = Counter()

    def counting(module, name):
        real = getattr(module, name)

        def call(named, *more):
            counts[name, named.id if isinstance(named, ModelSpec) else named.name] += 1
            return real(named, *more)

        monkeypatch.setattr(module, name, call)

    counting(resolved, "find_probe")
    counting(resolved_model, "find_engine")
    counting(resolved_model, "load_codec")
    return counts


def run_all(jobs):
    for job in jobs:
        run_job(job, {"subject": StubEngine(ModelSpec(id=job.model, engine="stub"))})


def test_what_a_spec_names():
    made = resolve(
        parse_spec(
            {
                "models": [{"id": "m", "engine": "stub"}],
                "tasks": [{"name": "t", "generator": "addition"}],
                "probes": PROBES[:2],
            }
        )
    )
    assert [(p.name, p.kind.name, p.readers) for p in made.probes] == [(n, n, ()) for n in PROBES[:2]]
    assert [m.spec.id for m in made.subjects] == ["m"]
    assert made.models["m"].capabilities.generate


def test_readers_are_resolved_in_the_specs_order(spec):
    assert resolve(spec()).probes[2].readers == ("n",)
    assert resolve(spec(probes=["transfer"])).probes[0].readers == ("m", "n")
    with pytest.raises(SpecError, match="readers: Unknown subject 'x'"):
        resolve(spec(probes=[{"name": "transfer", "options": {"readers": ["x"]}}]))


def test_the_driver_looks_up_each_name_once(spec, looked_up):
    plan = make_plan(spec())
    costs(plan)
    overflow_warnings(plan)
    ident = identity(plan.resolved, plan.weights, plan.templates)
    run = open_run(open_store(plan.spec.output.path), plan.resolved, ident, plan.items)
    jobs = Jobs(plan, run)
    assert len(jobs.of_subjects(Ledger())) == 4
    assert jobs.of_readers(Ledger()) == []
    assert set(looked_up.values()) == {1}
    assert len(looked_up) == 3 + 2 + 2  # probes, engines, codecs


def test_a_shard_task_looks_up_each_probe_once(spec, looked_up):
    plan = make_plan(spec())
    ident = identity(plan.resolved, plan.weights, plan.templates)
    run = open_run(open_store(plan.spec.output.path), plan.resolved, ident, plan.items)
    jobs = Jobs(plan, run).of_subjects(Ledger())
    looked_up.clear()
    run_all(jobs[:1])
    assert {name: n for (kind, name), n in looked_up.items() if kind == "find_probe"} == dict.fromkeys(
        ("no_cot", "early_answering", "transfer"), 1
    )


def test_a_run_reads_each_commit_once(spec, monkeypatch):
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())

    by_tasks = Counter()

    def here(plan, jobs, progress, *_):
        before = Counter(reads)
        run_all(jobs)
        by_tasks.update(reads - before)
        return RunOutcome(done=len(jobs))

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", here)
    reads, get = Counter(), LocalStore.get

    def counted(self, key):
        reads[key] += key.startswith("_commits/")
        return get(self, key)

    without = PROBES[:2]
    monkeypatch.setattr(LocalStore, "get", counted)
    assert execute(spec(probes=without)) == []
    assert by_tasks == +reads == Counter()  # a new run has none, and a task knows what it committed itself
    reads.clear()
    assert execute(spec(probes=without)) == []
    assert set((+reads).values()) == {1}
    assert len(+reads) == 2 * 2 * 2  # models, shards, chains and probes
