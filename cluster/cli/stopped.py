"""What a run that stopped before its end says last: how to go on. And its exit code.

In: what asked it to stop, and the command's arguments. Out: a line that can be pasted into a shell.
"""

import math
import shlex
from collections.abc import Sequence

from cotfaith.cluster.fleet.stopping import Stopping

STOPPED = 3
"""The exit code after a limit. Signals have those of shells: 128 and the signal's number."""
_MAX_COST = "--max-cost"


def resume_line(arguments: Sequence[str], stopping: Stopping) -> str:
    """Return the command that goes on; one that may not cost more gets as much money again."""
    again = list(arguments)
    if stopping.max_cost is not None and stopping.is_spent:
        again = _with_more(again, f"{math.ceil(100 * (stopping.cost + stopping.max_cost)) / 100:g}")
    return f"To continue: {shlex.join(['cotfaith', *again])}"


def _with_more(arguments: Sequence[str], cost: str) -> list[str]:
    found = list(arguments)
    for at, word in enumerate(found):
        if word == _MAX_COST:
            found[at + 1] = cost
        elif word.startswith(f"{_MAX_COST}="):
            found[at] = f"{_MAX_COST}={cost}"
    return found
