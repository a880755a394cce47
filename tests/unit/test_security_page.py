"""Each statement of docs/security.md names tests that exist, and what it says of defaults is so."""

import ast
import re

import pytest

from cotfaith.workers import limits

ROW = re.compile(r"^\|(?P<cells>.+)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)`")


def rows(repo):
    found = [match["cells"].split(" | ") for match in ROW.finditer((repo / "docs" / "security.md").read_text())]
    return [[cell.strip() for cell in cells] for cells in found[2:]]


def test_every_row_names_tests_that_test_something(repo):
    found = rows(repo)
    assert len(found) > 15
    for cells in found:
        assert len(cells) == 4, cells
        paths = TEST.findall(cells[3])
        assert paths, f"no test: {cells}"
        for path in paths:
            assert (repo / path).is_file(), path
            tree = ast.parse((repo / path).read_text())
            names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            assert any(name.startswith("test_") for name in names), path


def test_every_file_that_the_page_names_is_there(repo):
    for path in re.findall(r"`((?:docs|tests|examples)/[\w/.-]+)`", (repo / "docs" / "security.md").read_text()):
        assert (repo / path).is_file(), path


@pytest.mark.parametrize("page", ["security.md", "task-files.md"])
def test_the_limits_are_the_defaults(repo, page):
    text = (repo / "docs" / page).read_text()
    assert f"{limits.DEFAULTS[limits.FILE]:g} GiB" in text
    assert f"{limits.most_characters({}):,}" in text
