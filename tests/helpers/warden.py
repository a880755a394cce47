"""A process that keeps everything that a command starts below itself, so that nothing of it can be lost from sight.

In: a command line. Linux gives it the orphans of its descendants (a "child subreaper"), so Ray's processes stay its
descendants when their driver is killed. Line 1 of its output is the command's process id; the next, when the command
has ended, its return code. It ends when nothing is left below it. Imports only the standard library, to start quickly.
"""

import ctypes
import os
import subprocess
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Run the command; collect every process that ends below this one."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
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
            os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
