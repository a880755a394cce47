"""A run's batches as tasks of a real Ray: the figures of one process to the last digit, and every loss is made good."""

import os
import signal
import warnings
from functools import partial

import pytest
from kept_sums import forget_sums, kept_sums
from runs_here import finish

from cotfaith.cluster.fleet import batch_tasks
from cotfaith.cluster.fleet.batch_tasks import Tasks, each_of, each_on
from cotfaith.cluster.report import results
from cotfaith.cluster.stats import summed, written
from cotfaith.cluster.stats.metrics import METRICS, metrics_of
from cotfaith.cluster.storage.batches import batches, each_batch
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFailedError, RunFolderError, SpecError, StoreError
from cotfaith.schemas.spec import parse_spec

SPEC = {
    "models": [
        {"id": "a", "engine": "stub", "options": {"max_steps": 4}},
        {"id": "b", "engine": "stub", "options": {"max_steps": 5, "relies_on": "question"}},
    ],
    "tasks": [
        {"name": "tracking", "generator": "tracking_objects", "n": 7},
        {"name": "sums", "generator": "addition", "n": 3},
    ],
    "sampling": {"chains_per_item": 3},
    "probes": ["no_cot", "early_answering", "adding_mistakes", "filler_tokens", "step_deletion", "transfer"],
    "resources": {"shard_size": 2},
    "output": {"path": "run"},
}
BATCHES = 4 + 2

pytestmark = pytest.mark.usefixtures("shared_ray")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("tasks"), SPEC) / "run"


@pytest.fixture
def run(folder, monkeypatch):
    """The run, whose shards are read one by one."""
    monkeypatch.setattr(summed, "batches", partial(batches, most_rows=1))
    store = LocalStore(folder)
    return store, load_run(store)


def on_ray(run, work, plugins=()):
    store, record = run
    found = batches(read_ledger(store), record, most_rows=1)
    assert len(found) == BATCHES
    return list(Tasks("auto", str(store.root), plugins)(store, record, found, work))


def test_estimates_and_page_are_those_of_one_process_byte_by_byte(run):
    store, record = run
    results.write_results(store, record)
    here = {key: store.get(key) for key in (keys.ESTIMATES, keys.REPORT)}
    kept = len(kept_sums(store))
    forget_sums(store)
    results.write_results(store, record, each_on("auto", str(store.root)))
    assert {key: store.get(key) for key in here} == here
    assert len(kept_sums(store)) == kept == BATCHES
    forget_sums(store)
    written.write_estimates(store, record, each_on("auto", str(store.root)))
    assert store.get(keys.ESTIMATES) == here[keys.ESTIMATES]
    assert not [key for key in store.list() if ".seen" in key]


def test_the_commands_take_an_address(run, cli):
    store, _ = run
    assert cli("aggregate", store.root)[0] == 0
    here = store.get(keys.ESTIMATES)
    store.delete(keys.ESTIMATES)
    forget_sums(store)
    code, out, _ = cli("aggregate", store.root, "--ray", "auto", "--json")
    assert (code, out[:2]) == (0, "{\n")
    assert store.get(keys.ESTIMATES) == here
    store.delete(keys.ESTIMATES)
    forget_sums(store)
    assert cli("report", store.root, "--ray", "auto")[0] == 0
    assert store.get(keys.ESTIMATES) == here


def test_batches_are_worked_on_elsewhere_and_come_back_in_their_order(run):
    def work(tables):
        return os.getpid(), sorted(tables["items"]["item_id"].unique().to_list())

    made, (store, record) = on_ray(run, work), run
    found = batches(read_ledger(store), record, most_rows=1)
    assert [items for _, items in made] == [sorted(logs[0].commits[0].items) for logs in found]
    assert os.getpid() not in {pid for pid, _ in made}
    assert {pid for pid, _ in each_batch(store, record, found, work)} == {os.getpid()}
    assert {pid for pid, _ in Tasks("auto", str(store.root))(store, record, found[:1], work)} == {os.getpid()}


def test_a_task_whose_process_dies_or_whose_store_fails_is_done_again(run, tmp_path):
    def work(tables):
        (item, *_), mark = sorted(tables["items"]["item_id"].to_list()), tmp_path / "died"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if not (mark := tmp_path / "failed").exists():
            mark.touch()
            raise StoreError("no answer")
        return item

    made = on_ray(run, work)
    assert (tmp_path / "died").exists()
    assert (tmp_path / "failed").exists()
    assert len(set(made)) == len(made) == BATCHES


def test_a_task_that_dies_each_time_ends_in_an_error(run):
    with pytest.raises(RunFailedError, match=r"^A task that reads a batch of rows was lost 4 times: "):
        on_ray(run, lambda tables: os.kill(os.getpid(), signal.SIGKILL))


def test_what_is_wrong_with_the_folder_is_not_tried_again(run, tmp_path):
    def work(tables):
        with (tmp_path / "tries").open("a") as tries:
            tries.write(f"{tables['items'].height}\n")
        raise RunFolderError("part 7 is damaged")

    with pytest.raises(RunFolderError, match=r"^part 7 is damaged$"):
        on_ray(run, work)
    assert len((tmp_path / "tries").read_text().split()) <= BATCHES


def test_metrics_that_a_node_lacks_are_refused(run, monkeypatch):
    """Metrics that a script registers are unknown to other processes, which would leave them out in silence."""
    store, record = run
    own = metrics_of("no_cot")
    renamed = type(own)(own.probe, own.metrics[1:], own.scores, own.words)
    monkeypatch.setitem(METRICS, "no_cot", renamed)
    with pytest.raises(SpecError, match=r"has other metrics of 'no_cot' than the driver: .*without --ray"):
        written.write_estimates(store, record, each_on("auto", str(store.root)))


def test_a_plug_in_that_a_node_lacks_is_named(run):
    with pytest.raises(SpecError, match=r"^plugins: there is no module 'nowhere_at_all'"):
        on_ray(run, lambda tables: None, ("nowhere_at_all",))


def test_a_folder_that_the_tasks_do_not_see_is_refused(run, tmp_path):
    store, record = run
    found = batches(read_ledger(store), record, most_rows=1)
    elsewhere = Tasks("auto", str(tmp_path))
    with pytest.raises(SpecError, match=rf"do not see what the driver sees:\n.*{tmp_path} is not the driver's folder"):
        list(elsewhere(store, record, found, lambda tables: None))


def test_what_is_waited_for_is_said(run, monkeypatch):
    monkeypatch.setattr(batch_tasks, "PATIENCE_S", 0.0)
    with warnings.catch_warnings(record=True) as said:
        on_ray(run, lambda tables: None)
    assert str(said[0].message).startswith("No batch of rows has come back for 0 s; 6 wait or are worked on.")


def test_a_spec_s_cluster_is_used_and_none_is_no_ray():
    spec = parse_spec(SPEC)
    assert each_of(spec) is each_batch
    named = spec.model_copy(update={"resources": spec.resources.model_copy(update={"ray_address": "auto"})})
    assert each_of(named) == Tasks("auto", "run", ())


def test_a_task_asks_for_memory_by_its_rows():
    small, large = (batch_tasks.task_options(rows, 2**40)["memory"] for rows in (1_000, 700_000))
    assert 2**28 < small < 2**29 < 2**30 < large < 2**31
    assert batch_tasks.task_options(10**9, 2**32)["memory"] == 2**32  # else no node could ever take it
