"""The sdist and the wheel hold all of the package and nothing else, and have a tag's version. Built offline.

The copy is a git repository with one commit and a tag, because a build in a checkout asks git for files and versions.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

FOLDERS = ("schemas", "workers", "cluster", "examples")
VERSION = "9.8.7"
BUILDING = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "constraints.txt"}
BUILDING |= {"pyproject.toml", "setup.cfg"}


@pytest.fixture(scope="module")
def source(repo, git, tmp_path_factory):
    """A copy of what git knows. Links stay links, because the package reaches its folders through them."""
    known = subprocess.run(["git", "ls-files", "-z"], cwd=repo, capture_output=True, text=True, check=False)
    if known.returncode:
        pytest.skip(f"{repo} is no checkout that git reads: {known.stderr}")
    source = tmp_path_factory.mktemp("source")
    for name in known.stdout.rstrip("\0").split("\0"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(repo / name):
            shutil.copy(repo / name, source / name, follow_symlinks=False)
    git(source, "init", "--quiet")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "all")
    git(source, "tag", f"v{VERSION}")
    return source


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    for name in ("build", "setuptools_scm"):
        pytest.importorskip(name, reason="the wheel is built with packages of the dev extra")
    built = tmp_path_factory.mktemp("built")
    line = [sys.executable, "-m", "build", "--no-isolation", "--outdir", built, source]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return built


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel):
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_it_holds_every_file_of_the_package_and_no_other(source, names):
    there = {
        f"cotfaith/{path.relative_to(source).as_posix()}"
        for folder in FOLDERS
        for path in (source / folder).rglob("*")
        if path.is_file()
    }
    assert len(there) > 50
    assert names == there | {"cotfaith/__init__.py", "cotfaith/py.typed"}


def test_templates_are_there_and_tests_are_not(names):
    files = ("report.html.j2", "report.css", "figures.css", "transcripts.js")
    templates = {f"cotfaith/cluster/report/templates/{name}" for name in files}
    assert templates < names
    assert {name.split("/")[0] for name in names} == {"cotfaith"}
    assert not any(part.startswith("test_") or part == "tests" for name in names for part in name.split("/"))


def test_the_sdist_holds_what_builds_the_package_and_nothing_else(built, names):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as file:
        files = {one.name.split("/", 1)[1] for one in file if one.isfile()}
    package = {name.removeprefix("infra/package/") for name in files if name.startswith("infra/package/cotfaith/")}
    assert package == names
    made = {name for name in files if name.startswith("infra/package/cotfaith.egg-info/")}
    assert files - made - {f"infra/package/{name}" for name in package} == BUILDING


def test_both_have_the_version_of_the_tag(built, wheel):
    assert {path.name for path in built.iterdir()} == {
        f"cotfaith-{VERSION}.tar.gz",
        f"cotfaith-{VERSION}-py3-none-any.whl",
    }
    metadata = zipfile.ZipFile(wheel).read(f"cotfaith-{VERSION}.dist-info/METADATA").decode()
    assert f"\nVersion: {VERSION}\n" in metadata


def test_it_works_unpacked(wheel, tmp_path):
    """The command line runs from the wheel's contents, outside the source tree."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    assert _command(tmp_path, "--version") == f"cotfaith {VERSION}\n"
    assert json.loads(_command(tmp_path, "schema"))["title"] == "RunSpec"


def _command(folder, word):
    """Return what the command line prints that is in ``folder``/site."""
    code = "import sys; from cotfaith.cluster.cli import app; print(app.__file__, file=sys.stderr); app.main()"
    line = [sys.executable, "-c", code, word]
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stderr.split("\n")[0]).is_relative_to(folder)
    return done.stdout


def test_the_command_is_installed_by_it(wheel):
    text = zipfile.ZipFile(wheel).read(f"{wheel.name.split('-py3')[0]}.dist-info/entry_points.txt").decode()
    assert "cotfaith = cotfaith.cluster.cli.app:main" in text
