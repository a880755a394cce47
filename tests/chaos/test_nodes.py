"""Nodes that come and go while a run goes on: lost without a word, drained with notice, joining, all gone at once.

Each test begins a run on one node or two, and disturbs it. The driver is this process, which joins the cluster.
"""

import random
from contextlib import contextmanager
from threading import Thread

import pytest
from chaos import n_commits, run, spec, wait_for
from ray_nodes import ENGINE, cluster

SECONDS_PER_CALL = 0.05
pytestmark = pytest.mark.usefixtures("no_ray", "reference")


@pytest.fixture(scope="module")
def head(reference, no_ray, tmp_path_factory):
    """A cluster whose head runs no engine."""
    with cluster(tmp_path_factory.mktemp("nodes")) as found:
        yield found


@pytest.fixture
def nodes(head):
    """The cluster, which a test adds nodes to; afterwards they are lost."""
    yield head
    head.lose_all()


def content(nodes, path, seconds_per_call=SECONDS_PER_CALL, **resources):
    made = spec(path, seconds_per_call)
    made["resources"] |= {"ray_address": nodes.address, "replicas": 2, **resources}
    return made


@contextmanager
def disturbing(disturb):
    """Do ``disturb`` in a thread while the context runs the driver; raise what it raised."""
    raised = []

    def act():
        try:
            disturb()
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=act, daemon=True)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive(), "the disturbance is not over"
    if raised:
        raise raised[0]


def working(path, more=3):
    """Wait until the run has made ``more`` commits from now on."""
    goal = n_commits(path) + more
    wait_for(lambda: n_commits(path) >= goal)


def test_a_node_is_lost(nodes, check, tmp_path):
    path, _, lost = tmp_path / "run", nodes.add(), nodes.add()

    def disturb():
        working(path)
        wait_for(lambda: lost.has(ENGINE))
        lost.lose()

    with disturbing(disturb):
        run(content(nodes, path))
    check("a node lost without notice", path)


def test_a_node_joins(nodes, check, tmp_path):
    path, _ = tmp_path / "run", nodes.add(cpus=1)
    joined = []

    def disturb():
        working(path)
        joined.append(nodes.add(cpus=2))
        wait_for(lambda: joined[0].has(ENGINE))  # it is used

    with disturbing(disturb):
        run(content(nodes, path, 4 * SECONDS_PER_CALL))
    check("a node joins in mid-run, and is used", path)


def test_a_node_is_drained(nodes, check, tmp_path):
    """With notice: nothing counts as a failure, and nobody waits until the node is gone."""
    path, _, drained = tmp_path / "run", nodes.add(), nodes.add()

    def disturb():
        working(path)
        wait_for(lambda: drained.has(ENGINE))
        nodes.drain(drained, seconds=120)
        wait_for(lambda: not drained.has(ENGINE))

    with disturbing(disturb):
        said = run(content(nodes, path, 4 * SECONDS_PER_CALL))
    assert "failed" not in said.text()
    check("a node drained with a preemption notice", path)


def test_all_nodes_are_lost_and_new_ones_join(nodes, check, tmp_path):
    path, old = tmp_path / "run", [nodes.add(), nodes.add()]

    def disturb():
        working(path)
        for node in old:
            node.lose()
        nodes.add()

    with disturbing(disturb):
        run(content(nodes, path))
    check("all nodes lost, and new ones join", path)


@pytest.mark.chaos
def test_ten_nodes_come_and_go(nodes, check, tmp_path):
    """A spot fleet on a bad day: each moment some node is lost, drained, preempted or added."""
    path, draw = tmp_path / "run", random.Random("nodes")
    fleet, done = [nodes.add(), nodes.add()], {"lost": 0, "drained": 0, "preempted": 0}

    def disturb():
        for turn in range(10):
            working(path, more=draw.randint(1, 4))
            node, how = fleet.pop(0), list(done)[turn % 3]
            if how == "lost":
                node.lose()
            elif how == "drained":
                nodes.drain(node, seconds=120)
            else:
                node.preempt()
            done[how] += 1
            fleet.append(nodes.add())

    with disturbing(disturb):
        run(content(nodes, path, 6 * SECONDS_PER_CALL))
    assert sum(done.values()) == 10
    check(f"nodes of a fleet: {', '.join(f'{n} {how}' for how, n in done.items())}", path, tried=10)
