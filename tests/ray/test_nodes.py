"""Nodes that come and go, on a real Ray of several nodes: what they end is done again, and counts as no failure."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import psutil
import pytest
import ray
from commands import in_process
from fake_metadata import metadata_server
from ray._private import ray_constants
from ray._raylet import GcsClient
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import DrainNodeReason
from ray.core.generated.common_pb2 import NodeDeathInfo
from ray_host import FAST

from cotfaith.cluster.fleet import crashes, driver, engine_pool
from cotfaith.cluster.fleet.batch_tasks import Tasks
from cotfaith.cluster.fleet.deployments import Deployment, Setup, Share
from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.leaving import move_off
from cotfaith.cluster.fleet.ray_backend import RayBackend
from cotfaith.cluster.fleet.ray_session import _NO_METRICS, _QUIET
from cotfaith.cluster.fleet.reporter import SILENT, NoProgress
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.storage.batches import batches
from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec, parse_spec

ITEMS = 6
STORE_BYTES = 80 * 2**20


class Fleet:
    """A head without room for engines, and worker nodes with room for one each."""

    def __init__(self):
        node = {"node_ip_address": "127.0.0.1", "object_store_memory": STORE_BYTES}
        self.node = node
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **node})
        ray.init(self.cluster.address, log_to_driver=False, logging_level="ERROR")
        self.gcs = GcsClient(address=self.cluster.gcs_address)

    def alive(self):
        nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        return [node for node in self.cluster.worker_nodes if node.node_id in nodes]

    def add(self):
        return self.cluster.add_node(num_cpus=1, **self.node)

    def have(self, count):
        """Return exactly ``count`` nodes."""
        while len(self.alive()) < count:
            self.add()
        for node in self.alive()[count:]:
            self.kill(node)
        return self.alive()

    def kill(self, node):
        """End all the processes of the node at once, as when its machine is taken away."""
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        workers = raylet.children(recursive=True)
        for process in [raylet, *workers]:
            if process.is_running():
                process.kill()
        wait_for(lambda: node not in self.alive())

    def drain(self, node, seconds):
        reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        accepted, why = self.gcs.drain_node(node.node_id, reason, "notice", int((time.time() + seconds) * 1000))
        assert accepted, why

    def end(self):
        ray.shutdown()
        self.cluster.shutdown()


@pytest.fixture(scope="module")
def fleet(no_ray):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (_QUIET | _NO_METRICS | FAST).items():
            patch.setenv(name, value)
        patch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)  # loopback only
        patch.delenv("RAY_ADDRESS", raising=False)
        fleet = Fleet()
        yield fleet
        fleet.end()


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


class Lines(NoProgress):
    """A reporter that keeps what is said."""

    def __init__(self):
        self.lines, self.done, self.preemptions = [], 0, 0

    def say(self, text):
        self.lines.append(text)

    warn = say

    @contextmanager
    def progress(self, forecast):
        yield self

    def finished(self, model, report, engine):
        self.done += report.items
        self.lines.append(f"finished on {engine}")

    def preempted(self, count):
        self.preemptions = count

    def has(self, text):
        return any(text in line for line in self.lines)


def spec(path, replicas=1, size=1, helper=None, **options):
    helpers = [{"id": "h", "engine": "stub", "roles": [helper]}] if helper else []
    return parse_spec(
        {
            "models": [{"id": "m", "engine": "stub", "options": options}, *helpers],
            "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": ITEMS}],
            "probes": ["no_cot", *(["adding_mistakes"] if helper else [])],
            "resources": {"shard_size": size, "in_flight": 1, "cpus": 1, "replicas": replicas},
            "output": {"path": str(path)},
        }
    )


class Run(threading.Thread):
    """A run in the background."""

    def __init__(self, path, **options):
        super().__init__()
        self.path, self.lines, self.given_up = path, Lines(), None
        self.spec = spec(path, **options)
        self.start()

    def run(self):
        self.given_up = execute(self.spec, self.lines)

    def check(self, reference):
        self.join(60)
        assert self.given_up == [], self.lines.lines
        assert self.lines.done == ITEMS
        assert not self.lines.has("attempt 1 failed"), "\n".join(self.lines.lines)
        assert_equal(tables(self.path), reference)


def tables(path):
    return {name: frame.drop("run_id", strict=False) for name, frame in read_tables(LocalStore(path)).items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].height > 0
        assert one[name].equals(other[name]), name


@pytest.fixture(scope="module")
def reference(fleet, tmp_path_factory):
    """The tables of an undisturbed run."""
    path = tmp_path_factory.mktemp("reference") / "run"
    fleet.have(1)
    assert execute(spec(path), SILENT) == []
    return tables(path)


def test_a_node_that_joins_is_used_and_one_that_is_lost_costs_no_attempt(fleet, reference, tmp_path):
    fleet.have(1)
    run = Run(tmp_path / "run", replicas=2, seconds_per_call=0.4)
    fleet.add()
    wait_for(lambda: run.lines.has("finished on m#1") and run.lines.has("finished on m#2"))
    fleet.kill(fleet.alive()[0])
    run.check(reference)
    assert run.lines.preemptions >= 1
    assert run.lines.has(": its node is gone; another one is started")
    assert run.lines.has("what they ended was done again.")


def test_a_node_with_notice_finishes_its_work_and_nobody_waits_for_its_end(fleet, reference, tmp_path):
    first, _ = fleet.have(2)
    run = Run(tmp_path / "run", replicas=2, seconds_per_call=0.4)
    wait_for(lambda: run.lines.has("finished on m#1") and run.lines.has("finished on m#2"))
    fleet.drain(first, 300)
    wait_for(lambda: first not in fleet.alive())
    run.check(reference)
    assert run.lines.preemptions == 1
    assert not run.lines.has("is done again")  # the running jobs finished there
    assert run.lines.has("its node will be gone in ")


def test_batches_of_rows_are_read_on_all_nodes_and_again_if_one_is_lost(fleet, reference, tmp_path):
    first, _ = fleet.have(2)
    run = Run(tmp_path / "run")
    run.check(reference)
    store = LocalStore(tmp_path / "run")
    record, found = load_run(store), batches(read_ledger(store), load_run(store), most_rows=1)

    def work(tables):
        (tmp_path / ray.get_runtime_context().get_node_id()).touch()
        time.sleep(0.5)
        return ray.get_runtime_context().get_node_id(), tables["observations"].height

    made = Tasks("auto", str(tmp_path / "run"))(store, record, found, work)
    nodes, rows = zip(*losing(fleet, first, tmp_path, made), strict=True)
    assert rows == (1,) * ITEMS
    assert first.node_id not in nodes[-2:]


def losing(fleet, node, folder, made):
    """Yield what is made, and lose the node once a task runs there."""
    killer = threading.Thread(target=lambda: (wait_for((folder / node.node_id).exists), fleet.kill(node)))
    killer.start()
    yield from made
    killer.join()


@pytest.mark.parametrize("helped", [False, True])
def test_two_runs_share_a_cluster_that_is_too_small_for_both(fleet, reference, tmp_path, monkeypatch, helped):
    """With helpers: each run's editor takes a node, and there is no place for either's subject."""
    monkeypatch.setattr(engine_pool, "_HELPERS_YIELD_S", 2.0)
    monkeypatch.setattr(engine_pool, "_BACK_OFF_S", (2.0, 8.0))
    fleet.have(2)
    options = {"helper": "editor"} if helped else {"replicas": 2}
    runs = [Run(tmp_path / name, **options) for name in ("one", "other")]
    for run in runs:
        run.join(300)
        assert run.given_up == [], run.lines.lines
        assert run.lines.done == ITEMS
        assert run.lines.preemptions == 0
    one, other = [tables(run.path) for run in runs]
    assert_equal(one, other)
    if not helped:
        assert_equal(one, reference)


@pytest.mark.chaos
def test_the_last_node_s_deadline_passes_and_the_run_waits_for_another(fleet, reference, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "PATIENCE_S", 1.0)
    (node,) = fleet.have(1)
    run = Run(tmp_path / "run", size=ITEMS // 2, seconds_per_call=0.6)
    wait_for(lambda: run.lines.has("finished on m#1"))
    fleet.drain(node, 0.5)
    wait_for(lambda: run.lines.has("it is done again, and uses up no attempt"))
    wait_for(lambda: run.lines.has("Not up: subject m."))
    fleet.add()
    run.check(reference)


@pytest.mark.chaos
def test_an_engine_that_is_lost_while_it_loads_is_started_again(fleet, reference, tmp_path):
    (node,) = fleet.have(1)
    run = Run(tmp_path / "run", size=ITEMS, seconds_to_load=2.0)
    wait_for(lambda: any("EngineActor" in " ".join(p.info["cmdline"] or ()) for p in children(node)))
    fleet.kill(node)
    fleet.add()
    run.check(reference)
    assert run.lines.preemptions >= 1


def children(node):
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    found = raylet.children(recursive=True)
    for process in found:
        process.info = process.as_dict(["cmdline"])
    return found


@pytest.mark.parametrize("notice", [True, False])
def test_a_helper_s_place_is_made_again_on_another_node(fleet, notice):
    (node,) = fleet.have(1)
    backend, lines, helper = RayBackend(), Lines(), Deployment("editor", "m")
    pool = EnginePool(backend, {"m": Setup(ModelSpec(id="m", engine="stub"), Share(1, 1))}, lines.say)
    nodes = pool.nodes

    try:
        pool.open(helper, 1)
        (replica,) = pool.replicas()
        (event,) = backend.events(30)
        pool.came_up(replica, event.found)
        move_off(pool, nodes)
        assert replica.node == node.node_id
        if notice:
            fleet.drain(node, 60)
            wait_for(lambda: move_off(pool, nodes) and replica not in pool.replicas())
        else:
            fleet.kill(node)
            with pytest.raises(ray.exceptions.RayActorError) as lost:
                ray.get(replica.actor.usage.remote(), timeout=30)
            pool.replace(replica, lost.value)
            wait_for(lambda: nodes.refresh() and (pool.settle() or pool.replicas()))
        other = fleet.add()
        (second,) = pool.replicas()
        (event,) = backend.events(30)
        assert event.engine == second.name
        pool.came_up(second, event.found)
        assert second.node == other.node_id
        assert pool.preemptions == 1
    finally:
        pool.close_all()


@pytest.mark.chaos
def test_a_crash_on_a_node_that_stays_is_a_failure(fleet, reference, tmp_path, monkeypatch):
    monkeypatch.setattr(crashes, "VERDICT_S", 3.0)
    fleet.have(1)
    run = Run(tmp_path / "run", kill_on="Human", kill_once_file=str(tmp_path / "killed"))
    run.join(60)
    assert run.given_up == []
    assert (tmp_path / "killed").exists()
    assert run.lines.preemptions == 0
    assert run.lines.has("attempt 1 failed")
    assert_equal(tables(run.path), reference)


def test_running_out_of_memory_is_said_once(fleet, reference, tmp_path):
    fleet.have(1)
    run = Run(tmp_path / "run", size=ITEMS, most_requests=1)
    run.join(60)
    assert run.given_up == []
    assert_equal(tables(run.path), reference)
    said = [line for line in run.lines.lines if line.endswith("after running out of memory.")]
    assert "m: generate: halved to 1 requests a call after running out of memory." in said
    assert len(set(said)) == len(said)


def test_the_sidecar_drains_its_node(fleet):
    """It finds no node by its address here, where all nodes share one; so the test names it."""
    (node,) = fleet.have(1)
    with metadata_server() as server:
        server.ends = datetime.fromtimestamp(time.time() + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        options = ["--cloud", "aws", "--metadata-url", server.url, "--address", fleet.cluster.address]
        several = in_process("watch-preemption", *options)
        assert several.returncode == 2
        assert "2 Ray nodes run on this machine (127.0.0.1): say which with --node-id." in several.stderr
        done = in_process("watch-preemption", *options, "--node-id", node.node_id)
    assert done.returncode == 0, done.stderr
    assert f"Node {node.node_id} drains." in done.stdout
    wait_for(lambda: node not in fleet.alive())  # it is idle
    (gone,) = [one for one in ray.nodes() if one["NodeID"] == node.node_id]
    assert gone["DeathReason"] == NodeDeathInfo.Reason.Value("AUTOSCALER_DRAIN_PREEMPTED")


NODE = """
import sys, time
from ray._private.node import Node
from ray._private.parameter import RayParams

