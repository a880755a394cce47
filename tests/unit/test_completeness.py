"""How much of a run is done, computed by hand, and where it is reported: terminal, report, the end of `run`."""

import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from run_records import commit, dead, run_record

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.jobs import Job, missing_jobs
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.storage.completeness import compare
from cotfaith.cluster.storage.given_up import given_up, record_given_up
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.workers.engines.stub.engine import StubEngine

EVIL = "<b>lost</b> [red]x[/] \x1b[31m"


def record(n=5, size=2, **more):
    """A run's record: one probe, and a helper, which has no shards."""
    return run_record(n, size, **({"probes": ("p",), "helpers": ("e",)} | more))


def both(start, stop, **more):
    return [commit(start, stop, **more), commit(start, stop, "p", **more)]


def test_a_shard_is_done_when_everything_of_it_is_committed():
    run = record()  # 0-2, 2-4, 4-5
    found = compare(run, [*both(0, 2), commit(2, 4)])
    assert (found.done, found.total, found.whole, found.missing) == (1, 3, False, {("m", "t", "cot"): 2})
    assert found.headline().startswith("Incomplete: 1 of 3 shards are done.")
    whole = compare(run, [*both(0, 2), *both(2, 4), *both(4, 5)])
    assert (whole.done, whole.total, whole.whole, whole.headline()) == (3, 3, True, "")


def test_nothing_done():
    assert (compare(record(), []).done, compare(record(), []).total) == (0, 3)


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({"models": ("m", "n")}, 6),
        ({"tasks": ("t", "u")}, 6),
        ({"strategies": ("cot", "cot_decomposition")}, 6),
        ({"n": 4}, 2),
        ({"n": 1}, 1),
        ({"size": 16}, 1),
        ({"size": 1}, 5),
    ],
)
def test_the_plan_is_models_by_tasks_by_strategies_by_ranges(changes, total):
    assert compare(record(**changes), []).total == total  # the editor has no shards


def test_a_number_of_items_that_is_beyond_all_reason_takes_no_memory():
    """A value that a damaged run.json may have."""
    found = compare(record(n=10**15), both(0, 2), [dead(2, 4)])
    assert (found.done, found.total) == (1, 5 * 10**14)
    assert [name for name, _ in found.given_up] == ["2-4"]


def test_readings_count():
    run, chains = record(n=2, readers={"p": ["m", "o"]}), commit(0, 2)
    assert not compare(run, [chains, commit(0, 2, "p", "m")]).whole
    assert not compare(run, [chains, commit(0, 2, "p")]).whole  # a probe's commit is not a reader's
    assert compare(run, [chains, commit(0, 2, "p", "m"), commit(0, 2, "p", "o")]).whole


def test_a_probe_of_which_only_the_chains_are_missing_is_not_done():
    assert not compare(record(n=2), [commit(0, 2, "p")]).whole


def test_what_an_earlier_spec_began_belongs_to_the_plan():
    """The last spec has the model m; an earlier spec had o, with one of three shards done."""
    found = compare(record(), [*both(0, 2), *both(2, 4), *both(4, 5), *both(0, 2, model="o")])
    assert (found.done, found.total, found.missing) == (4, 6, {("o", "t", "cot"): 2})
    other = compare(record(probes=()), [*both(0, 2), commit(2, 4), commit(4, 5)])
    assert (other.done, other.total) == (1, 3)  # one has the probe of an earlier spec


def test_what_was_given_up_is_named_while_it_is_missing():
    run = record()
    done, half = both(0, 2), [commit(2, 4)]
    found = compare(run, [*done, *half], [dead(0, 2), dead(2, 4), dead(4, 5)])
    assert [name for name, _ in found.given_up] == ["2-4", "4-5"]  # the first was done later
    read = record(n=2, probes=("p", "q"), readers={"p": ["m", "o"]})
    have = [commit(0, 2), commit(0, 2, "q"), commit(0, 2, "p", "m")]
    found = compare(read, have, [dead(0, 2), dead(0, 2, "p", "m"), dead(0, 2, "p", "o")])
    assert len(found.given_up) == 1  # the reading by o; the shard's own work is done


