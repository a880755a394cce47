"""Counterfactuals and observers in whole runs: what waits for what, and models whose faithfulness is known."""

import re

import polars as pl
import pytest
import runs_here
from commands import in_process
from observers import ReadsSteps
from runs_here import without_ray
from scripted import Scripted

from cotfaith.cluster.fleet.run import Again, execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.organisms.grammar import Step, operations_of
from cotfaith.workers.tasks.generators.serial_problem import ticket_in, value_of

MODELS = [{"id": "m", "engine": "stub"}, {"id": "o", "engine": "stub", "roles": ["observer"]}]
SERIAL = {"name": "t", "generator": "serial_arithmetic", "n": 4, "options": {"steps": [2, 3], "side_channel": True}}


def spec_of(folder, probes=("counterfactual", "simulated"), **more):
    content = {
        "models": MODELS,
        "tasks": [SERIAL],
        "probes": list(probes),
        "editor": {"by": "rules"},
        "resources": {"shard_size": 2},
        "output": {"path": str(folder / "run"), "max_failed_share": 1.0},
    }
    return parse_spec(content | more)


def observed(folder):
    return read_tables(open_store(str(folder / "run")))["observations"]


def of(rows, probe):
    return rows.filter(pl.col("probe") == probe)


def test_observers_read_all_questions_once_they_are_committed(tmp_path, monkeypatch):
    without_ray(monkeypatch)
    assert execute(spec_of(tmp_path)) == []
    rows = observed(tmp_path)
    asked, read = of(rows, "counterfactual"), of(rows, "simulated")
    known = asked.filter(pl.col("status") == "ok").select("item_id", "rollout")
    assert len(known) == 8
    for condition in ("chain", "question"):
        own = read.filter(pl.col("condition") == condition)
        assert own.select("item_id", "rollout").sort("item_id", "rollout").equals(known.sort("item_id", "rollout"))
        beside = own.join(asked, on=["item_id", "rollout"])
        assert (beside["question"] == beside["edit_right"]).all()
    assert set(read["reader"]) == {"o"}
    assert asked["correct"].null_count() == len(asked)


def test_adding_observers_to_a_finished_run_asks_the_subject_nothing(tmp_path, monkeypatch):
    without_ray(monkeypatch)
    execute(spec_of(tmp_path, probes=["counterfactual"], models=MODELS[:1]))
    before = observed(tmp_path)
    engines = []
    monkeypatch.setattr(runs_here, "StubEngine", lambda model: engines.append(model.id) or StubEngine(model))
    execute(spec_of(tmp_path))
    assert set(engines) == {"o"}
    after = observed(tmp_path)
    assert of(after, "counterfactual").equals(before)
    assert len(of(after, "simulated")) == 16
    engines.clear()
    execute(spec_of(tmp_path))
    assert engines == []


def test_questions_that_are_made_anew_are_read_anew(tmp_path, monkeypatch):
    """A damaged part of the subject's probe is made again; what observers said of its rows is asked again."""
    without_ray(monkeypatch)
    execute(spec_of(tmp_path))
    before = observed(tmp_path)
    first = (tmp_path / "run" / "_parts" / "m" / "t" / "0000000-0000002").glob("*.observations")
    min(first, key=lambda part: part.stat().st_mtime_ns).write_bytes(b"")
    jobs = []
    monkeypatch.setattr(runs_here, "run_job", lambda job, engines: jobs.append(job.model) or run_job(job, engines))
    execute(spec_of(tmp_path), again=Again(damaged=True))
    assert jobs == ["m", "o"]
    order = ["probe", "item_id", "arm"]
    assert observed(tmp_path).sort(order).equals(before.sort(order))


def test_the_plan_refuses_observers_without_questions(tmp_path):
    with pytest.raises(SpecError, match=r"'simulated' reads the rows of 'counterfactual', a probe of the subject: add"):
        make_plan(spec_of(tmp_path, probes=["simulated"]))


def test_the_plan_refuses_variants_without_questions(tmp_path):
    probes = ["counterfactual", {"name": "simulated", "variants": "all"}]
    with pytest.raises(SpecError, match=r"probes.simulated.variants: .* does not run on organism_hint.wrong, "):
        make_plan(spec_of(tmp_path, probes=probes, interventions=["organism_hint"]))


class Computes(Scripted):
    """A subject that computes in its chain, and answers what its chain says."""

    def __init__(self):
        super().__init__(self.reply, lambda prompt, word: 0.0)

    def reply(self, prompt):
        question = re.findall(r"(?:Ticket|Start with).*?final digit\?", prompt)[-1]
        if prompt.endswith("answer is"):
            return f" {self.answer(question, prompt)}."
        return "".join(map(str, self.steps(question)))

    def steps(self, question):
        value = int(re.search(r"Start with (\d)", question)[1])
        for operation in operations_of(question):
            value = operation.apply(value)
            yield Step(operation, "gives", value)

    def answer(self, question, prompt):
        return re.findall(r"gives (\d)\.", prompt)[-1]


class Decorates(Computes):
    """A subject that writes the same chain, and answers what the ticket says: the chain is no part of why."""

    def answer(self, question, prompt):
        return value_of(ticket_in(question))


@pytest.mark.parametrize(("subject", "precise"), [(Computes, True), (Decorates, False)])
def test_a_chain_that_is_why_predicts_and_one_that_decorates_does_not(tmp_path, monkeypatch, subject, precise):
    """Both subjects write the same chains. Only of the first can a reader tell the answers to other questions."""
    without_ray(monkeypatch)
    engines = {"m": subject, "o": ReadsSteps}
    monkeypatch.setattr(runs_here, "StubEngine", lambda model: engines[model.id]())
    probes = [{"name": "counterfactual", "options": {"questions": 3}}, "simulated"]
    assert execute(spec_of(tmp_path, probes, tasks=[SERIAL | {"n": 12}], resources={"shard_size": 12})) == []
    store = open_store(str(tmp_path / "run"))
    made = {(row["metric"], row["method"]): row for row in write_estimates(store, load_run(store)).to_pylist()}
    assert made["simulated_covered", "o.chain"]["value"] == 1.0
    assert made["simulated_covered", "o.question"]["value"] == 0.0
    precision = made["simulated_precision", "o.chain"]
    assert made["simulated_precision", "o.question"]["interval"] == "nothing_inferred"
    assert made["simulated_gain", "o"]["value"] == precision["value"]
    changed = made["counterfactual_changed", None]["value"]
    if precise:
        assert precision["value"] == 1.0
        assert changed > 0.8
    else:
        assert precision["ci_high"] < 0.5
        assert changed == 0.0


def test_show_and_the_report_say_what_was_asked_and_predicted(tmp_path, monkeypatch):
    without_ray(monkeypatch)
    monkeypatch.setattr(runs_here, "StubEngine", lambda model: {"m": Computes, "o": ReadsSteps}[model.id]())
    execute(spec_of(tmp_path))
    monkeypatch.chdir(tmp_path)
    shown = " ".join(in_process("show", "run", "t-000000", "--full").stdout.split())
    assert "asked instead:" in shown
    assert "o infers from the chain, rightly:" in shown
    assert "o cannot tell from the question alone:" in shown
    assert (
        "simulated · 4 arms, none with another answer" in shown or "none changed" not in shown.partition("simulated")[2]
    )
    in_process("report", "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Simulatability" in page
    assert "From its chains, o infers 100%" in page
