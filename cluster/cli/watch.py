"""``cotfaith watch-preemption``: run beside each spot node; it drains the node when the cloud announces its end.

Exit codes: 0 the node was drained, 1 the cluster did not accept that in time, 2 bad input.
"""

import time
from typing import Annotated

import typer

from cotfaith.cluster.cli.consoles import out
from cotfaith.cluster.terminal import plain_text


def watch_preemption(
    cloud: Annotated[str, typer.Option(help="Whose notices: aws or gcp.", show_default=False)],
    metadata_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The metadata server; default: the cloud's own.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The Ray cluster; default: the one that runs here.")
    ] = None,
    node_id: Annotated[
        str | None, typer.Option(metavar="HEX", help="The Ray node to drain; default: the one on this machine.")
    ] = None,
) -> None:
    """Wait for the cloud's preemption notice, drain this machine's Ray node, and exit."""
    from cotfaith.cluster.fleet.drain import drain
    from cotfaith.cluster.fleet.spot_notice import source, wait_for_notice

    notice = wait_for_notice(source(cloud, metadata_url, _say), _say)
    _say(f"{notice.reason} (in {max(0.0, notice.ends_s - time.time()):.0f} s).")
    node = drain(address, node_id, notice, _say)
    _say(f"Node {node} drains.")


def _say(text: str) -> None:
    out.print(plain_text(text), markup=False, soft_wrap=True)
