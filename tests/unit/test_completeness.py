"""How much of a run is done, computed by hand, and where it is reported: terminal, report, the end of `run`."""

import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from run_records import commit, ledger, quarantined, run_record
from runs_here import begin_only

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.storage.completeness import compare as compare_ledger
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_quarantine
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.run_objects import PieceName
from cotfaith.workers.engines.stub.engine import StubEngine

EVIL = "<b>lost</b> [red]x[/] \x1b[31m"


def record(n=5, size=2, **more):
    """A run's record: one probe, and a helper, which has no shards."""
    return run_record(n, size, **({"probes": ("p",), "helpers": ("e",)} | more))


def compare(run, found, failed=()):
    return compare_ledger(run, ledger(*found), failed)


def both(start, stop, **more):
    """The commits of a shard's chains, and of the probe on them."""
    return [commit(start, stop, **more), commit(start, stop, "p", generation=1, **more)]


def test_a_shard_is_done_when_everything_of_it_is_committed():
    run = record()  # 0-2, 2-4, 4-5
    found = compare(run, [*both(0, 2), commit(2, 4)])
    assert (found.done, found.total, found.whole, found.missing) == (1, 3, False, {("m", "t"): 2})
    assert found.headline().startswith("Incomplete: 1 of 3 shards are done.")
    whole = compare(run, [*both(0, 2), *both(2, 4), *both(4, 5)])
    assert (whole.done, whole.total, whole.whole, whole.headline()) == (3, 3, True, "")


def test_many_groups_that_lack_something_are_a_line_a_model():
    run = run_record(2, 2, models=("a", "b"), tasks=[f"t{at}" for at in range(8)])
    done = [commit(model="a", task="t0"), commit(model="a", task="t1")]
    assert compare(run, done).details() == ["b: 8 not done, in 8 tasks", "a: 6 not done, in 6 tasks"]


def test_nothing_done():
    assert (compare(record(), []).done, compare(record(), []).total) == (0, 3)


def test_a_shard_of_which_some_items_or_strategies_lack_something_is_not_done():
    run, two = record(n=2), record(n=2, strategies=("cot", "direct"))
    assert not compare(run, [commit(), commit(probe="p", items=["i0"], generation=1)]).whole
    halves = [commit(probe="p", items=[item], generation=at) for at, item in enumerate(("i0", "i1"), 1)]
    assert compare(run, [commit(), *halves]).whole
    assert not compare(two, both(0, 2)).whole
    assert compare(two, both(0, 2, strategies=("cot", "direct"))).whole


def test_a_probe_on_chains_that_were_replaced_is_not_done():
    old = [commit(text="old"), commit(probe="p", text="old", generation=1), commit(text="new", generation=2)]
    assert not compare(record(n=2), old).whole
    assert compare(record(n=2), [*old, commit(probe="p", text="new", generation=3)]).whole


def test_a_chain_that_a_smaller_limit_cut_is_not_done():
    found = [commit(cut=["i1"], max_tokens=10), commit(probe="p", generation=1, max_tokens=10)]
    assert compare(record(n=2, max_tokens=10), found).whole
    assert not compare(record(n=2, max_tokens=20), found).whole
    again = commit(items=["i1"], max_tokens=20, cut=["i1"], generation=2)
    assert compare(record(n=2, max_tokens=20), [*found, again]).whole  # cut by the present limit


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({"models": ("m", "n")}, 6),
        ({"tasks": ("t", "u")}, 6),
        ({"strategies": ("cot", "cot_decomposition")}, 3),
        ({"n": 4}, 2),
        ({"n": 1}, 1),
        ({"size": 16}, 1),
        ({"size": 1}, 5),
    ],
)
def test_the_plan_is_models_by_tasks_by_ranges(changes, total):
    assert compare(record(**changes), []).total == total  # the editor has no shards


def test_ranges_have_shards_of_their_own_size():
    ranges = {"t": [{"start": a, "stop": b, "shard_size": size, "items": ""} for a, b, size in ((0, 5, 2), (5, 12, 4))]}
    run = record(ranges=ranges)
    assert run.shards("t") == [(0, 2), (2, 4), (4, 5), (5, 9), (9, 12)]
    assert compare(run, [*both(4, 5), *both(9, 12)]).missing == {("m", "t"): 3}
    bounds = [(start, stop) for start in range(14) for stop in range(start, 15)]
    assert [one for one in bounds if run.has_shard("t", *one)] == run.shards("t")
    assert (run.n_shards("t"), run.n_shards("u"), run.has_shard("u", 0, 2)) == (5, 0, False)


