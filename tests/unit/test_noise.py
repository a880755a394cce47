"""The noise floor of an engine, on invented engines: what is measured, judged by it, recorded and shown."""

import asyncio
import json
import math
from dataclasses import dataclass, field, replace

import pytest
from commands import in_process
from hypothesis import given
from hypothesis import strategies as st
from run_records import run_record
from runs_here import copy_of, finish

from cotfaith.cluster.fleet.noise_floors import NoiseFloors
from cotfaith.cluster.report.facts import run_facts
from cotfaith.cluster.storage.read import read_noise, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import EngineError, EngineLostError, RunFolderError, StoreError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.noise import NoiseFloor, measure_noise, noise_requests, resolution
from cotfaith.workers.actor.remote import EngineActor
from cotfaith.workers.engines import ENGINES
from cotfaith.workers.engines.protocol import Capabilities, ScoreRequest, Scores
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.text.answers import scored_answer
from cotfaith.workers.text.codec import ByteCodec

SCORES = Capabilities(generate=False, score=True, prefill=True)
MODEL = ModelSpec(id="m", engine="stub")
SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 2, "options": {"operands": [2]}}],
    "probes": ["no_cot"],
    "output": {"path": "run"},
}


@dataclass
class Noisy:
    """An engine whose scores depend on their company, on what it keeps, or on how often it was asked."""

    company: float = 0.0
    """Added to the last candidate of a request that is not alone."""
    kept: float = 0.0
    """Added to the first candidate of a request that was computed before, unless that is forgotten."""
    own: float | None = None
    """The resolution of its scores."""
    capabilities: Capabilities = SCORES
    error: Exception | None = None
    value: float = -1.0
    known: set = field(default_factory=set)
    calls: list = field(default_factory=list)

    def score(self, requests):
        self.calls.append(list(requests))
        if self.error is not None:
            raise self.error
        rows = [self._row(request, len(requests) > 1) for request in requests]
        self.known |= set(requests)
        return rows

    def _row(self, request, together):
        row = [self.value - n for n in range(len(request.candidates))]
        row[-1] += self.company * together
        row[0] += self.kept * (request in self.known)
        return tuple(row) if self.own is None else Scores(row, self.own)


class Forgetful(Noisy):
    def forget(self):
        self.known.clear()


class Continuing(Forgetful):
    """What it kept whole it answers with the same numbers; where it kept a part, it makes its sums in another order."""

    def _row(self, request, together):
        beginnings = [one.prompt for one in self.known if request.prompt[: len(one.prompt)] == one.prompt]
        row = super()._row(request, together)
        return (row[0] + 0.03 * (request not in self.known and len(beginnings) > 0), *row[1:])


def measured(engine):
    return measure_noise(engine, ByteCodec)


class TestMeasured:
    def test_an_exact_engine(self):
        assert measured(Noisy()) == NoiseFloor(0.0, 0.001, 2)

    @pytest.mark.parametrize("nats", [0.01, -0.01, 1e-5])
    def test_noise_in_company(self, nats):
        assert measured(Noisy(company=nats)).nats == pytest.approx(abs(nats))

    @pytest.mark.parametrize("kind", [Noisy, Forgetful])
    def test_noise_of_what_is_kept(self, kind):
        engine = kind(kept=0.02)
        assert measured(engine).nats == pytest.approx(0.02)
        assert not (isinstance(engine, Forgetful) and engine.known), "it starts the run with what was measured"

    def test_noise_of_a_text_whose_beginning_is_kept(self):
        engine = Continuing()
        assert measured(engine).nats == pytest.approx(0.03)
        assert [len(call) for call in engine.calls] == [*[1] * 8, 6]

    def test_the_largest_difference_counts(self):
        assert measured(Forgetful(kept=0.02, company=-0.07)).nats == pytest.approx(0.07)

    def test_the_requests_are_few_and_the_same_each_time(self):
        first, second = Noisy(), Noisy()
        assert measured(first) == measured(second)
        assert first.calls == second.calls
        assert [len(call) for call in first.calls] == [1, 1, 1, 1, 6]
        alone, together = first.calls[0] + first.calls[1], first.calls[-1]
        assert set(alone) < set(together)
        assert len({len(request.prompt) for request in together}) >= 5, "lengths differ"

    def test_an_engine_that_cannot_score_is_asked_nothing(self):
        engine = Noisy(capabilities=replace(SCORES, score=False))
        assert measured(engine) == NoiseFloor(None)
        assert engine.calls == []

    def test_scores_that_are_exact_by_construction_are_not_measured(self):
        engine = Noisy(capabilities=replace(SCORES, exact=True), error=EngineError("asked"))
        assert measured(engine) == NoiseFloor(0.0)

    def test_the_stub_says_truly_that_it_is_exact(self):
        stub = StubEngine(MODEL)
        assert measured(stub) == NoiseFloor(0.0)
        stub.capabilities = replace(stub.capabilities, exact=False)
        assert measured(stub) == NoiseFloor(0.0, 0.001, 2)

    def test_a_failure_is_said_and_ends_nothing(self):
        found = measured(Noisy(error=EngineError("no answer from https://user:secret@host")))
        assert (found.nats, found.prompts) == (None, 0)
        assert found.error.startswith("EngineError: no answer")
        assert "secret" not in found.error
        (note,) = found.notes()
        assert "not measured" in note

    def test_a_tokenizer_that_is_missing_is_said(self):
        def load():
            raise OSError("no such file")

        assert measure_noise(Noisy(), load).error == "OSError: no such file"

    def test_an_engine_that_is_lost_is_lost(self):
        with pytest.raises(EngineLostError):
            measured(Noisy(error=EngineLostError("gone")))

    @pytest.mark.parametrize("value", [math.nan, -math.inf])
    def test_what_is_not_finite_is_no_figure(self, value):
        found = measured(Noisy(value=value))
        assert found.nats is None
        assert "not finite" in found.error

    @pytest.mark.parametrize(("window", "prompts"), [(20, 0), (110, 1), (1000, 2)])
    def test_only_prompts_that_fit_are_asked(self, window, prompts):
        engine = Noisy(company=0.01, capabilities=replace(SCORES, max_context=window))
        found = measured(engine)
        assert found.prompts == prompts
        assert (found.nats is None) == (prompts == 0) == (found.error is not None)
        assert all(len(r.prompt) + len(r.candidates[0]) <= window for call in engine.calls for r in call)


