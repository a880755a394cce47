"""One date for all prompts of a run: at the start, in every task, and on resume."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import yaml
from chat_tokenizers import CHATML, chat_tokenizer, model_folder, write_items
from run_records import run_record

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.prompt_date import prompt_date, recorded_date
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import RunConflictError, RunFolderError
from cotfaith.schemas.run_folder import parse_run
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.tables import ESTIMATES
from cotfaith.workers.engines.protocol import Capabilities, EngineUsage, Generation
from cotfaith.workers.resolved import resolve
from cotfaith.workers.roles.editors import make_editor
from cotfaith.workers.tasks import load_task
from cotfaith.workers.text import codec

CLOCK = "{{ '<|im_start|>system\nNow: ' + strftime_now('%Y-%m-%d %H:%M:%S') + '<|im_end|>\n' }}" + CHATML
QUESTIONS = ("Which wins?", "Which loses?", "Which waits?")


class Says:
    """An engine that writes the same to every prompt, and records its requests."""

    capabilities = Capabilities(generate=True, score=True, prefill=True)
    prompts: set[str]

    def __init__(self):
        self.tokenizer, self.prompts = chat_tokenizer(CLOCK), set()

    def generate(self, requests):
        self._saw(requests)
        return [Generation(tuple(self.tokenizer.encode(" One. Two.")), "stop") for _ in requests]

    def score(self, requests):
        self._saw(requests)
        return [tuple(-float(i) for i, _ in enumerate(request.candidates)) for request in requests]

    def usage(self):
        return EngineUsage()

    def _saw(self, requests):
        self.prompts |= {self.tokenizer.decode(list(request.prompt)) for request in requests}

    def dates(self):
        return {prompt.split("Now: ")[1][:19] for prompt in self.prompts}


@pytest.fixture
def clock(monkeypatch):
    """A function that sets all clocks of the program."""
    from transformers.utils import chat_template_utils

    def at(moment):
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return moment.astimezone(tz) if tz else moment.replace(tzinfo=None)

        for module in (
            "cotfaith.cluster.plan.prompt_date",
            "cotfaith.workers.text.chat_template",
            "cotfaith.cluster.plan.run_record",
        ):
            monkeypatch.setattr(f"{module}.datetime", Clock)
        monkeypatch.setattr(chat_template_utils, "datetime", Clock)

    return at


@pytest.fixture
def begin(tmp_path, cli, monkeypatch):
    """A function that runs a spec without Ray and without results: (exit code, stderr, the engine, run.json)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cotfaith.cluster.report.results.write_results", lambda *_: ESTIMATES.empty_table())
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    task = write_items(tmp_path / "items.jsonl", QUESTIONS)
    source = model_folder(tmp_path / "model", CLOCK)

    def run(*arguments, **changes):
        engine = Says()
        codec._load_tokenizer.cache_clear()  # as in a new process

        def jobs_here(plan, jobs, progress, *_):
            for job in jobs:
                progress.finished(job.model, run_job(job, {"subject": engine}), job.model)
            return RunOutcome(done=len(jobs))

        monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", jobs_here)
        spec = {
            "models": [{"id": "m", "source": source}],
            "tasks": [task],
            "probes": ["no_cot"],
            "resources": {"shard_size": 1},
            "output": {"path": "run"},
        }
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec | changes))
        code, _, err = cli("run", "spec.yaml", *arguments)
        data = LocalStore(tmp_path / "run").get("run.json")
        return code, err.replace("\n", " "), engine, data and json.loads(data)

    return run


MORNING = datetime(2031, 5, 7, 9, 30, tzinfo=UTC)
NIGHT = MORNING + timedelta(days=40)


def test_all_prompts_of_a_run_have_its_date_also_when_it_goes_on(begin, clock, tmp_path):
    clock(MORNING)
    code, err, engine, run = begin()
    assert code == 0, err
    assert engine.dates() == {"2031-05-07 09:30:00"}
    assert run["prompt_date"] == "2031-05-07T09:30:00+00:00"
    assert "all prompts of this run say '2031-05-07 09:30:00' (prompts.date)" in err
    clock(NIGHT)
    code, err, engine, again = begin("--set", "probes=[no_cot,early_answering]")
    assert code == 0, err
    assert len(engine.prompts) > 2
    assert engine.dates() == {"2031-05-07 09:30:00"}
    assert again["prompt_date"] == run["prompt_date"]
    assert again["identity"]["chat_templates"] == run["identity"]["chat_templates"]
    chains = read_tables(LocalStore(tmp_path / "run"))["chains"]
    assert chains["prompt"].str.contains("Now: 2031-05-07 09:30:00", literal=True).all()
    assert chains.filter(pl.col("status") != "ok").is_empty()


def test_the_plan_of_a_run_that_has_begun_says_its_date(begin, clock, cli):
    clock(MORNING)
    begin()
    clock(NIGHT)
    code, _, err = cli("plan", "spec.yaml")
    assert code == 0
    assert "2031-05-07 09:30:00" in err.replace("\n", " ")


