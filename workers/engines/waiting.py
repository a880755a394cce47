"""How torch's threads wait for each other: asleep. It must be set before torch is imported.

A parallel sum or product ends when the last thread has done its part. By default (OpenMP of GCC, which torch's wheels
bring) the others wait for it in a loop that keeps their cores busy for milliseconds. Beside another busy process the
last thread then waits for a core, which the waiting ones hold; with two engines on the same cores each step can take
tens of times as long. Threads that sleep give up their core at once. docs/resources.md has measured ratios.
"""

import os

VARIABLE = "OMP_WAIT_POLICY"


def wait_asleep() -> None:
    """Let the threads of this process's OpenMP sleep when they wait; what the user has set is kept."""
    if not any(name in os.environ for name in (VARIABLE, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")):
        os.environ[VARIABLE] = "PASSIVE"
