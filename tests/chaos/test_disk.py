"""A disk that is full: the run stops with code 1 and says so, and goes on when there is room."""

import os
import subprocess

import pytest
from chaos import run, spec, to_the_end
from commands import in_process, write_spec

SMALL, LARGE = "300k", "50m"


@pytest.fixture
def disk(tmp_path):
    """A file system in memory of the size ``SMALL``, and a function that sets another size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or mount("-t", "tmpfs", "-o", f"size={SMALL}", "none", folder):
        pytest.skip("only root can mount a small file system")
    yield folder, lambda size: mount("-o", f"remount,size={size}", folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


def mount(*arguments):
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode


@pytest.mark.usefixtures("shared_ray")
def test_a_full_disk(disk, check, tmp_path):
    """The short form, on this process's Ray."""
    folder, resize = disk
    done = in_process("run", write_spec(tmp_path, spec(folder / "run")), width=500)
    check_stopped(done.returncode, done.stdout + done.stderr, folder)
    assert resize(LARGE) == 0
    run(spec(folder / "run"))
    check("disk full, then room is made", folder / "run")


@pytest.mark.chaos
def test_a_disk_that_fills_several_times(disk, check, tmp_path):
    folder, resize = disk
    for n, size in enumerate(("300k", "500k", "600k")):
        assert resize(size) == 0
        code, said = to_the_end(tmp_path, spec(folder / "run"))
        check_stopped(code, said, folder)
        assert not list(folder.rglob(".tmp-*")), f"temporary files are left after stop {n}"
    assert resize(LARGE) == 0
    code, said = to_the_end(tmp_path, spec(folder / "run"))
    assert code == 0, said
    check("disk full, then room is made", folder / "run", tried=3)


def check_stopped(code, said, folder):
    assert code == 1, said
    assert "Traceback" not in said
    assert any("No space left on device" in line and str(folder) in line for line in said.splitlines()), said
