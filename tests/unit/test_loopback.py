"""Servers listen on loopback unless somebody names another place; the product itself has none but Ray."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cotfaith.cluster.fleet import ray_session

FOLDERS = ("schemas", "workers", "cluster", "tests", "benchmarks")
EVERYWHERE = ("0.0.0.0", "::", "")
"""Addresses that mean every network of the machine."""
SERVERS = {"bind", "HTTPServer", "ThreadingHTTPServer", "TCPServer", "create_server", "start_server"}


def sources(repo, folders):
    """Return the Python files of some folders, but not this one."""
    found = (path for folder in folders for path in (repo / folder).rglob("*.py"))
    return [path for path in found if path.name != Path(__file__).name]


def calls(path):
    """Yield the name and arguments of each call in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node


def listens_everywhere(path):
    """Return the lines on which a file has a server listen on every network."""
    found = []
    for name, node in calls(path):
        given = [*node.args, *(one.value for one in node.keywords)]
        texts = {one.value for place in given for one in ast.walk(place) if isinstance(one, ast.Constant)}
        if name in SERVERS and texts & set(EVERYWHERE):
            found.append(node.lineno)
        if any("0.0.0.0" in str(text) for text in texts):
            found.append(node.lineno)
    return found


def test_no_server_of_ours_listens_everywhere(repo):
    assert {path.name: lines for path in sources(repo, FOLDERS) if (lines := listens_everywhere(path))} == {}


def test_such_a_server_would_be_found(tmp_path):
    """A control."""
    (tmp_path / "a.py").write_text(
        'server.bind(("", 80))\nrun(host="0.0.0.0")\nHTTPServer(("::", 1), H)\nf.bind(("h", 1))\n'
    )
    assert listens_everywhere(tmp_path / "a.py") == [1, 2, 3]


def test_the_product_opens_no_server(repo):
    """Only Ray listens, and clients connect."""
    found = {(path.name, name) for path in sources(repo, FOLDERS[:3]) for name, _ in calls(path) if name in SERVERS}
    assert found == set()


def test_the_private_ray_is_on_loopback_and_has_no_dashboard(monkeypatch):
    """``tests/ray/test_ray_environment.py`` looks at the address of a real one."""
    given = {}
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=lambda *_, **more: given.update(more)))
    ray_session._start(2)
    assert given["_node_ip_address"] == "127.0.0.1"
    assert given["include_dashboard"] is False


@pytest.mark.parametrize(("address", "inside"), [(None, True), ("10.0.0.1:6379", False), ("example.org:6379", False)])
def test_only_loopback_counts_as_inside(address, inside):
    assert ray_session._is_on_loopback(address) is inside
