"""A process that holds a local Ray of one node whose metrics can be scraped, until its standard input ends.

It prints "address HOST:PORT" and "metrics URL". All on loopback. It needs the packages of ``ray[default]``: without
them Ray's agent serves no metrics.
"""

import os
import socket
import sys

SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_metrics_report_interval_ms": "500",  # not 10 s
}
OBJECT_STORE_BYTES = 80 * 1024 * 1024


def main() -> None:
    """Start the node, and wait."""
    os.environ |= SETTINGS
    from ray.cluster_utils import Cluster

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = Cluster()
    cluster.add_node(
        num_cpus=2,
        node_ip_address="127.0.0.1",
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        metrics_export_port=port,
    )
    print("address", cluster.address, flush=True)
    print("metrics", f"http://127.0.0.1:{port}/metrics", flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
