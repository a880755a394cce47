"""Merged calls on a real local Ray: fewer calls of the engine, the same results, and answers while it works."""

import contextlib
import io
import time

import pytest
import ray
from forecasts import forecast_of
from ray.exceptions import RayActorError
from rich.console import Console
from run_records import run_record

from cotfaith.cluster.cli.progress import RunProgress
from cotfaith.cluster.fleet.driver import run_jobs
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.ray_backend import RayBackend
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import ContextOverflowError, EngineError
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.workers.actor.remote import EngineActor, RemoteEngine
from cotfaith.workers.engines.protocol import ScoreRequest
from cotfaith.workers.engines.stub.engine import StubEngine, static_capabilities

SHARDS = 4


@pytest.fixture(scope="module", autouse=True)
def _warm(shared_ray, tmp_path_factory):
    """Start Ray's workers first: they take seconds, and a run would end before they work at the same time."""
    here = tmp_path_factory.mktemp("warm")

    @ray.remote(num_cpus=0)
    def warm(name):
        import cotfaith.cluster.fleet.shard_task  # noqa: F401

        (here / name).touch()
        while len(list(here.iterdir())) < SHARDS:
            time.sleep(0.1)

    ray.get([warm.remote(str(n)) for n in range(SHARDS)], timeout=120)


def model(**options):
    return ModelSpec(id="m", engine="stub", options=options)


@pytest.fixture
def start():
    """A function that starts an engine's actor; the actors end with the test."""
    actors = []

    def make(**options):
        actors.append(ray.remote(EngineActor).remote(model(**options), 1))
        ray.get(actors[-1].describe.remote())
        return actors[-1]

    yield make
    for actor in actors:
        ray.kill(actor)


def requests(text, count=3):
    return [ScoreRequest(tuple(f"{text} {n}".encode()), ((65,), (66,))) for n in range(count)]


@pytest.mark.parametrize("names", [["one", "two", "three", "four"], ["one", "two", "bad", "three"]])
def test_calls_that_wait_are_merged_and_a_bad_one_fails_alone(start, names):
    actor = start(seconds_per_call=1.0, fail_on="bad")
    references = {name: actor.call.remote("score", requests(name)) for name in ["first", *names]}
    plain = StubEngine(model())
    for name, reference in references.items():
        if name == "bad":
            with pytest.raises(EngineError, match="fails on prompts"):
                ray.get(reference)
        else:
            assert ray.get(reference) == plain.score(requests(name))
    if "bad" not in names:  # otherwise each is run again by itself
        assert ray.get(actor.usage.remote()).calls < len(references)


def test_questions_are_answered_while_the_engine_works(start):
    actor = start(seconds_per_call=3.0)
    call = actor.call.remote("score", requests("long"))
    backend = RayBackend()
    backend.ask_usage("m#1", actor)
    (answer,) = backend.events(60)
    assert answer.usage.prompt_tokens == 0
    ray.get(actor.describe.remote())
    assert not ray.wait([call], timeout=0)[0], "the questions were answered after the call"
    assert len(ray.get(call)) == 3


def wait_until_gone(actor):
    with contextlib.suppress(RayActorError):
        while ray.get(actor.usage.remote(), timeout=60):
            time.sleep(0.1)


def test_a_question_to_an_engine_that_is_gone_has_no_answer_and_does_no_harm(start):
    actor, backend = start(), RayBackend()
    ray.kill(actor)
    wait_until_gone(actor)
    for _ in range(3):
        backend.ask_usage("m#1", actor)
    backend.ask_usage("m#2", start())
    found = []
    while not found:
        found = backend.events(60)
    assert [event.engine for event in found] == ["m#2"]


def test_errors_cross_in_their_own_words(start):
    engine = RemoteEngine(start(max_context=10, fail_on="bad"), static_capabilities(model()))
    with pytest.raises(ContextOverflowError) as long:
        engine.score(requests("longer than ten bytes"))
    assert str(long.value).endswith("exceed the context window (10).")
    with pytest.raises(EngineError) as bad:
        engine.score(requests("bad"))
    assert str(bad.value) == "The stub fails on prompts that contain 'bad'."


class Recorder(RunProgress):
    """Keeps the engine's own count of its calls."""

    def __init__(self, path):
        super().__init__(Console(file=io.StringIO()), forecast_of(path))
        self.calls = 0

    def finished(self, name, report, engine):
        super().finished(name, report, engine)
        self.calls = max(self.calls, report.usage.calls)


def planned(path):
    spec = parse_spec(
        {
            "models": [model(seconds_per_call=1.0).model_dump()],
            "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 2 * SHARDS}],
            "probes": ["no_cot", "early_answering"],
            "resources": {"shard_size": 2, "in_flight": SHARDS, "cpus": 1},
            "output": {"path": str(path)},
        }
    )
    plan = make_plan(spec)
    return plan, Jobs(plan, run_record(n=2 * SHARDS, size=2, tasks=("tracking",))).of_subjects(Ledger())


def test_shards_in_flight_share_engine_calls_and_results_stay(tmp_path):
    engine = StubEngine(model())
    for job in planned(tmp_path / "alone")[1]:
        run_job(job, {"subject": engine})
    with Recorder(tmp_path / "merged") as progress:
        assert run_jobs(*planned(tmp_path / "merged"), progress).quarantined == []
    assert progress.done == 2 * SHARDS
    assert 3 <= progress.calls < 3 * SHARDS  # a shard asks for chains, for their answers, and for its probes
    expected, merged = [read_tables(LocalStore(tmp_path / name)) for name in ("alone", "merged")]
    assert merged.keys() == expected.keys()
    for name, frame in merged.items():
        assert frame.height > 0
        assert frame.equals(expected[name]), name
