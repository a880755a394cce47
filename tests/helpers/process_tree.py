"""A command with everything that it starts, which can be found, killed and shown to be gone. Linux only.

In: a command line. Out: ``Tree``. The command runs below a warden (``warden``), so no descendant escapes, whatever
sessions and process groups it makes.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import warden

ENDS_WITHIN_S = 30
LINGERING = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Ray's helpers of a node: when it is killed, they try to tell its control store for 60 s before they end. They do no
work of a run."""


@dataclass(frozen=True)
class Process:
    """One process below a warden."""

    pid: int
    title: str
    """Its command line, or what it calls itself: "ray::EngineActor.call"."""


def below(root: int) -> list[Process]:
    """Return the living descendants of process ``root``, without it."""
    found = {pid: (state, parent) for pid, state, parent in _processes()}
    parents = {pid: parent for pid, (_, parent) in found.items()}  # with the dead, which may still have children
    living = [pid for pid, (state, _) in found.items() if state not in "ZX"]
    return [Process(pid, _title(pid)) for pid in living if pid != root and root in _ancestors(pid, parents)]


def _processes() -> Iterator[tuple[int, str, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                yield int(folder.name), state, int(parent)


def _ancestors(pid: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.add(pid)
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def kill_below(root: int) -> list[Process]:
    """Kill -9 every descendant of ``root`` that is found now; return them. Call it again until none is found."""
    found = below(root)
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return found


class Tree:
    """A running command and its descendants. What it prints goes to the file ``said``."""

    def __init__(self, command: list[str], said: Path, **environment: str) -> None:
        self.said = said
        reading, writing = os.pipe()
        with said.open("ab") as out:
            script = [sys.executable, "-S", "-E", warden.__file__, str(writing), str(out.fileno())]
            self._warden = subprocess.Popen(
                [*script, *command],
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                pass_fds=(writing, out.fileno()),
                start_new_session=True,
            )
        os.close(writing)
        self._report = os.fdopen(reading)
        self.pid = int(self._report.readline())
        """The command's process id."""
        self._code: int | None = None

    def tell(self, line: str) -> None:
        """Send the command a line on its standard input."""
        assert self._warden.stdin is not None
        self._warden.stdin.write(f"{line}\n".encode())
        self._warden.stdin.flush()

    def runs(self) -> bool:
        """Return whether the command itself has not ended."""
        if self._code is None and select.select([self._report], [], [], 0)[0]:
            self._code = int(self._report.readline() or -signal.SIGKILL)  # nothing: the warden was killed too
        return self._code is None

    def wait(self, seconds: float) -> int:
        """Return the command's code once it has ended; kill everything and fail after ``seconds``."""
        end = time.monotonic() + seconds
        while self.runs():
            if time.monotonic() > end:
                self.end()
                raise AssertionError(f"it did not end in {seconds} s. It said: {self.text()[-3000:]}")
            time.sleep(0.05)
        assert self._code is not None
        return self._code

    def text(self) -> str:
        """Return what the command and its descendants have printed."""
        return self.said.read_text(errors="replace")

    def all(self) -> list[Process]:
        """Return the living processes: the command and its descendants."""
        return below(self._warden.pid)

    def named(self, title: str) -> list[int]:
        """Return the processes whose title contains ``title``."""
        return [process.pid for process in self.all() if title in process.title]

    def signal(self, number: int) -> None:
        """Send only the command a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9 the command only, as the kernel or a person would; its descendants are on their own."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def gone(self, seconds: float = ENDS_WITHIN_S, but: tuple[str, ...] = LINGERING) -> bool:
        """Return whether all descendants end by themselves within ``seconds``, except those with a title in ``but``."""
        end = time.monotonic() + seconds
        while any(process.title not in but for process in self.all()):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def end(self) -> None:
        """Kill -9 everything. Afterwards nothing is left, or this fails. Safe to call again."""
        end = time.monotonic() + ENDS_WITHIN_S
        while self._warden.poll() is None:  # it ends after the last of them
            left = kill_below(self._warden.pid)
            assert time.monotonic() < end, f"these do not end: {left}"
            time.sleep(0.02)
        with contextlib.suppress(OSError):
            self._warden.stdin.close()  # type: ignore[union-attr]


@contextlib.contextmanager
def running(command: list[str], said: Path, **environment: str) -> Iterator[Tree]:
    """Run ``command``; at the end of the context everything that it started is killed."""
    tree = Tree(command, said, **environment)
    try:
        yield tree
    finally:
        tree.end()
