"""The scheduler's machines, on Ray: engines and runners are actors, places are placement groups.

What was asked for comes back by callbacks of Ray into one queue, so that waiting costs the same for ten jobs and for
twenty thousand. Runners are kept by node and used again.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic, time
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from cotfaith.cluster.fleet.backend import CameUp, Ended, Event, NodesNow, Used
from cotfaith.cluster.fleet.deployments import Setup
from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.fleet.runner import Runner, Sent, packed
from cotfaith.cluster.fleet.sight import Sight
from cotfaith.workers.actor.remote import EngineActor
from cotfaith.workers.engines.protocol import Capabilities

_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class _Running:
    runner: Any
    node: str | None
    reference: Any


class RayBackend:
    """The cluster that this process is connected to."""

    def __init__(self, plugins: Sequence[str] = (), sight: Sight | None = None, run_id: str = "") -> None:
        self._plugins, self._sight = plugins, sight
        self._run_id = run_id
        """For the logs of engines."""
        self._events: SimpleQueue[Event | tuple[int, Any]] = SimpleQueue()
        self._asked: dict[Any, Any] = {}
        """References that wait for an answer, by what they were asked for."""
        self._running: dict[int, _Running] = {}
        self._idle: defaultdict[str | None, list[Any]] = defaultdict(list)
        """Node -> runners without a job."""
        self._left: set[str] = set()
        self._sent = Sent()
        self._packed: tuple[Job, bytes] | None = None

    def now(self) -> float:
        """Return seconds by a clock that never goes back."""
        return monotonic()

    def start_engine(self, name: str, setup: Setup, plugins: Sequence[str], place: Any) -> Any:
        """Start an engine actor; Ray places it once the cluster has room for it."""
        options: dict[str, Any] = {
            "num_cpus": setup.share.cpus,
            "num_gpus": setup.resources.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        if place is not None:
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(place)
        actor_class: Any = ray.remote(EngineActor)
        about = {"run_id": self._run_id, "model": setup.started.id, "engine": name}
        actor = actor_class.options(**options).remote(setup.started, setup.share.threads, plugins, about)
        self._await(actor.describe.remote(), partial(CameUp, name))
        return actor

    def kill_engine(self, handle: Any) -> None:
        """End an engine actor."""
        ray.kill(handle)

    def node_of(self, handle: Any) -> str | None:
        """Return the node of an actor. One that waits in a node's queue names it too, but has no process there."""
        from ray._private import state

        found: Any = state.actors(handle._actor_id.hex())
        return found["Address"].get("NodeID") or None if found.get("Pid") else None

    def ask_usage(self, name: str, handle: Any) -> None:
        """Ask an engine actor for its totals."""
        self._await(handle.usage.remote(), partial(Used, name))

    def _await(self, reference: Any, event: Callable[[Any], Event]) -> None:
        """Queue the event once the reference has its value, or an error."""
        self._asked[reference] = None
        reference.future().add_done_callback(lambda done: self._events.put((reference, event(_found(done)))))

    def reserve(self, asked: Mapping[str, float]) -> Any:
        """Ask for a placement group of one bundle."""
        return placement_group([dict(asked)])

    def is_made(self, place: Any) -> bool:
        """Return whether Ray has made it; its own ``wait`` gives no answer in time if it must not wait."""
        found: dict[str, Any] = placement_group_table(place)
        return bool(found.get("state") == "CREATED")

    def release(self, place: Any) -> None:
        """Remove a placement group."""
        remove_placement_group(place)

    def size(self, job: Job) -> int:
        """Return the job's bytes, which ``submit`` sends if it is called next with this job."""
        self._packed = (job, packed(job))
        return len(self._packed[1])

    def submit(self, number: int, job: Job, engines: Mapping[str, tuple[Any, Capabilities]], node: str | None) -> None:
        """Run a job in an idle runner of the node, or in a new one there."""
        data = self._packed[1] if self._packed is not None and self._packed[0] is job else packed(job)
        runner = self._idle[node].pop() if self._idle[node] else self._new(node)
        reference = runner.run.remote(data, [self._sent.shared(job)], dict(engines))
        self._running[number] = _Running(runner, node, reference)
        reference.future().add_done_callback(lambda done: self._events.put(Ended(number, _found(done))))

    def _new(self, node: str | None) -> Any:
        strategy = "SPREAD" if node is None else NodeAffinitySchedulingStrategy(node, soft=True)
        runner_class: Any = ray.remote(Runner)
        options = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": strategy}
        return runner_class.options(**options).remote(self._plugins, self._sight)

    def cancel(self, number: int) -> None:
        """End the runner of a job."""
        if (one := self._running.pop(number, None)) is not None:
            ray.kill(one.runner)

    def leave(self, node: str) -> None:
        """End the idle runners of a node that drains, and those that become idle there."""
        self._left.add(node)
        for runner in self._idle.pop(node, []):
            ray.kill(runner)

    def nodes(self) -> NodesNow | None:
        """Return the nodes by Ray's tables; None: there is no Ray, or its head is busy."""
        cluster: Any = ray
        if not ray.is_initialized():
            return None
        try:
            found, leaving = cluster.nodes(), _leaving()
        except RayError:
            return None
        alive = {node["NodeID"]: node["Resources"] for node in found if node["Alive"]}
        return NodesNow(alive, frozenset(node["NodeID"] for node in found if not node["Alive"]), leaving)

    def words(self, asked: Mapping[str, float]) -> str:
        """Return what an engine asks for, of how much the cluster has, in words."""
        cluster: Any = ray
        has, free = cluster.cluster_resources(), cluster.available_resources()
        counts = (f"{n:g} of {has.get(name, 0):g} {name}s ({free.get(name, 0):g} free)" for name, n in asked.items())
        return " and ".join(counts) or "no resources"

    def events(self, timeout_s: float) -> list[Event]:
        """Return what has happened; errors of actors that were ended here are left out by who asked."""
        found: list[Event] = []
        try:
            self._take(self._events.get(timeout=timeout_s), found)
            while True:
                self._take(self._events.get_nowait(), found)
        except Empty:
            return found

    def _take(self, one: Any, found: list[Event]) -> None:
        if isinstance(one, Ended):
            running = self._running.pop(one.number, None)
            if running is not None:  # else it was cancelled
                self._keep(running, one.found)
                found.append(one)
            return
        reference, event = one
        del self._asked[reference]
        if not (isinstance(event, Used) and isinstance(event.usage, Exception)):
            found.append(event)

    def _keep(self, one: _Running, found: Any) -> None:
        """Use the runner again, unless its process ended, or its node will."""
        if (
            isinstance(found, RayError) and not isinstance(found, ray.exceptions.RayTaskError)
        ) or one.node in self._left:
            ray.kill(one.runner)
        else:
            self._idle[one.node].append(one.runner)

    def close(self) -> None:
        """End all runners."""
        for one in self._running.values():
            ray.kill(one.runner)
        for runners in self._idle.values():
            for runner in runners:
                ray.kill(runner)
        self._running.clear()
        self._idle.clear()


def _found(done: Any) -> Any:
    """Return a future's result, or the error that it has instead."""
    error = done.exception()
    return done.result() if error is None else error


def _leaving() -> dict[str, float | None]:
    """Return the seconds that each node that drains has left."""
    from ray._private.worker import global_worker

    worker: Any = global_worker
    found: dict[str, int] = worker.gcs_client.get_draining_nodes(timeout=_TIMEOUT_S)
    return {node: ends_ms / 1000 - time() if ends_ms else None for node, ends_ms in found.items()}
