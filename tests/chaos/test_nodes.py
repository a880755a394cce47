"""Nodes that come and go while a run goes on: lost without a word, drained with notice, joining, all gone at once.

Each test begins a run on one node or two, and disturbs it. The driver is a process that tests share, not this one,
which holds a private Ray for the others.
"""

import random
from multiprocessing import get_context

import chaos
import pytest
from chaos import is_of_one, n_commits, spec, spec_of_one, wait_for
from ray_nodes import ENGINE, cluster, join_on_loopback

SECONDS_PER_CALL = 0.05
ENDS_WITHIN_S = 300


@pytest.fixture(scope="module")
def driver():
    """A process that runs specs, one at a time."""
    with get_context("spawn").Pool(1, join_on_loopback) as pool:
        yield pool


class Running:
    """A run in the driver's process, for ``wait_for``."""

    def __init__(self, driver, content):
        self.result = driver.apply_async(chaos.run, (content,))

    def runs(self):
        return not self.result.ready()

    def text(self):
        return repr(self.result.get(0))


@pytest.fixture
def run(driver):
    """A function that runs a spec while it is disturbed, and returns the lines that it said."""

    def disturbed(content, disturb):
        running = Running(driver, content)
        try:
            disturb(running)
        finally:
            said = running.result.get(ENDS_WITHIN_S)  # its error tells more
        return said

    return disturbed


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """A cluster whose head runs no engine."""
    with cluster(tmp_path_factory.mktemp("nodes")) as found:
        yield found


@pytest.fixture
def nodes(head):
    """The cluster, which a test adds nodes to; afterwards they are lost."""
    yield head
    head.lose_all()


def content(nodes, path, seconds_per_call=SECONDS_PER_CALL, make=spec, **resources):
    made = make(path, seconds_per_call)
    made["resources"] |= {"ray_address": nodes.address, "replicas": 2, **resources}
    return made


def working(path, running, more=3):
    """Wait until the run has made ``more`` commits from now on."""
    goal = n_commits(path) + more
    wait_for(lambda: n_commits(path) >= goal, running)


def test_all_of_it_in_one_run(nodes, run, check, tmp_path):
    """The short form: a node joins and is used, the first is drained, the other is lost without notice, one joins."""
    path, first = tmp_path / "run", nodes.add(cpus=1)

    def disturb(running):
        working(path, running, more=1)
        joined = nodes.add(cpus=1)
        wait_for(lambda: joined.has(ENGINE), running)
        nodes.drain(first, seconds=120)
        wait_for(lambda: not first.has(ENGINE), running)
        first.lose()
        working(path, running, more=1)
        joined.lose()
        nodes.add(cpus=1)

    said = run(content(nodes, path, 10 * SECONDS_PER_CALL, spec_of_one, shard_size=1, in_flight=1), disturb)
    assert "failed" not in said.text()
    assert said.preemptions > 0
    check("a node joins, one is drained, all are lost, and one joins", path, tried=4, wanted=is_of_one)


@pytest.mark.chaos
def test_a_node_is_lost(nodes, run, check, tmp_path):
    """Its engines and tasks are lost with it, and count as preempted: no job is charged with an attempt."""
    path, _, lost = tmp_path / "run", nodes.add(), nodes.add()

    def disturb(running):
        working(path, running)
        wait_for(lambda: lost.has(ENGINE), running)
        lost.lose()

    said = run(content(nodes, path), disturb)
    assert "failed" not in said.text()
    check("a node lost without notice", path)


@pytest.mark.chaos
def test_a_node_joins(nodes, run, check, tmp_path):
    path, _ = tmp_path / "run", nodes.add(cpus=1)
    joined = []

    def disturb(running):
        working(path, running)
        joined.append(nodes.add(cpus=2))
        wait_for(lambda: joined[0].has(ENGINE), running)  # it is used

    run(content(nodes, path, 4 * SECONDS_PER_CALL), disturb)
    check("a node joins in mid-run, and is used", path)


@pytest.mark.chaos
def test_a_node_is_drained(nodes, run, check, tmp_path):
    """With notice: nothing counts as a failure, and nobody waits until the node is gone."""
    path, _, drained = tmp_path / "run", nodes.add(), nodes.add()

    def disturb(running):
        working(path, running)
        wait_for(lambda: drained.has(ENGINE), running)
        nodes.drain(drained, seconds=120)
        wait_for(lambda: not drained.has(ENGINE), running)

    said = run(content(nodes, path, 4 * SECONDS_PER_CALL), disturb)
    assert "failed" not in said.text()
    assert said.preemptions > 0
    check("a node drained with a preemption notice", path)


@pytest.mark.chaos
def test_all_nodes_are_lost_and_new_ones_join(nodes, run, check, tmp_path):
    path, old = tmp_path / "run", [nodes.add(), nodes.add()]

    def disturb(running):
        working(path, running)
        for node in old:
            node.lose()
        nodes.add()

    run(content(nodes, path), disturb)
    check("all nodes lost, and new ones join", path)


@pytest.mark.chaos
def test_ten_nodes_come_and_go(nodes, run, check, tmp_path):
    """A spot fleet on a bad day: each moment some node is lost, drained, preempted or added."""
    path, draw = tmp_path / "run", random.Random("nodes")
    fleet, done = [nodes.add(), nodes.add()], {"lost": 0, "drained": 0, "preempted": 0}

    def disturb(running):
        for turn in range(10):
            working(path, running, more=draw.randint(1, 4))
            node, how = fleet.pop(0), list(done)[turn % 3]
            if how == "lost":
                node.lose()
            elif how == "drained":
                nodes.drain(node, seconds=120)
            else:
                node.preempt()
            done[how] += 1
            fleet.append(nodes.add())

    run(content(nodes, path, 20 * SECONDS_PER_CALL, shard_size=1), disturb)
    assert sum(done.values()) == 10
    check(f"nodes of a fleet: {', '.join(f'{n} {how}' for how, n in done.items())}", path, tried=10)
