"""Shared by the tests of what is released: git, without anybody's settings."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def git():
    """A function that runs git in a folder, without anybody's settings."""
    if shutil.which("git") is None:
        pytest.skip("versions come from git, which is not installed")
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def run(folder, *words):
        names = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *names, *words], cwd=folder, env=own, check=True, capture_output=True)

    return run
