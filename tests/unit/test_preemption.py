"""What counts as a preemption, and what is done about it, without a running Ray."""

import io
from collections import deque

import pytest
from forecasts import forecast_of
from ray.exceptions import ActorDiedError, NodeDiedError, RayActorError, WorkerCrashedError
from rich.console import Console

from cotfaith.cluster.cli.progress import RunProgress
from cotfaith.cluster.fleet import crashes, engine_pool
from cotfaith.cluster.fleet.attempts import MOST_LOST_NODES, Attempts, Pending
from cotfaith.cluster.fleet.backend import NodesNow
from cotfaith.cluster.fleet.crashes import Crashes
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, Setup, Share
from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.leaving import move_off
from cotfaith.cluster.fleet.nodes import Nodes
from cotfaith.schemas.errors import EngineLostError
from cotfaith.schemas.spec import ModelSpec, ResourceSpec


class Machines:
    """Named nodes, engines on node ``a`` and places, in place of a cluster."""

    def __init__(self):
        self.alive, self.dead, self.leaving = ["head", "a", "b"], [], {}
        self.killed, self.removed, self.left, self.started, self.time_s = [], [], [], 0, 1000.0
        self.reserved = []
        self.places_ready, self.answers, self.node = True, True, "a"

    def now(self):
        self.time_s += 0.06  # the view of the nodes is renewed when it is asked for
        return self.time_s

    def nodes(self):
        if not self.answers:
            return None
        return NodesNow({node: {"CPU": 1} for node in self.alive}, frozenset(self.dead), self.leaving)

    def lose(self, node):
        self.alive.remove(node)
        self.dead.append(node)

    def start_engine(self, name, setup, plugins, place):
        self.started += 1
        return name

    def kill_engine(self, handle):
        self.killed.append(handle)

    def node_of(self, handle):
        return self.node

    def leave(self, node):
        self.left.append(node)

    def reserve(self, asked):
        self.reserved.append(dict(asked))
        return object()

    def is_made(self, place):
        return self.places_ready

    def release(self, place):
        self.removed.append(place)


@pytest.fixture
def cluster():
    return Machines()


def seen_by(cluster):
    return Nodes(cluster, every_s=0.0)


def pool_of(cluster, *deployments, replicas=1):
    pool = EnginePool(cluster, {"m": Setup(ModelSpec(id="m", engine="stub"), Share(1, 1))}, [].append)
    for one in deployments:
        pool.open(one, replicas if one.role == SUBJECT else 1)
    for one in pool.replicas():
        one.capabilities, one.node = object(), "a"
    return pool


ANSWERS, EDITS = Deployment(SUBJECT, "m"), Deployment("editor", "m")


def marked(error, preempted):
    error.preempted = preempted
    return error


def judge(held, error, node, called):
    held.judge(error, node, lambda: called.append("lost"), lambda: called.append("crashed"))


def verdict(pool, replica, error):
    """Return a list that gets the verdict on a lost actor, once there is one."""
    called = []
    pool.judge(replica, error, lambda: called.append("lost"), lambda: called.append("crashed"))
    return called


def test_a_preemption_is_told_by_marks_types_and_nodes_and_never_by_text(cluster):
    seen = seen_by(cluster)
    assert seen.took(None, marked(EngineLostError("x"), True))
    assert seen.took(None, NodeDiedError("x"))
    assert not seen.took("a", EngineLostError("the actor's node was preempted: spot notice"))
    assert not seen.took(None, WorkerCrashedError())
    cluster.lose("a")
    assert seen.took("a", EngineLostError("x"))
    assert not seen.took("b", EngineLostError("x"))
    cluster.leaving = {"b": None}
    assert seen.took("b", EngineLostError("x"))
    assert seen.left_s("b") is None


def test_a_head_that_is_busy_leaves_the_view_as_it_is(cluster):
    seen = seen_by(cluster)
    cluster.lose("a")
    assert seen.refresh()

    cluster.answers = False
    assert not seen.refresh()
    assert seen.dead == {"a"}


