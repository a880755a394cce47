"""Whether each node of a joined cluster sees what the driver sees: the run's folder, and the folders of models.

In: a plan and its store. Out: a ``Sight``, which each process of the run can check; at the start every node is asked,
and each process checks it before its first job, because nodes join later. A path that leads to another folder on a node
would scatter the results. The driver writes an object of a new name into the run's folder, and removes it at the end.
"""

import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cotfaith.cluster.fleet.error_text import first_line
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.portable import model_path
from cotfaith.cluster.storage.store import Store, absolute, open_store
from cotfaith.schemas.errors import CotfaithError, SpecError

_PREFIX = ".seen-"
_ANSWERS_WITHIN_S = 120.0
"""A node that has not answered by then is checked before its first job."""
_MOST_NAMED = 5
_WAYS = (
    "Use an output.path that all nodes share, or s3://bucket/prefix; take models from s3:// or the hub, or copy them "
    "to the same path on each node."
)


@dataclass(frozen=True)
class Sight:
    """What a process of the run must see."""

    path: str
    """The run's folder, as an absolute path, or its address."""
    key: str
    """An object there."""
    models: tuple[tuple[str, str], ...]
    """Id and absolute folder of each model whose weights are in one."""

    def missing(self) -> list[str]:
        """Return what this process does not see, in words."""
        lost = [f"models.{name}.source: {path} is no folder" for name, path in self.models if not Path(path).is_dir()]
        try:
            seen = open_store(self.path).get(self.key) is not None
        except CotfaithError as error:
            return [f"output.path: {first_line(error)}", *lost]
        return lost if seen else [f"output.path: {self.path} is not the driver's folder", *lost]


def shown(plan: Plan, store: Store) -> AbstractContextManager[Sight]:
    """Show the run's folder to all nodes; yield what later processes check.

    Raises:
        SpecError: a node does not see it, or lacks the folder of a model.

    """
    models = tuple((one.id, str(path)) for one in plan.spec.models if (path := model_path(one)) is not None)
    return folder_shown(plan.spec.output.path, store, models)


@contextmanager
def folder_shown(path: str, store: Store, models: Sequence[tuple[str, str]] = ()) -> Iterator[Sight]:
    """Show a run's folder to all nodes, as ``shown`` does; ``models``: as in ``Sight``."""
    sight = Sight(absolute(path), f"{_PREFIX}{uuid.uuid4().hex}", tuple(models))
    store.put(sight.key, b"seen")
    try:
        _check_nodes(sight)
        yield sight
    finally:
        with suppress(CotfaithError):
            store.delete(sight.key)


@cache
def check_sight(sight: Sight) -> None:
    """Raise ``SpecError`` if this process does not see the run; once it does, it is not asked again."""
    if lost := sight.missing():
        raise SpecError(f"Node {socket.gethostname()} does not see what the driver sees: {'; '.join(lost)}. {_WAYS}")


def _check_nodes(sight: Sight) -> None:
    cluster: Any = ray
    nodes = {node["NodeID"]: node for node in cluster.nodes() if node["Alive"]}
    blind = {_words(nodes[node]): lost for node, lost in _ask(sight, list(nodes)).items() if lost}
    if blind:
        lines = [f"  {name}: {'; '.join(lost)}" for name, lost in sorted(blind.items())]
        more = [f"  ... and {len(lines) - _MOST_NAMED} more"] if len(lines) > _MOST_NAMED else []
        raise SpecError(
            "\n".join(
                [
                    f"{len(blind)} of {len(nodes)} nodes do not see what the driver sees:",
                    *lines[:_MOST_NAMED],
                    *more,
                    _WAYS,
                ]
            )
        )


def _ask(sight: Sight, nodes: Sequence[str]) -> dict[str, list[str]]:
    """Return node -> what it does not see, for the nodes that answer."""
    look: Any = ray.remote(_look)
    asked = {
        look.options(
            num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
        ).remote(sight): node
        for node in nodes
    }
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWERS_WITHIN_S)
    return {asked[reference]: _answer(reference) for reference in ready}


def _answer(reference: Any) -> list[str]:
    try:
        found: list[str] = ray.get(reference)
    except RayTaskError as error:
        return [first_line(error, last=True)]
    except RayError:  # the node is gone
        return []
    return found


def _look(sight: Sight) -> list[str]:
    return sight.missing()


def _words(node: Mapping[str, Any]) -> str:
    return f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"
