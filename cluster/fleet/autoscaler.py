"""Whether the cluster starts nodes by itself, and which it can start, as Ray's own tables say.

Out: the resources of the node types that an autoscaler declares, if Ray knows them; a cluster that is only observed
(``ray start`` by hand, a private Ray) has no autoscaler. What is not known counts as none: it decides only how long a
run waits, and what it says.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray.exceptions import RayError

_STATUS = b"__autoscaling_status"
_OBSERVED = "node_"
"""What the types of nodes begin with if Ray's monitor only observes them."""


@dataclass(frozen=True)
class Autoscaler:
    """What is known about the cluster's autoscaler."""

    present: bool
    declared: tuple[Mapping[str, float], ...] = ()
    """Resources of each node type that it can start, if Ray knows them."""


def find_autoscaler() -> Autoscaler:
    """Ask the cluster that this process is connected to."""
    try:
        declared = _declared()
        return Autoscaler(bool(declared) or _is_reported(), declared)
    except (RayError, ValueError, AttributeError):  # the head is busy, or says it in another way
        return Autoscaler(False)


def _declared() -> tuple[Mapping[str, float], ...]:
    from ray._private.state import state

    tables: Any = state
    config = tables.get_cluster_config()
    groups = () if config is None else config.node_group_configs
    return tuple(dict(group.resources) for group in groups if group.max_count)


def _is_reported() -> bool:
    """Return whether an autoscaler with node types of its own has reported its state."""
    from ray._private.worker import global_worker

    worker: Any = global_worker
    found = worker.gcs_client.internal_kv_get(_STATUS, None)
    report = (json.loads(found) if found else {}).get("autoscaler_report") or {}
    types = {*report.get("active_nodes", ()), *(name for _, name, *_ in report.get("pending_nodes", ()))}
    return any(not name.startswith(_OBSERVED) for name in types)
