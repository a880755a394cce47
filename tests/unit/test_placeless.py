"""Engines that no node can ever hold wait as long as the spec says, and are then given up by name."""

import pytest

from cotfaith.cluster.fleet import placeless
from cotfaith.cluster.fleet.autoscaler import Autoscaler
from cotfaith.cluster.fleet.deployments import Deployment
from cotfaith.cluster.fleet.placeless import Placeless

M, E = Deployment("subject", "m"), Deployment("editor", "e")
GPU, CPU = {"CPU": 1.0, "GPU": 1.0}, {"CPU": 1.0}
SMALL, LARGE = {"CPU": 4.0, "memory": 1e9}, {"CPU": 8.0, "GPU": 2.0}


class Watch:
    """A watch with a clock of its own, in minutes."""

    def __init__(self, monkeypatch, minutes=None, found=None):
        self.now, self.lines = 0.0, []
        monkeypatch.setattr(placeless, "monotonic", lambda: 60 * self.now)
        self.placeless = Placeless(minutes, self.lines.append, lambda: found or Autoscaler(False))

    def at(self, now, waiting, *nodes):
        self.now = now
        return self.placeless.overdue(waiting, nodes)


def test_it_says_what_is_missing_once_and_gives_up_when_the_time_is_over(monkeypatch):
    watch = Watch(monkeypatch)
    assert watch.at(0, {M: GPU}, SMALL) == watch.at(9.9, {M: GPU}, SMALL) == {}
    assert watch.lines == [
        "No node of the cluster can hold the engine of model 'm', which asks for 1 CPUs and 1 GPUs. "
        "Waiting up to 10 minutes for one (resources.wait_minutes)."
    ]
    reason = watch.at(10, {M: GPU}, SMALL)[M]
    assert reason.startswith("No node of the cluster can hold the engine of model 'm'")
    assert reason.endswith("No node that can came within 10 minutes.")
    assert len(watch.lines) == 1


@pytest.mark.parametrize(
    ("minutes", "found", "limit", "said"),
    [
        (None, Autoscaler(True), 30, "The cluster starts nodes by itself. Waiting up to 30 minutes"),
        (None, Autoscaler(True, (SMALL, LARGE)), 30, "The cluster starts nodes by itself. Waiting up to 30 minutes"),
        (None, Autoscaler(True, (SMALL,)), 30, "by itself, but declares none that can. Waiting up to 30 minutes"),
        (2.5, Autoscaler(True), 2.5, "Waiting up to 2.5 minutes"),
        (60, Autoscaler(False), 60, "Waiting up to 60 minutes"),
    ],
)
def test_the_wait_is_the_specs_or_depends_on_who_starts_nodes(monkeypatch, minutes, found, limit, said):
    watch = Watch(monkeypatch, minutes, found)
    assert watch.at(0, {M: GPU}) == watch.at(limit - 0.1, {M: GPU}) == {}
    assert said in watch.lines[0]
    assert watch.at(limit, {M: GPU}).keys() == {M}


def test_no_wait_at_all(monkeypatch):
    watch = Watch(monkeypatch, 0)
    assert watch.at(0, {M: GPU}, SMALL).keys() == {M}
    assert watch.lines == []


def test_a_node_that_could_hold_it_starts_the_wait_anew(monkeypatch):
    watch = Watch(monkeypatch)
    watch.at(0, {M: GPU})
    assert watch.at(9, {M: GPU}, LARGE) == watch.at(500, {M: GPU}, LARGE) == {}  # it may be full: that may change
    assert watch.at(501, {M: GPU}, SMALL) == watch.at(510, {M: GPU}, SMALL) == {}
    assert len(watch.lines) == 2
    assert watch.at(511, {M: GPU}, SMALL).keys() == {M}


@pytest.mark.parametrize(
    ("waiting", "nodes", "over"),
    [
        ({M: GPU, E: GPU}, [LARGE], set()),
        ({M: GPU, E: GPU}, [{"CPU": 8, "GPU": 1}], {M}),
        ({M: GPU, E: GPU}, [{"CPU": 8, "GPU": 1}] * 2, set()),
        ({M: GPU, E: {"GPU": 0.5}}, [{"CPU": 8, "GPU": 1.5}], set()),
        ({M: CPU, E: GPU}, [SMALL], {E}),
        ({M: {"CPU": 5.0}}, [SMALL, SMALL], {M}),
        ({E: GPU}, [{"GPU": 1.0, "CPU": 1.0}], set()),
        ({M: {}}, [SMALL], set()),
        ({M: {}}, [], {M}),
    ],
)
def test_what_counts_as_a_place(monkeypatch, waiting, nodes, over):
    watch = Watch(monkeypatch)
    watch.at(0, waiting, *nodes)
    assert watch.at(99, waiting, *nodes).keys() == over


def test_engines_that_are_too_many_together_are_named(monkeypatch):
    watch = Watch(monkeypatch)
    watch.at(0, {M: GPU, E: GPU}, {"CPU": 8, "GPU": 1})
    assert watch.lines[0].startswith(
        "The cluster cannot hold model 'm' beside editor 'e': together they ask for 2 CPUs and 2 GPUs. Waiting"
    )
