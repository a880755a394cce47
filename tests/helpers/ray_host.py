"""A process that holds a local Ray cluster of several nodes, and does what its standard input says, a line at a time.

    add CPUS            start a node; prints "node INDEX RAYLET_PID NODE_ID"
    drain INDEX S       tell Ray that the node will be preempted in S seconds; prints "drained INDEX"
    end                 end the cluster

It prints "address HOST:PORT" first. The head node has no CPUs, so no engine is ever on it. All on loopback.
"""

import os
import sys
import time

FAST = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "300",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""The loss of a node is noticed after 0.8 s, and not after 14 s."""
QUIET = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_open_telemetry": "0",
    "RAY_event_stats": "0",
    "RAY_enable_worker_prestart": "0",
}
OBJECT_STORE_BYTES = 80 * 1024 * 1024


def main() -> None:
    """Start the head node, then obey."""
    os.environ |= FAST | QUIET
    from ray.cluster_utils import Cluster

    def node(cpus: int):
        return cluster.add_node(
            num_cpus=cpus,
            node_ip_address="127.0.0.1",
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
        )

    cluster, nodes = Cluster(), []
    node(0)
    say("address", cluster.address)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "add":
            nodes.append(node(int(arguments[0])))
            raylet = nodes[-1].all_processes["raylet"][0].process.pid
            say("node", len(nodes) - 1, raylet, nodes[-1].node_id)
        elif command == "drain":
            drain(cluster.address, nodes[int(arguments[0])].node_id, float(arguments[1]))
            say("drained", arguments[0])
        else:
            cluster.shutdown()
            return


def drain(address: str, node_id: str, seconds: float) -> None:
    """Tell Ray that the node will be preempted."""
    from ray._raylet import GcsClient
    from ray.core.generated import autoscaler_pb2

    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline_ms = int((time.time() + seconds) * 1000)
    accepted, why = GcsClient(address=address).drain_node(node_id, reason, "a test", deadline_ms)
    assert accepted, why


def say(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)


if __name__ == "__main__":
    main()