def test_no_number_of_preemptions_gives_an_engine_up_and_losses_do(cluster):
    cluster.alive = ["a"]  # a crash has its verdict at once
    pool = pool_of(cluster, ANSWERS)
    for n in range(20):
        (replica,) = pool.replicas()
        replica.capabilities = None if n % 2 else object()  # some were still loading
        pool.replace(replica, marked(EngineLostError("x"), True))
    assert pool.preemptions == 20

    def crash(times):
        while times and not pool.given_up.reasons:
            (replica,) = pool.replicas()
            replica.capabilities = object()
            pool.replace(replica, EngineLostError("x"))
            times -= 1
        return times

    assert crash(3) == 0
    assert crash(20) > 0
    assert pool.given_up.reasons == {ANSWERS: "The engine of model 'm' cannot be kept up: x"}
    assert pool.preemptions == 20
    pool.settle()
    assert pool.replicas() == []


def test_an_actor_that_works_finishes_and_an_idle_one_ends_at_once(cluster):
    pool = pool_of(cluster, ANSWERS, replicas=2)
    idle, busy = pool.replicas()
    busy.busy = 1
    cluster.leaving, cluster.node = {"a": 60.0}, "b"
    move_off(pool, pool.nodes)
    assert cluster.killed == [idle.actor]
    assert cluster.left == ["a"]
    assert busy in pool.replicas()
    assert busy not in pool.up(ANSWERS)  # no new jobs
    assert len(pool.replicas()) == 3  # two others were started
    pass_time(cluster, 1.0)
    move_off(pool, pool.nodes)
    assert len(pool.replicas()) == 3
    cluster.leaving = {"a": -0.1}  # the deadline has passed
    pass_time(cluster, 1.0)
    move_off(pool, pool.nodes)
    assert cluster.killed == [idle.actor, busy.actor]
    assert verdict(pool, busy, EngineLostError("x")) == ["lost"]
    assert pool.preemptions == 2


def test_a_helper_keeps_its_place_after_a_crash_and_gets_another_after_a_preemption(cluster):
    cluster.alive = ["a"]  # a crash has its verdict at once
    pool = pool_of(cluster, EDITS)
    (first,) = pool.replicas()
    pool.replace(first, EngineLostError("x"))
    (second,) = pool.replicas()
    assert second.place is first.place
    assert cluster.removed == []
    pool.replace(second, marked(EngineLostError("x"), True))
    (third,) = pool.replicas()
    assert third.place is not second.place
    assert cluster.removed == [second.place]
    pool.close_all()
    assert cluster.removed == [second.place, third.place]


def test_an_engine_of_several_gpus_has_a_place_of_its_own(cluster):
    pool = pool_of(cluster, ANSWERS)
    assert cluster.reserved == []
    pool.setups["m"] = Setup(ModelSpec(id="m", engine="stub"), Share(1, 1), ResourceSpec(gpus=4))
    pool.want(ANSWERS, 3)
    assert cluster.reserved == [{"CPU": 1, "GPU": 4}] * 2
    _, first, second = pool.replicas()
    assert first.place is not second.place
    pool.replace(first, marked(EngineLostError("x"), True))
    assert cluster.removed == [first.place]
    assert len(cluster.reserved) == 3
    pool.close_all()
    assert len(cluster.removed) == 3


def test_a_subject_gives_its_place_to_a_helper_that_waits_for_one(cluster):
    pool = pool_of(cluster, EDITS, ANSWERS)
    helper, subject = pool.replicas()
    cluster.places_ready = False
    pool.replace(helper, marked(EngineLostError("x"), True))
    pool.yield_place(used=True)
    assert subject in pool.replicas()  # it works
    pool.yield_place(used=False)
    assert subject in pool.replicas()  # the place may come soon
    pass_time(cluster, engine_pool._YIELD_S)
    pool.yield_place(used=False)
    pool.fill()
    assert [one.deployment for one in pool.replicas()] == [EDITS]
    cluster.places_ready = True
    pool.fill()
    assert [one.deployment for one in pool.replicas()] == [EDITS, ANSWERS]


