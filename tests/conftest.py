"""Shared by all tiers: quiet Ray, the material of build machines, small specs."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from commands import click_command
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("POLARS_MAX_THREADS", "1")  # tables are tiny here: more threads only wait for one another
os.environ.pop("COLUMNS", None)  # a console that is made while it is set keeps that width

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

REPO = Path(__file__).parents[1]
ACTORS = 4  # places for engines of one CPU, on any machine


class HeldRay:
    """A local Ray of this process, started at its first use. Its workers stay, with the modules they have imported."""

    def __init__(self):
        self.stack = ExitStack()

    def up(self):
        import ray

        from cotfaith.cluster.fleet.ray_session import ray_session

        if not ray.is_initialized():
            self.stack.enter_context(ray_session(None, cpus=ACTORS))

    def down(self):
        self.stack.close()


@pytest.fixture(scope="session")
def held_ray():
    """One Ray that tests share; it ends before a test that starts a Ray of its own."""
    held = HeldRay()
    yield held
    held.down()


@pytest.fixture(scope="module")
def shared_ray(held_ray):
    """Commands and drivers of this process find a running Ray."""
    held_ray.up()


@pytest.fixture(scope="module")
def no_ray(held_ray):
    """This process has no Ray."""
    held_ray.down()


@pytest.fixture
def cli(monkeypatch, capsys):
    """A function that runs a command line in this process, 80 columns wide: (exit code, stdout, stderr)."""
    from cotfaith.cluster.cli import app as cli

    monkeypatch.setattr(cli, "app", click_command())
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["cotfaith", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that build machines have beside the checkout."""
    folder = REPO.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the material of the build machines (../shared) is not here")
    return folder
