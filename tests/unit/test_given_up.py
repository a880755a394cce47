"""What is left of the jobs when engines are given up, what is recorded of it, and who says so later."""

from pathlib import Path

import pytest
import yaml
from runs_here import run_here, without_ray

import cotfaith
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment
from cotfaith.cluster.fleet.given_up import GivenUp
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.queues import Queues
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.stage_jobs import listed
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.ledger import ledger_of
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.read import read_given_up
from cotfaith.schemas.errors import RunFailedError, RunFolderError
from cotfaith.schemas.run_folder import parse_given_up
from cotfaith.schemas.spec import parse_spec

M, N, E = Deployment("subject", "m"), Deployment("subject", "n"), Deployment("editor", "e")
SPEC = {
    "models": [{"id": "m", "engine": "stub"}, {"id": "n", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 4}],
    "probes": ["no_cot"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}
EDITED = SPEC | {
    "models": [*SPEC["models"], {"id": "e", "engine": "stub", "roles": ["editor"]}],
    "probes": ["no_cot", "adding_mistakes"],
}
WHY = "The engine of model 'n' cannot be kept up: it broke"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    return tmp_path


def queues(content):
    plan = make_plan(parse_spec(content))
    ident = identity(plan.resolved, plan.weights, plan.templates)
    run = open_run(LocalStore(Path("run")), plan.resolved, ident, plan.items)
    jobs = Jobs(plan, run).of_subjects(ledger_of([]))
    return Queues(plan, listed(jobs).models)


def all_of(waiting):
    """Take and return all jobs."""
    found = []
    for queue in waiting.by_model.values():
        while queue.next() is not None:
            found.append(waiting.take(queue).job)
    return found


def needed_in(waiting):
    return {one for one in (M, N, E) if waiting.need(one)}


def give_up(waiting, *deployments):
    for one in deployments:
        waiting.given_up.add(one, f"{one.words} broke", lambda _: None)


def test_a_subjects_jobs_are_dropped_and_others_stay():
    waiting = queues(SPEC)
    assert needed_in(waiting) == {M, N}
    assert not waiting.drop()
    give_up(waiting, N)
    assert waiting.drop()
    assert needed_in(waiting) == {M}
    assert [len(queue) for queue in waiting.by_model.values()] == [2, 0]
    assert not waiting.drop()


@pytest.mark.parametrize("made", [0, 1, 2])
def test_a_helpers_probes_are_left_out_of_the_jobs(made):
    waiting = queues(EDITED)
    for pending in all_of(queues(EDITED))[:made]:  # jobs that wait to be tried again are made already
        queue = waiting.by_model[Deployment(SUBJECT, pending.model)]
        queue.next()
        queue.again.append(waiting.take(queue))
    assert needed_in(waiting) == {M, N, E}
    give_up(waiting, E)
    waiting.drop()
    jobs = all_of(waiting)
    assert {piece.probe for job in jobs for piece in job.wanted.pieces} == {None, "no_cot"}
    assert [len(job.items) for job in jobs] == [2, 2, 2, 2]
    assert waiting.drop()  # those that were made later
    assert not waiting.drop()


def test_records_say_what_broke_and_who_lacks_rows():
    waiting = queues(EDITED)
    give_up(waiting, E, N)
    all_of(waiting)
    waiting.drop()
    waiting.given_up.record(LocalStore(Path("run")))
    editor, subject = read_given_up(LocalStore(Path("run")))
    assert (editor.key, editor.name, editor.lacking) == ("_given_up/editor/e.json", "editor e", ["m", "n"])
    assert (subject.key, subject.name, subject.reason) == ("_given_up/subject/n.json", "model n", "model 'n' broke")
    assert parse_given_up(subject.as_json(), subject.key) == subject
    with pytest.raises(RunFolderError, match="belongs at _given_up/subject/n"):
        parse_given_up(subject.as_json(), "_given_up/subject/m.json")
    with pytest.raises(RunFolderError, match=r"Remove _given_up/subject/m\.json"):
        parse_given_up(b"{}", "_given_up/subject/m.json")


def test_the_first_reason_counts_and_is_said_once():
    said, found = [], GivenUp()
    for reason in ("first", "second"):
        found.add(M, reason, said.append)
    assert (found.reasons, said) == ({M: "first"}, ["Given up: first"])


def test_only_if_all_subjects_are_given_up_the_run_ends():
    found = GivenUp()
    for one in (M, E):
        found.add(one, f"{one.words} broke", lambda _: None)
    found.check(["m", "n"])
    found.add(N, "second", lambda _: None)
    with pytest.raises(RunFailedError, match=r"^model 'm' broke\nsecond$"):
        found.check(["m", "n"])


def without_n(monkeypatch):
    """Make runs do the jobs of other models, and give ``n`` up."""

    def run_jobs(plan, jobs, progress, check, given_up, *_):
        given_up.add(N, WHY, progress.say)
        waiting = Queues(plan, listed(jobs).models, given_up)
        left = all_of(waiting)
        waiting.drop()
        given_up.record(LocalStore(Path("run")))
        return run_here(plan, left, progress)

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", run_jobs)


def test_every_command_says_which_model_is_missing_and_why(monkeypatch, cli, here):
    without_n(monkeypatch)
    (here / "spec.yaml").write_text(yaml.safe_dump(SPEC))
    code, out, said = cli("run", "spec.yaml")
    assert code == 1
    *_, reason, last = said.splitlines()
    assert reason == f"Given up: {WHY}"
    assert last == "Finished without model n. Run it again to try what is missing."
    assert "Incomplete: 2 of 4 shards are done" in out
    for command in ("status", "aggregate", "report"):
        code, out, _ = cli(command, "run")
        assert (code, f"Given up: {WHY}" in out) == (0, True)
    assert "it broke" in (here / "run" / "report.html").read_text()
    without_ray(monkeypatch)
    code, out, said = cli("run", "spec.yaml")
    assert (code, "Given up" in out + said, (here / "run" / "_given_up/subject/n.json").exists()) == (0, False, False)


def test_a_record_is_shown_only_while_something_is_missing_for_it(monkeypatch, cli, here):
    without_n(monkeypatch)
    execute(parse_spec(SPEC))
    execute(parse_spec(SPEC | {"models": SPEC["models"][:1]}))
    assert read_given_up(LocalStore(here / "run"))
    code, out, _ = cli("status", "run")
    assert (code, "Given up" in out) == (0, False)


def test_the_handle_names_it(monkeypatch, here):
    without_n(monkeypatch)
    handle = cotfaith.run(SPEC)
    assert handle.missing_models == {"model n": WHY}
    assert not handle.complete
    without_ray(monkeypatch)
    assert cotfaith.run(SPEC).missing_models == {}


def test_nothing_is_written_about_a_run_without_losses(here):
    execute(parse_spec(SPEC))
    assert not (here / "run" / "_given_up").exists()
