"""The built wheel contains all of the package and nothing else. It is built offline from a copy, through an sdist."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FOLDERS = ("schemas", "workers", "cluster", "examples")


@pytest.fixture(scope="module")
def source(repo, tmp_path_factory):
    """A copy of the source tree. Links stay links, because the package reaches its folders through them."""
    source = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
    for name in (*FOLDERS, "infra", "tests"):
        shutil.copytree(repo / name, source / name, symlinks=True, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repo / name, source)
    return source


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    pytest.importorskip("build", reason="the wheel is built with the 'build' package of the dev extra")
    built = tmp_path_factory.mktemp("built")
    line = [sys.executable, "-m", "build", "--no-isolation", "--outdir", built, source]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
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


def test_it_works_unpacked(wheel, tmp_path):
    """The command line runs from the wheel's contents, outside the source tree."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "from cotfaith.cluster.cli import app; print(app.__file__); app.main()"
    line = [sys.executable, "-c", code, "schema"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    where, schema = done.stdout.split("\n", 1)
    assert Path(where).is_relative_to(tmp_path)
    assert json.loads(schema)["title"] == "RunSpec"


def test_the_command_is_installed_by_it(wheel):
    text = zipfile.ZipFile(wheel).read(f"{wheel.name.split('-py3')[0]}.dist-info/entry_points.txt").decode()
    assert "cotfaith = cotfaith.cluster.cli.app:main" in text
