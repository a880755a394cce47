"""The documentation as a site: its menu has every page, and what pages name is there."""

import importlib.util
import re
from types import SimpleNamespace

import pytest
import yaml

NAMED = re.compile(r"(?<![\w/.-])(?:docs|benchmarks|examples|cluster|workers|schemas|tests|infra)/[\w./-]*\w\.\w+")
LINKED = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]+)")


def pages(repo):
    return [repo / "README.md", repo / "CONTRIBUTING.md", repo / "SECURITY.md", *sorted((repo / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def hooks(repo):
    spec = importlib.util.spec_from_file_location("site_hooks", repo / "infra/site/hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(found):
    """Return the pages of a menu, at any depth."""
    if isinstance(found, str):
        return [found]
    parts = found.values() if isinstance(found, dict) else found
    return [page for part in parts for page in leaves(part)]


def test_the_menu_has_each_page_once(repo):
    menu = leaves(yaml.safe_load((repo / "infra/site/mkdocs.yml").read_text())["nav"])
    assert sorted(menu) == sorted(["index.md", *(one.name for one in (repo / "docs").glob("*.md"))])


def test_each_file_that_a_page_names_is_there(repo):
    lacking = {
        (page.name, name)
        for page in pages(repo)
        for name in NAMED.findall(page.read_text())
        if "NAME" not in name and not (repo / name).exists()
    }
    assert lacking == set()


def test_each_link_leads_somewhere(repo):
    lacking = {
        (page.name, name)
        for page in pages(repo)
        for name in LINKED.findall(page.read_text())
        if not (page.parent / name).exists()
    }
    assert lacking == set()


def test_a_mention_of_another_page_becomes_a_link(hooks):
    there = [SimpleNamespace(src_uri=name) for name in ("a.md", "b-c.md")]
    files = SimpleNamespace(documentation_pages=lambda: there)
    page = SimpleNamespace(file=there[0])
    text = "See `docs/b-c.md`, `docs/a.md`, `docs/none.md` and [`docs/b-c.md`](b-c.md)."
    assert hooks.on_page_markdown(text, page, None, files) == (
        "See [`b-c.md`](b-c.md), `docs/a.md`, `docs/none.md` and [`docs/b-c.md`](b-c.md)."
    )