class TestJudged:
    ROWS = ((-1.0, -1.005, -3.0), (-1.0, -1.02, -1.03))

    def near(self, rows):
        return [scored_answer(("A", "B", "C"), row).near_tie for row in rows]

    def test_near_ties_widen_with_the_floor(self):
        floor = measured(Noisy(company=0.01))
        assert self.near(self.ROWS) == [False, False]
        assert self.near(floor.judged(self.ROWS)) == [True, False]

    def test_a_floor_below_the_precision_changes_nothing(self):
        rows = [Scores(row, 0.125) for row in self.ROWS]
        assert NoiseFloor(0.01).judged(rows) == rows
        assert {row.resolution for row in NoiseFloor(0.01).judged(rows)} == {0.125}
        plain = list(self.ROWS)
        assert all(a is b for a, b in zip(NoiseFloor(1e-5).judged(plain), plain, strict=True))

    @given(
        st.lists(st.tuples(st.floats(-50, 0), st.floats(-50, 0), st.none() | st.floats(0, 1))),
        st.none() | st.floats(0, 1),
    )
    def test_no_resolution_is_below_the_floor_and_no_score_changes(self, drawn, nats):
        rows = [row if own is None else Scores(row, own) for *row, own in ((a, b, own) for a, b, own in drawn)]
        rows = [row if isinstance(row, Scores) else tuple(row) for row in rows]
        found = NoiseFloor(nats).judged(rows)
        assert [tuple(row) for row in found] == [tuple(row) for row in rows]
        assert [resolution(row) for row in found] == [max(resolution(row), nats or 0.0) for row in rows]

    def test_it_is_said_if_it_is_above_what_was_assumed(self):
        (note,) = measured(Noisy(company=0.01)).notes()
        assert note.startswith("Log-probabilities depend on the batch")
        assert "0.01 nats" in note
        assert "(0.001)" in note
        assert measured(Noisy(company=0.01, own=0.125)).notes() == []
        assert measured(Noisy()).notes() == []


class TestActor:
    @pytest.fixture
    def actor(self, monkeypatch):
        def start(engine):
            kind = replace(ENGINES["stub"], name="noisy", make=lambda spec, threads: engine)
            monkeypatch.setattr("cotfaith.workers.actor.remote.find_engine", lambda spec: kind)
            return EngineActor(MODEL, None)

        return start

    def test_its_scores_are_judged_by_its_floor(self, actor):
        engine = Noisy(company=0.01)
        engine.notes = lambda: ["Own note."]
        started = actor(engine)
        _, notes, floor = asyncio.run(started.describe())
        assert floor.nats == pytest.approx(0.01)
        assert notes == ["Own note.", *floor.notes()]
        request = ScoreRequest((65,), ((66,), (67,)))
        (row,) = asyncio.run(started.call("score", [request]))
        assert (tuple(row), row.resolution) == ((-1.0, -2.0), floor.nats)

    def test_a_server_that_fails_gives_a_null_and_works_on(self, actor):
        engine = Noisy(error=EngineError("busy"))
        engine.notes = list
        started = actor(engine)
        assert asyncio.run(started.describe())[2].error == "EngineError: busy"
        engine.error = None
        assert asyncio.run(started.call("score", [ScoreRequest((65,), ((66,),))])) == [(-1.0,)]

    def test_a_lost_engine_does_not_come_up(self, actor):
        with pytest.raises(EngineLostError, match="gone"):
            actor(Noisy(error=EngineLostError("gone")))


