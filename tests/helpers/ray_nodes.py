"""A local Ray cluster of several nodes that come and go, in processes of its own (``ray_host``). Linux only."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ray_host
from process_tree import Tree, below, running
from ray_host import QUIET

STARTS_WITHIN_S = 120
ENGINE = "ray::EngineActor"


@dataclass(frozen=True)
class Node:
    """One worker node."""

    index: int
    raylet: int
    """Its process, which all its workers are below."""
    id: str

    def has(self, title: str) -> bool:
        """Return whether a process whose title begins with ``title`` lives on the node."""
        return any(process.title.startswith(title) for process in below(self.raylet))

    def alive(self) -> bool:
        """Return whether its raylet lives."""
        return any(process.pid == self.raylet for process in below(os.getpid()))

    def lose(self) -> None:
        """Kill -9 all its processes: the machine is gone without a word."""
        for pid in [self.raylet, *(process.pid for process in below(self.raylet))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def preempt(self) -> None:
        """Send its raylet SIGTERM, as a machine that is shut down does."""
        os.kill(self.raylet, signal.SIGTERM)


class Nodes:
    """The cluster."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._added: list[Node] = []
        self.address = self._answer(r"address (\S+)")[0]

    def add(self, cpus: int = 2) -> Node:
        """Start a node; return it when it has joined."""
        self._tree.tell(f"add {cpus}")
        raylet, node_id = self._answer(rf"node {len(self._added)} (\d+) (\w+)")
        self._added.append(Node(len(self._added), int(raylet), node_id))
        return self._added[-1]

    def lose_all(self) -> None:
        """Kill -9 all nodes but the head."""
        for node in self._added:
            if node.alive():
                node.lose()

    def drain(self, node: Node, seconds: float) -> None:
        """Give notice that the node will be gone in ``seconds``; it is still there afterwards."""
        self._tree.tell(f"drain {node.index} {seconds}")
        self._answer(rf"(drained {node.index})\b")

    def _answer(self, pattern: str) -> tuple[str, ...]:
        end = time.monotonic() + STARTS_WITHIN_S
        while not (found := re.search(f"^{pattern}$", self._tree.text(), re.MULTILINE)):
            assert self._tree.runs() and time.monotonic() < end, self._tree.text()[-3000:]  # noqa: PT018
            time.sleep(0.05)
        return found.groups()


def join_on_loopback() -> None:
    """Prepare a process that joins the cluster. Call it before Ray is imported: else Ray replaces 127.0.0.1."""
    assert "ray" not in sys.modules, "Ray is imported"
    os.environ.update(QUIET)


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Nodes]:
    """Hold a cluster that has only its head node, which has no CPUs."""
    with running([sys.executable, ray_host.__file__], folder / "nodes.said") as tree:
        nodes = Nodes(tree)
        yield nodes
        tree.tell("end")  # else the file by which Ray finds "the" cluster would go on naming this one
        tree.wait(60)
