"""How the changelog and the citation become a release, and that the ones here are fit for it."""

import importlib.util
import re
import subprocess
from datetime import date

import pytest
import yaml

DAY = date(2026, 11, 29)
OLD = "# Changelog\n\nNewest first.\n\n## Unreleased\n\n- New.\n\n## 0.1.0 (2026-05-01)\n\n- First.\n"


@pytest.fixture(scope="module")
def script(repo):
    spec = importlib.util.spec_from_file_location("cut", repo / "infra/release/cut.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_changelog_is_in_order_and_the_citation_names_its_last_release(repo, script):
    last = [".".join(map(str, version)) for version, _ in script.released((repo / "CHANGELOG.md").read_text())[:1]]
    cited = yaml.safe_load((repo / "CITATION.cff").read_text())
    assert [cited[name] for name in ("version",) if name in cited] == last


def test_what_is_unreleased_gets_a_version_and_a_date(script):
    new = script.cut(OLD, "0.10.0", DAY)
    assert new == OLD.replace("Unreleased", "0.10.0 (2026-11-29)")
    assert script.released(new) == [((0, 10, 0), DAY), ((0, 1, 0), date(2026, 5, 1))]


@pytest.mark.parametrize(
    ("changelog", "version", "words"),
    [
        (OLD, "v0.2.0", "got 'v0.2.0 "),
        (OLD, "0.2.0.dev1", "expected a version and its date"),
        (OLD, "0.1.0", r"after 0\.1\.0"),
        (OLD.replace("- New.\n", ""), "0.2.0", "nothing to release"),
        (OLD.replace("## Unreleased\n\n- New.\n\n", ""), "0.2.0", "nothing to release"),
        (OLD.replace("0.1.0 (2026-05-01)", "Earlier"), "0.2.0", "got 'Earlier'"),
        (OLD + "\n## 0.2.0 (2026-04-01)\n", "0.3.0", r"0\.1\.0 stands before 0\.2\.0"),
        (OLD + "\n## 0.0.9 (2026-06-01)\n", "0.3.0", r"0\.1\.0 stands before 0\.0\.9"),
        (OLD + "\n## Unreleased\n", "0.3.0", "got 'Unreleased'"),
    ],
)
def test_what_is_no_release_is_refused(script, changelog, version, words):
    with pytest.raises(ValueError, match=words):
        script.cut(changelog, version, DAY)


def test_a_citation_has_one_version(script):
    text = "title: a\nversion: 0.1.0\ndate-released: 2026-05-01\nlicense: MIT\n"
    assert yaml.safe_load(script.cite(text, "0.2.0", DAY)) == {
        "title": "a", "license": "MIT", "version": "0.2.0", "date-released": DAY
    }  # fmt: skip


def test_the_command_changes_both_files_or_neither(repo, script, tmp_path, capsys):
    (tmp_path / "CHANGELOG.md").write_text(OLD)
    (tmp_path / "CITATION.cff").write_text("title: a\n")
    with pytest.raises(ValueError, match="after"):
        script.main("0.0.1", tmp_path)
    assert (tmp_path / "CHANGELOG.md").read_text() == OLD
    script.main("0.2.0", tmp_path)
    assert "tag the commit v0.2.0" in capsys.readouterr().out
    assert re.search(r"(?m)^## 0\.2\.0 \(\d{4}-\d\d-\d\d\)$", (tmp_path / "CHANGELOG.md").read_text())
    assert yaml.safe_load((tmp_path / "CITATION.cff").read_text())["version"] == "0.2.0"


def test_the_classifiers_are_the_pythons_that_are_tested(repo):
    """Those of the workflow, and of the check of a release."""
    classified = re.findall(r"Python :: (3\.\d+)\"", (repo / "pyproject.toml").read_text())
    workflow = yaml.safe_load((repo / ".github/workflows/test.yml").read_text())
    assert classified == workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    (line,) = [line for line in (repo / "infra/release/check.sh").read_text().splitlines() if "then pythons=" in line]
    assert re.findall(r"python(3\.\d+)", line) == classified


def test_the_check_of_a_release_refuses_older_pythons(repo, tmp_path):
    path = repo / "infra/release/check.sh"
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(["bash", path, old], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{old}: not a Python of 3.11 or newer" in done.stderr