class TestRecorded:
    @pytest.fixture
    def store(self, tmp_path):
        return LocalStore(tmp_path)

    def floors(self, store, said=None):
        return NoiseFloors([MODEL], store, (said if said is not None else []).append)

    def test_the_largest_of_all_engines_and_sessions_is_kept(self, store):
        floors = self.floors(store)
        for nats in (0.02, 0.01, 0.05, 0.03):
            floors.add("m", NoiseFloor(nats, 0.001, 2))
        assert [one.nats for one in read_noise(store)] == [0.05]
        self.floors(store).add("m", NoiseFloor(0.04, 0.001, 2))
        assert [one.nats for one in read_noise(store)] == [0.05]
        self.floors(store).add("m", NoiseFloor(0.06, 0.125, 2))
        (found,) = read_noise(store)
        assert (found.nats, found.assumed, found.engine, found.dtype) == (0.06, 0.125, "stub", "float32")

    def test_a_failure_is_a_null_that_a_figure_replaces_and_not_the_other_way(self, store):
        self.floors(store).add("m", NoiseFloor(error="busy"))
        (found,) = read_noise(store)
        assert (found.nats, found.error) == (None, "busy")
        self.floors(store).add("m", NoiseFloor(0.0, 0.001, 2))
        self.floors(store).add("m", NoiseFloor(error="busy"))
        assert [(one.nats, one.error) for one in read_noise(store)] == [(0.0, None)]

    def test_an_engine_that_cannot_score_has_none(self, store):
        self.floors(store).add("m", NoiseFloor())
        assert read_noise(store) == []

    def test_a_damaged_record_is_refused_by_readers_and_replaced_by_a_run(self, store):
        store.put(keys.noise("m"), b"{}")
        with pytest.raises(RunFolderError, match=r"_noise/m\.json"):
            read_noise(store)
        self.floors(store).add("m", NoiseFloor(0.01, 0.001, 2))
        assert [one.nats for one in read_noise(store)] == [0.01]

    def test_a_store_that_fails_ends_no_run(self, tmp_path):
        class Failing(LocalStore):
            def put(self, key, data):
                raise StoreError("full")

        said = []
        self.floors(Failing(tmp_path), said).add("m", NoiseFloor(0.01, 0.001, 2))
        assert said == ["m: its noise floor could not be recorded: full"]


class TestShown:
    @pytest.fixture(scope="class")
    def finished(self, tmp_path_factory):
        return finish(tmp_path_factory.mktemp("noise"), SPEC)

    @pytest.fixture
    def run(self, finished, tmp_path, monkeypatch):
        return copy_of(finished, tmp_path, monkeypatch)

    def facts(self, run):
        tables = read_tables(LocalStore(run))
        return dict(run_facts(run_record(), tables["items"], tables["observations"], read_noise(LocalStore(run))))

    @pytest.mark.parametrize(
        ("floor", "text"),
        [
            (NoiseFloor(3.1e-5, 0.001, 2), "m: 3.1e-05 nats (stub, float32, 2 prompts)"),
            (
                NoiseFloor(0.0123, 0.001, 2),
                "m: 0.012 nats (stub, float32, 2 prompts): more than the 0.001 of its precision, so answers that close "
                "are near ties",
            ),
            (NoiseFloor(0.0), "m: 0 nats (stub: exact by construction)"),
            (NoiseFloor(error="<b>busy</b>"), "m: not measured (<b>busy</b>)"),
        ],
    )
    def test_in_the_report_and_in_status(self, run, floor, text):
        NoiseFloors([MODEL], LocalStore(run), print).add("m", floor)
        assert self.facts(run)["Noise floor of scores"] == text
        assert in_process("report", run).returncode == 0
        page = (run / "report.html").read_text()
        assert "Noise floor of scores" in page
        assert "<b>busy</b>" not in page
        seen = json.loads(in_process("status", run, "--json").stdout)
        (noise,) = seen["noise"]
        assert (noise["model"], noise["nats"], noise["error"]) == ("m", floor.nats, floor.error)
        shown = " ".join(in_process("status", run).stdout.split())
        assert ("noise floor" in shown) == floor.is_above
        assert "noise floor" in " ".join(in_process("status", run, "--details").stdout.split())

    def test_a_run_of_an_older_version_says_nothing(self, run):
        assert "Noise floor of scores" not in self.facts(run)
        assert json.loads(in_process("status", run, "--json").stdout)["noise"] == []
        assert in_process("report", run).returncode == 0


def test_the_requests_are_short():
    for request in noise_requests(ByteCodec(), (1, 4, 6)):
        assert len(request.prompt) < 200
        assert len(request.candidates) == 4