@pytest.mark.parametrize("given", ["2026-07-26", "2026-07-26T00:00:00", "2026-07-26 00:00:00"])
def test_the_spec_may_set_the_date(begin, clock, given):
    clock(MORNING)
    code, err, engine, run = begin(prompts={"date": given})
    assert code == 0, err
    assert engine.dates() == {"2026-07-26 00:00:00"}
    assert run["prompt_date"] == "2026-07-26T00:00:00"
    clock(NIGHT)
    assert begin("--set", "probes=[early_answering]", prompts={"date": given})[2].dates() == {"2026-07-26 00:00:00"}
    assert begin("--set", "probes=[filler_tokens]")[2].dates() == {"2026-07-26 00:00:00"}


def test_another_date_is_another_run(begin, clock):
    clock(MORNING)
    begin()
    code, err, engine, _ = begin("--set", "probes=[early_answering]", prompts={"date": "2026-07-26"})
    assert code == 2
    assert "prompts.date: the run has 2031-05-07T09:30:00+00:00, the spec 2026-07-26T00:00:00" in err
    assert not engine.prompts


def test_an_older_run_goes_by_the_moment_it_was_made(begin, clock, tmp_path):
    clock(MORNING)
    _, _, _, run = begin()
    old = {name: value for name, value in run.items() if name != "prompt_date"}
    del old["identity"]["chat_templates"]
    LocalStore(tmp_path / "run").put("run.json", json.dumps(old).encode())
    clock(NIGHT)
    code, err, engine, again = begin("--set", "probes=[early_answering]")
    assert code == 0, err
    assert engine.dates() == {"2031-05-07 09:30:00"}
    assert again["prompt_date"] == "2031-05-07T09:30:00+00:00"
    assert set(again["identity"]["chat_templates"]) == {"m"}


@pytest.mark.parametrize(
    "changed",
    [
        CLOCK.replace("Now:", "Today:"),
        CLOCK.replace("%H:%M:%S", "%H:%M"),
        CHATML,
        CLOCK.replace("assistant\n", "assistant\n\n"),
        None,
    ],
)
def test_a_run_whose_template_has_changed_does_not_go_on(begin, clock, tmp_path, changed):
    clock(MORNING)
    begin()
    (tmp_path / "model" / "chat_template.jinja").unlink()
    chat_tokenizer(changed).save_pretrained(tmp_path / "model")
    code, err, engine, _ = begin("--set", "probes=[early_answering]")
    assert code == 2
    assert "chat_templates.m: the run has" in err
    assert not engine.prompts


def test_a_template_that_writes_the_same_goes_on(begin, clock, tmp_path):
    clock(MORNING)
    begin()
    chat_tokenizer("{# a remark #}" + CLOCK).save_pretrained(tmp_path / "model")
    assert begin("--set", "probes=[early_answering]")[0] == 0


def test_editors_of_their_own_are_told_the_runs_date(tmp_path, clock):
    clock(MORNING)
    source = model_folder(tmp_path / "model", CLOCK)
    spec = parse_spec(
        {
            "models": [{"id": "m", "engine": "stub"}, {"id": "e", "source": source, "roles": ["editor"]}],
            "tasks": [write_items(tmp_path / "items.jsonl")],
            "probes": ["adding_mistakes"],
            "output": {"path": str(tmp_path / "run")},
        }
    )
    plan, store = make_plan(spec), LocalStore(tmp_path / "run")
    ident = identity(plan.resolved, plan.weights, plan.templates)
    run = open_run(store, plan.resolved, ident, plan.items)
    clock(NIGHT)
    (job,) = Jobs(plan, run).of_subjects(Ledger())
    editing = make_editor(job.spec, job.spec.models[0], None).edit("mistake", ["Two and two make four."], [0])
    (request,) = next(editing)
    assert "Now: 2031-05-07 09:30:00" in chat_tokenizer(CLOCK).decode(list(request.payload.prompt))


def test_a_date_that_is_none():
    with pytest.raises(RunConflictError, match="has 'soon' for prompt_date; expected a date"):
        recorded_date(run_record(prompt_date="soon"))
    with pytest.raises(RunConflictError, match="has 'then' for prompt_date"):
        recorded_date(run_record(created="then"))
    for name in ("prompt_date", "created"):
        with pytest.raises(RunFolderError, match=f"{name}: Input should be a valid string, got 3"):
            parse_run(json.dumps(run_record().data() | {name: 3}).encode())


def test_of_two_drivers_the_first_ones_date_counts(tmp_path):
    spec = parse_spec({"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]})
    store, early = LocalStore(tmp_path), resolve(spec, MORNING)
    ident, items = identity(early, {"m": "w"}), {"t": load_task(spec.tasks[0], 0)}
    first = open_run(store, early, ident, items)
    assert open_run(store, resolve(spec, NIGHT), ident, items).prompt_date == first.prompt_date
    assert prompt_date(spec, first, NIGHT) == MORNING