def test_long_lists_are_cut():
    found = compare(record(n=40, size=1), [], [dead(i, i + 1) for i in range(40)])
    assert len(found.details()) == 1 + 10 + 1
    assert found.details()[-1] == "... and 30 more given up"


SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 6}],
    "probes": ["no_cot", "early_answering"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a spec of which the second shard fails every attempt, as the driver would record it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC))

    def with_failures(plan, jobs, progress, *_):
        outcome = RunOutcome()
        for job in jobs:
            if job.shard.start == 2:
                record_given_up(LocalStore(tmp_path / "run"), job.given_up(f"EngineLostError: {EVIL}", 3))
                outcome.given_up.append(job.name)
            else:
                run_job(job, {"subject": StubEngine(plan.model(job.model))})
        return outcome

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", with_failures)
    return tmp_path / "run"


def body():
    return re.sub(r"<script.*?</script>", "", Path("run/report.html").read_text(), flags=re.DOTALL)


def test_it_is_said_everywhere_and_gone_when_the_rest_is_done(run, cli, monkeypatch):
    code, out, err = cli("run", "spec.yaml")
    assert code == 1
    assert "1 shards given up" in err
    name = "m~t~cot~0000002-0000004"
    for command in (("run", "spec.yaml"), ("status", "run"), ("aggregate", "run"), ("report", "run")):
        code, out, _ = cli(*command)
        text = " ".join(out.split())
        assert "Incomplete: 2 of 3 shards are done." in text, command
        assert "m / t / cot: 1 not done" in text
        assert f"Given up: {name}: EngineLostError: <b>lost</b> [red]x[/] [31m" in text, command
    html = body()
    top = html[: html.index("What this says")]
    assert "Incomplete: 2 of 3 shards are done." in top
    assert "EngineLostError: &lt;b&gt;lost" in top
    assert (run / "_given_up" / f"{name}.json").exists()

    def works(plan, jobs, progress, *_):
        for job in jobs:
            run_job(job, {"subject": StubEngine(plan.model(job.model))})
        return RunOutcome(done=len(jobs))

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", works)
    assert cli("run", "spec.yaml")[0] == 0
    for command in (("status", "run"), ("aggregate", "run"), ("report", "run")):
        assert "Incomplete" not in cli(*command)[1]
    assert "Incomplete" not in body()
    assert (run / "_given_up" / f"{name}.json").exists()  # the record stays; it is out of date


def test_a_lost_commit_makes_a_run_incomplete(run, cli):
    cli("run", "spec.yaml")
    (run / "_commits" / "m~t~cot~0000000-0000002.no_cot.json").unlink()
    assert "Incomplete: 1 of 3 shards are done." in " ".join(cli("status", "run")[1].split())
    shutil.rmtree(run / "_commits")
    assert "Incomplete: 0 of 3 shards are done." in " ".join(cli("report", "run")[1].split())
    assert "Incomplete: 0 of 3 shards are done." in body()


def test_a_run_that_was_widened_and_not_run_is_incomplete(run, cli, monkeypatch):
    cli("run", "spec.yaml")
    monkeypatch.setattr("cotfaith.cluster.fleet.run.missing_jobs", lambda *_: [])
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC | {"probes": [*SPEC["probes"], "filler_tokens"]}))
    cli("run", "spec.yaml")
    assert "Incomplete: 0 of 3 shards are done." in " ".join(cli("status", "run")[1].split())


def test_a_record_says_what_and_why(run):
    plan = make_plan(load_spec(Path("spec.yaml")))
    store = LocalStore(run)
    own, *_ = missing_jobs(plan, run_record(size=2), set())
    reading = Job("r", plan.spec, own.shard, own.items, False, ("transfer",), "o")
    for job in (own, reading, own):
        record_given_up(store, job.given_up("why", 3))
    found = given_up(store)
    assert [(one.name, one.probe, one.reader) for one in found] == [
        (own.name, None, None),
        (reading.name, "transfer", "o"),
    ]
    assert all(one.reason == "why" and one.attempts == 3 for one in found)