SIGNS = pytest.mark.parametrize("sign", ["dead", "leaving", None])


def show(cluster, sign, node):
    """Let the node die or drain; without a sign, let the time for the verdict pass."""
    if sign == "dead":
        cluster.lose(node)
    elif sign == "leaving":
        cluster.leaving = {node: None}
    else:
        pass_time(cluster)


def pass_time(cluster, seconds=crashes.VERDICT_S + 1):
    cluster.time_s += seconds


@SIGNS
def test_a_crashed_task_waits_for_the_verdict_on_its_node(cluster, sign):
    seen, called = seen_by(cluster), []
    held = Crashes(seen, cluster.now)
    judge(held, ValueError("our own"), None, called)
    assert called == ["crashed"]
    judge(held, WorkerCrashedError(), None, called)
    held.settle()
    assert called == ["crashed"]
    show(cluster, sign, "b")
    seen.refresh()
    held.settle()
    held.settle()
    assert called == ["crashed", "lost" if sign else "crashed"]


def test_a_task_that_ended_with_a_node_is_lost_with_it_though_the_node_s_end_was_known_first(cluster):
    seen, called = seen_by(cluster), []
    seen.refresh()
    held, before = Crashes(seen, cluster.now), seen.dead
    cluster.lose("b")
    seen.refresh()

    def judged(error, dead):
        held.judge(error, None, lambda: called.append("lost"), lambda: called.append("crashed"), dead)

    judged(WorkerCrashedError(), before)
    judged(ValueError("our own"), before)
    judged(WorkerCrashedError(), seen.dead)  # it began after that, on a node that stays
    assert called == ["lost", "crashed"]
    pass_time(cluster)
    held.settle()
    assert called == ["lost", "crashed", "crashed"]


@SIGNS
@pytest.mark.parametrize("ready", [True, False])
def test_a_lost_engine_waits_for_the_verdict_on_its_own_node(cluster, sign, ready):
    """Its replacement does not wait. Nothing is counted before; an engine that never came up is given up."""
    pool = pool_of(cluster, ANSWERS)
    (first,) = pool.replicas()
    first.capabilities = first.capabilities if ready else None
    cluster.lose("b")  # another node: it decides nothing
    called = verdict(pool, first, EngineLostError("x"))
    pool.replace(first, EngineLostError("x") if ready else ActorDiedError())
    (second,) = pool.replicas()
    assert second is not first
    pool.nodes.refresh(now=True)
    pool.settle()
    assert (called, pool.preemptions) == ([], 0)
    show(cluster, sign, "a")
    pool.nodes.refresh(now=True)
    pool.settle()
    assert ("cannot be kept up" in pool.given_up.reasons.get(ANSWERS, "")) == (not sign and not ready)
    assert called == ["lost" if sign else "crashed"]
    assert pool.preemptions == (1 if sign else 0)
    assert pool.replicas() == [second]


def test_an_engine_that_crashes_on_nodes_that_stay_is_given_up_in_the_end(cluster):
    pool = pool_of(cluster, ANSWERS)

    def crash(times):
        while times and not pool.given_up.reasons:
            (replica,) = pool.replicas()
            replica.capabilities, replica.node = object(), "a"
            pool.replace(replica, EngineLostError("x"))
            pass_time(cluster)
            pool.settle()
            times -= 1
        return times

    assert crash(3) == 0
    assert crash(20) > 0
    assert "cannot be kept up" in pool.given_up.reasons[ANSWERS]
    assert pool.preemptions == 0


