"""Cores of its own for each engine that computes on the CPU: torch's threads stay on them.

In: how many cores. Out: cores that no other engine of this user holds, and the calling thread moved to them; threads
that it starts later stay there too. A core is held by a lock on a file, which the system frees when the process ends,
however it ends; so engines of different runs on one machine do not meet. Only cores that this process may use count.

The machine is not ours if its container has a limit of CPU time (``cpu.max``): that limit is a share of all cores,
which other containers use as well, and whose locks are not seen here. Then nothing is pinned.

Knows nothing about torch.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PLACES = Path("/sys/devices/system")
CGROUPS = Path("/sys/fs/cgroup")
_held: list[int] = []
"""The locks' handles, open as long as this process."""


@dataclass(frozen=True)
class Pinned:
    """The cores that this thread was moved to."""

    cores: tuple[int, ...] = ()
    """Empty: it may still use all."""
    why_not: str = ""
    """Why it was not moved; "" if it was."""


def pin(count: int, folder: Path | None = None) -> Pinned:
    """Move the calling thread to ``count`` free cores; ``folder``: the locks, by default one of this user.

    It is not an error if that cannot be done: results are the same, and other processes only take more of its time.
    """
    if not hasattr(os, "sched_setaffinity"):
        return Pinned(why_not="this system cannot pin threads")
    allowed = os.sched_getaffinity(0)
    limit = cpu_limit()
    if limit is not None and limit < len(allowed):
        return Pinned(why_not=f"the limit of {limit:g} CPUs is a share of the time of {len(allowed)} cores")
    try:
        cores = take(count, allowed, folder or locks_folder())
    except OSError as error:
        return Pinned(why_not=f"the locks of cores cannot be used: {error}")
    if not cores:
        return Pinned(why_not=f"{count} of {len(allowed)} cores are not free of other engines")
    os.sched_setaffinity(0, cores)
    return Pinned(cores)


def locks_folder() -> Path:
    """Return this user's folder of locks; raise ``OSError`` if another user could have made it."""
    folder = Path(tempfile.gettempdir()) / f"cotfaith-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def take(count: int, allowed: Collection[int], folder: Path) -> tuple[int, ...]:
    """Hold ``count`` of the allowed cores until this process ends; () if fewer are free, and then none is held."""
    with (folder / "all.lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        handles = {core: handle for core in allowed if (handle := _lock(folder / f"core-{core}.lock")) is not None}
        chosen = choose(count, sorted(handles), nodes(), {core: sibling(core) for core in handles})
        for core, handle in handles.items():
            if core in chosen:
                _held.append(handle)
            else:
                os.close(handle)
    return chosen


def _lock(path: Path) -> int | None:
    """Return the handle of a new lock; None if another process holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def choose(
    count: int, free: Sequence[int], near: Iterable[Collection[int]], siblings: Mapping[int, int]
) -> tuple[int, ...]:
    """Return ``count`` of the free cores, near the same memory if they can be; () if there are fewer.

    Of the memory nodes with room, the fullest is used, so that a larger engine finds room later. A processor's core
    that computes as two is used once before any is used twice (``siblings``: core -> 0 for the first of the two).
    """
    if count > len(free):
        return ()
    rooms = sorted(([core for core in free if core in node] for node in near), key=len)
    room = next((room for room in rooms if len(room) >= count), list(free))
    return tuple(sorted(sorted(room, key=lambda core: (siblings.get(core, 0), core))[:count]))


def nodes(places: Path = PLACES) -> list[set[int]]:
    """Return the cores near each part of the memory; [] where the system does not tell."""
    return [parse_cores(text) for path in sorted(places.glob("node/node*/cpulist")) if (text := _read(path))]


def sibling(core: int, places: Path = PLACES) -> int:
    """Return this core's place among those that share one processor core."""
    together = sorted(parse_cores(_read(places / f"cpu/cpu{core}/topology/thread_siblings_list")))
    return together.index(core) if core in together else 0


def parse_cores(text: str) -> set[int]:
    """Return the cores of a list such as 0-3,8."""
    ranges = [(int(first), int(last or first)) for first, last in re.findall(r"(\d+)(?:-(\d+))?", text)]
    return {core for first, last in ranges for core in range(first, last + 1)}


def cpu_limit(cgroups: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> float | None:
    """Return the CPUs whose time this process's container may use; None without a limit."""
    groups = [line.split(":", 2)[2].strip("/") for line in _read(own).splitlines() if line.startswith("0::")]
    folders = [cgroups / group for group in groups for group in (group, *map(str, Path(group).parents))]
    limits = [limit for folder in (*folders, cgroups) if (limit := _limit(folder)) is not None]
    return min(limits, default=None)


def _limit(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").partition(" ")  # version 2 of control groups
    if not quota:
        quota, period = _read(folder / "cpu/cpu.cfs_quota_us"), _read(folder / "cpu/cpu.cfs_period_us")
    has_limit = quota.strip().isdigit() and period.strip().isdigit()
    return int(quota) / int(period) if has_limit else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
