"""A process that keeps everything that a command starts below itself, so that nothing of it can be lost from sight.

In: a command line. Linux gives it the orphans of its descendants (a "child subreaper"), so Ray's processes stay its
descendants when their driver is killed. Line 1 of its output is the command's process id; the next, when the command
has ended, its return code. It ends when nothing is left below it. If its own parent dies, it kills everything. Imports
only the standard library, to start quickly.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main() -> None:
    """Run the command; collect every process that ends below this one."""
    signal.signal(signal.SIGTERM, kill_all)
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_CHILD_SUBREAPER, 1), (_PR_SET_PDEATHSIG, signal.SIGTERM)):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    report, errors = int(sys.argv[1]), int(sys.argv[2])
    command = subprocess.Popen(sys.argv[3:], stdin=0, stdout=errors, stderr=errors)
    os.write(report, f"{command.pid}\n".encode())
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return
        if pid == command.pid:
            with contextlib.suppress(BrokenPipeError):
                os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def kill_all(*_: object) -> None:
    """Kill -9 everything below this process."""
    from process_tree import kill_below

    while kill_below(os.getpid()):
        time.sleep(0.02)


if __name__ == "__main__":
    main()
