"""Which version is built: of a tag, after it, in an archive of it, and without git. In a repository of three files."""

import os
import shutil
import subprocess
import sys

import pytest

DECIDES = ("pyproject.toml", ".gitattributes", ".git_archival.txt")


@pytest.fixture
def checkout(repo, git, tmp_path):
    pytest.importorskip("setuptools_scm", reason="versions are computed by setuptools-scm of the dev extra")
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in DECIDES:
        shutil.copy(repo / name, folder)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def version(folder, **variables):
    """Return the version that a build in ``folder`` has."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SETUPTOOLS_SCM"))}
    line = [sys.executable, "-m", "setuptools_scm"]
    done = subprocess.run(line, cwd=folder, env=kept | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def archive(git, checkout, folder):
    """Make of a checkout what a source archive from a server of git holds."""
    git(checkout, "archive", "--output", f"{folder}.tar", "HEAD")
    shutil.unpack_archive(f"{folder}.tar", folder)
    return folder


def test_a_tag_is_the_version_and_commits_after_it_say_how_many(git, checkout, tmp_path):
    assert version(checkout).startswith("0.1.dev1+g")  # no tag yet: one commit, on the way to the first version
    git(checkout, "tag", "v0.9.0")
    assert version(checkout) == "0.9.0"
    assert version(archive(git, checkout, tmp_path / "of-the-tag")) == "0.9.0"
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "second")
    assert version(checkout).startswith("0.9.1.dev1+g")
    assert version(archive(git, checkout, tmp_path / "after-it")).startswith("0.9.1.dev1+g")


def test_a_changed_checkout_of_a_tag_is_not_the_tag(git, checkout):
    git(checkout, "tag", "v0.9.0")
    (checkout / "pyproject.toml").open("a").write("# changed\n")
    assert version(checkout).startswith("0.9.1.dev0+")


def test_without_git_the_version_is_0_0_unless_it_is_given(repo, checkout):
    """An image is built without git, so its build argument gives the version."""
    shutil.rmtree(checkout / ".git")
    assert version(checkout) == "0.0"
    (line,) = [line for line in (repo / "infra/docker/Dockerfile").read_text().splitlines() if "PRETEND" in line]
    name = line.split("=")[0].split()[-1]
    assert version(checkout, **{name: ""}) == "0.0"
    assert version(checkout, **{name: "0.9.1.dev1+gabc"}) == "0.9.1.dev1+gabc"
