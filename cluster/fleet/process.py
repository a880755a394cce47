"""This process's name among all processes of all machines, and whether a process of that name has ended.

Linux says what is needed. Elsewhere parts of the name are null, and no process is taken to have ended.
"""

import os
import socket
from pathlib import Path

from cotfaith.schemas.run_objects import ProcessEntry

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE, _START_TICKS = 0, 19
"""Places of the fields in /proc/PID/stat, counted from the one after the command's name."""
_DEAD_STATES = "ZXx"


def this_process() -> ProcessEntry:
    """Return the name of this process."""
    found = _stat(os.getpid())
    return ProcessEntry(
        host=socket.gethostname() or "unknown",
        pid=os.getpid(),
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
        start_ticks=None if found is None else int(found[_START_TICKS]),
    )


def has_ended(process: ProcessEntry) -> bool:
    """Return whether a process of this machine has ended; False for one that cannot be seen from here.

    Processes in other containers, and those before this machine started, cannot be seen.
    """
    return _is_of_here(process) and (not _exists(process.pid) or _is_another(process))


def is_here(process: ProcessEntry) -> bool:
    """Return whether a process of this machine is seen to live; False for one that cannot be seen from here."""
    found = _stat(process.pid) if _is_of_here(process) else None
    return found is not None and not _is_another(process)


def _is_of_here(process: ProcessEntry) -> bool:
    """Return whether the process is of this machine, container and boot."""
    if process.boot_id is None or process.pid_namespace is None or process.start_ticks is None:
        return False
    here = (socket.gethostname(), _boot_id(), _pid_namespace())
    return (process.host, process.boot_id, process.pid_namespace) == here


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _is_another(process: ProcessEntry) -> bool:
    """Return whether the process of this number is dead and not yet removed, or has started later."""
    found = _stat(process.pid)
    if found is None:  # hidden, or just ended
        return False
    return found[_STATE] in _DEAD_STATES or int(found[_START_TICKS]) != process.start_ticks


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the command's name, which may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text().strip() or None
    except OSError:
        return None


def _pid_namespace() -> str | None:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