address, store_bytes = sys.argv[1], int(sys.argv[2])
place = {"gcs_address": address, "redis_address": address, "node_ip_address": "127.0.0.1"}
Node(RayParams(num_cpus=1, object_store_memory=store_bytes, **place), head=False)
time.sleep(600)
"""


@contextmanager
def blind_node(fleet, folder):
    """A node for which ``folder`` is another, empty one: it has a file system table of its own."""
    hide = f'mount -t tmpfs tmpfs {folder} && exec {sys.executable} -c "$0" {fleet.cluster.address} {STORE_BYTES}'
    command = ["unshare", "-rm", "sh", "-c", hide, NODE]
    before = len(ray.nodes())
    with (folder / "said").open("w") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            wait_for(lambda: process.poll() is not None or len(ray.nodes()) > before, 60)
            if process.poll() is not None:
                pytest.skip("this machine allows no mount of one's own (unshare -rm)")
            yield
        finally:
            with suppress(psutil.NoSuchProcess):
                for one in psutil.Process(process.pid).children(recursive=True):
                    one.kill()
            process.kill()


@pytest.mark.chaos
def test_a_node_that_sees_another_folder_is_named_before_anything_loads(fleet, tmp_path):
    fleet.have(1)
    (tmp_path / "local").mkdir()
    lines = Lines()
    with blind_node(fleet, tmp_path / "local"), pytest.raises(SpecError) as caught:
        execute(spec(tmp_path / "local" / "run"), lines)
    assert str(caught.value).startswith("1 of 3 nodes do not see what the driver sees:\n  node ")
    assert f"output.path: {tmp_path}/local/run is not the driver's folder" in str(caught.value)
    assert not lines.has("finished on")
    assert not list((tmp_path / "local" / "run").glob(".seen-*"))