def test_a_number_of_items_that_is_beyond_all_reason_takes_no_memory():
    """A value that a damaged run.json may have."""
    found = compare(record(n=10**15), both(0, 2), [quarantined(1)])
    assert (found.done, found.total) == (1, 5 * 10**14)
    assert [name for name, _ in found.quarantined] == ["m / t / i1"]


def test_readings_count():
    run, chains = record(n=2, readers={"p": ["m", "o"]}), commit(0, 2)
    by_m, by_o = (commit(0, 2, "p", reader, generation=at) for at, reader in enumerate("mo", 1))
    assert not compare(run, [chains, by_m]).whole
    assert not compare(run, [chains, commit(0, 2, "p", generation=1)]).whole  # a probe's rows are not a reader's
    assert compare(run, [chains, by_m, by_o]).whole


def test_a_probe_of_which_only_the_chains_are_missing_is_not_done():
    assert not compare(record(n=2), [commit(0, 2, "p")]).whole


def test_what_an_earlier_spec_began_belongs_to_the_plan():
    """The last spec has the model m; an earlier spec had o, with one of three shards done."""
    found = compare(record(), [*both(0, 2), *both(2, 4), *both(4, 5), *both(0, 2, model="o")])
    assert (found.done, found.total, found.missing) == (4, 6, {("o", "t"): 2})
    other = compare(record(probes=()), [*both(0, 2), commit(2, 4), commit(4, 5)])
    assert (other.done, other.total) == (1, 3)  # one has the probe of an earlier spec


def test_what_is_quarantined_is_named_and_done():
    """Its rows say so: nothing is missing."""
    found = compare(record(n=2), both(0, 2), [quarantined(0), quarantined(1, "o", "killed")])
    assert found.whole
    assert found.details() == ["Quarantined: m / t / i0: lost", "Quarantined: m / t / i1 read by o: killed"]


def test_long_lists_are_cut():
    failed = [quarantined(i, start=i, stop=i + 1) for i in range(40)]
    found = compare(record(n=40, size=1), [], failed)
    assert len(found.details()) == 1 + 10 + 1
    assert found.details()[-1] == "... and 30 more quarantined"


SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 6}],
    "probes": ["no_cot", "early_answering"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a spec; one item fails every attempt, as the driver would record it, and the last job is not done."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC))

    def with_failures(plan, jobs, progress, *_):
        outcome, store = RunOutcome(), LocalStore(tmp_path / "run")
        for job in list(jobs)[:2]:
            parts = job.halves() if job.shard.start == 2 else (job,)
            if job.shard.start == 2:
                bad = parts[0].quarantine(2, f"EngineLostError: {EVIL}", 3, "chains")
                store.put(bad.key, bad.as_json())
                outcome.quarantined.append(f"{bad.name}: {bad.reason}")
                parts = (parts[0].given_up(bad.reason, "chains"), parts[1])
            for part in parts:
                run_job(part, {"subject": StubEngine(plan.model(job.model))})
        return outcome

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", with_failures)
    return tmp_path / "run"


def body():
    return re.sub(r"<script.*?</script>", "", Path("run/report.html").read_text(), flags=re.DOTALL)


def test_it_is_said_everywhere_and_the_headline_is_gone_when_the_rest_is_done(run, cli, monkeypatch):
    code, _, err = cli("run", "spec.yaml")
    assert code == 1  # more than 5% of the rows are not ok
    name = "m / t / t-000002"
    assert f"Quarantined: {name}: EngineLostError" in " ".join(err.split())
    said = f"Quarantined: {name}: EngineLostError: <b>lost</b> [red]x[/] ⟨U+001B⟩[31m"
    for command in (("status", "run"), ("aggregate", "run"), ("report", "run")):
        text = " ".join(cli(*command)[1].split())
        assert "Incomplete: 2 of 3 shards are done." in text, command
        assert "m / t: 1 not done" in text
        assert said in text, command
    html = body()
    top = html[: html.index("Each model and task")]
    assert "Incomplete: 2 of 3 shards are done." in top
    assert "EngineLostError: &lt;b&gt;lost" in top
    assert cli("run", "spec.yaml")[0] == 1  # the rest
    for command in (("status", "run"), ("aggregate", "run"), ("report", "run")):
        text = " ".join(cli(*command)[1].split())
        assert "Incomplete" not in text
        assert said in text, command
    assert "Incomplete" not in body()
    assert "EngineLostError: &lt;b&gt;lost" in body()


def test_quarantined_rows_have_the_status_and_the_reason(run, cli):
    from cotfaith.cluster.storage.read import read_tables

    cli("run", "spec.yaml")
    found = read_tables(LocalStore(run))
    for name in ("chains", "observations"):
        bad = found[name].filter(item_id="t-000002")
        assert set(bad["status"]) == {"quarantined"}
        assert all("EngineLostError" in error for error in bad["error"])
        assert set(found[name].filter(item_id="t-000003")["status"]) == {"ok"}  # the other half of the shard
    assert found["chains"].filter(item_id="t-000002")["text"].to_list() == [""]
    probes = found["observations"].filter(item_id="t-000002")["probe"]
    assert sorted(probes) == ["early_answering", "no_cot"]


def test_a_lost_commit_makes_a_run_incomplete(run, cli):
    cli("run", "spec.yaml")
    (run / "_commits/m/t/0000000-0000002/00001.json").unlink()
    assert "Incomplete: 1 of 3 shards are done." in " ".join(cli("status", "run")[1].split())
    shutil.rmtree(run / "_commits")
    assert "Incomplete: 0 of 3 shards are done." in " ".join(cli("report", "run")[1].split())
    assert "Incomplete: 0 of 3 shards are done." in body()


def test_a_run_that_was_widened_and_not_run_is_incomplete(run, cli, monkeypatch):
    cli("run", "spec.yaml")
    begin_only(monkeypatch)
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC | {"probes": [*SPEC["probes"], "filler_tokens"]}))
    cli("run", "spec.yaml")
    assert "Incomplete: 0 of 3 shards are done." in " ".join(cli("status", "run")[1].split())


def test_a_record_says_what_and_why(run):
    plan = make_plan(load_spec(Path("spec.yaml")))
    store = LocalStore(run)
    own, *_ = Jobs(plan, run_record(size=2)).of_subjects(Ledger())
    first, second = own.halves()
    reading = Jobs(plan, run_record(size=2))._job(own.shard, [first.items[0].id], first.wanted, "o")
    for job, index in ((first, 0), (reading, 0), (second, 1), (first, 0)):
        record = job.quarantine(index, "why", 3, "chains")
        store.put(record.key, record.as_json())
    found = read_quarantine(store)
    ids = [item.id for item in own.items]
    assert sorted((one.item, one.index, one.reader or "") for one in found) == [
        (ids[0], 0, ""),
        (ids[0], 0, "o"),
        (ids[1], 1, ""),
    ]
    assert all(one.reason == "why" and one.attempts == 3 for one in found)
    (again, *_) = Jobs(plan, run_record(size=2), found).of_subjects(Ledger())
    assert again.quarantined == dict.fromkeys(ids, "why")


def test_a_half_of_a_job_has_its_own_items_and_reasons(run):
    plan = make_plan(load_spec(Path("spec.yaml")))
    known = [quarantined(0).model_copy(update={"item": "t-000000"})]
    (job, *_) = Jobs(plan, run_record(n=6, size=3), known).of_subjects(Ledger())
    assert job.quarantined == {"t-000000": "lost"}
    first, rest = job.halves()
    assert ([item.id for item in first.items], first.quarantined) == (["t-000000"], {"t-000000": "lost"})
    assert ([item.id for item in rest.items], rest.quarantined) == (["t-000001", "t-000002"], {})
    assert (job.name, rest.name) == ("m/t/0000000-0000003", "m/t/0000000-0000003 (2 items from t-000001)")
    assert rest.wanted.pieces == job.wanted.pieces == {PieceName("cot"), *probes()}


def probes():
    return {PieceName("cot", probe=name) for name in SPEC["probes"]}