def test_a_lost_engine_that_no_job_needs_ends_no_run(cluster):
    pool = pool_of(cluster, ANSWERS)
    (replica,) = pool.replicas()
    replica.capabilities = None
    pool.replace(replica, ActorDiedError())
    pool.close(ANSWERS)
    pass_time(cluster)
    pool.settle()
    assert pool.replicas() == []


UNSTARTABLE = RayActorError(error_msg="no such file", actor_init_failed=True)


def test_an_engine_that_says_why_it_cannot_start_is_given_up_at_once(cluster):
    pool = pool_of(cluster, ANSWERS)
    (replica,) = pool.replicas()
    replica.capabilities = None
    pool.replace(replica, UNSTARTABLE)
    assert pool.given_up.reasons == {ANSWERS: "The engine of model 'm' cannot be kept up: no such file"}
    assert pool.replicas() == []


@pytest.mark.parametrize("up", [True, False])
def test_a_replica_that_cannot_start_is_left_out_while_another_is_there(cluster, up):
    pool = pool_of(cluster, ANSWERS, replicas=2)
    first, second = pool.replicas()
    first.capabilities, second.capabilities = None, object() if up else None
    pool.replace(first, UNSTARTABLE)
    pool.settle()
    assert pool.replicas() == [second]
    assert not pool.given_up.reasons
    pool.replace(second, EngineLostError("x") if up else UNSTARTABLE)
    assert len(pool.replicas()) == (1 if up else 0)
    assert bool(pool.given_up.reasons) == (not up)


def test_a_helper_is_named_by_its_role(cluster):
    pool = pool_of(cluster, EDITS)
    (replica,) = pool.replicas()
    replica.capabilities = None
    pool.replace(replica, UNSTARTABLE)
    assert pool.given_up.reasons == {EDITS: "The engine of editor 'm' cannot be kept up: no such file"}


@SIGNS
def test_a_lost_helper_is_replaced_once_it_is_known_where_its_place_is(cluster, sign):
    pool = pool_of(cluster, EDITS)
    (first,) = pool.replicas()
    pool.replace(first, EngineLostError("x"))
    pool.settle()
    assert pool.replicas() == []
    show(cluster, sign, "a")
    pool.nodes.refresh(now=True)
    pool.settle()
    (second,) = pool.replicas()
    assert (second.place is first.place) == (sign is None)
    assert cluster.removed == ([first.place] if sign else [])


def test_on_one_node_a_crash_is_the_process_s_own(cluster):
    cluster.alive, called = ["head"], []
    seen = seen_by(cluster)
    seen.refresh()
    judge(Crashes(seen, cluster.now), WorkerCrashedError(), None, called)
    judge(Crashes(seen, cluster.now), EngineLostError("x"), "head", called)
    assert called == ["crashed", "crashed"]


def test_a_job_that_loses_node_after_node_is_charged_in_the_end():
    class Job:
        name, items = "shard", ("one", "two")

    lines, lost = [], EngineLostError("x")
    attempts = Attempts(3, None, {}, lines.append)
    pending, queue = Pending(Job(), {SUBJECT: ANSWERS}), deque()
    for notice in [True] * 50 + [False] * MOST_LOST_NODES:
        assert attempts.after_lost_node(queue, pending, lost, notice) == [pending]
    assert pending.tries == 0
    assert len(lines) == 50 + MOST_LOST_NODES
    assert attempts.after_lost_node(queue, pending, lost, notice=False) == [pending]
    assert pending.tries == 1


def test_the_progress_line_counts_preemptions_apart(tmp_path):
    progress = RunProgress(Console(file=io.StringIO()), forecast_of(tmp_path))
    progress.preempted(0)
    assert progress._line().endswith("0 of 0 rows not ok")
    progress.preempted(1)
    assert progress._line().endswith("0 of 0 rows not ok, 1 preemption")
    progress.preempted(3)
    assert progress._line().endswith("0 of 0 rows not ok, 3 preemptions")
