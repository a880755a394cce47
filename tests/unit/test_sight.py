"""A node that does not see what the driver sees is named, with the way out, before any model loads."""

import pytest

from cotfaith.cluster.fleet import sight
from cotfaith.cluster.fleet.sight import Sight, check_sight, shown
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.portable import portable
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec


def spec(**more):
    content = {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [{"name": "t", "generator": "addition", "n": 2}],
        "output": {"path": "run"},
    }
    return parse_spec(content | more)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    return tmp_path


def node(name):
    return {"NodeID": name * 4, "Alive": True, "NodeManagerHostname": name, "NodeManagerAddress": "10.0.0.1"}


def cluster(monkeypatch, **blind):
    """Nodes by name, each with what it does not see."""
    monkeypatch.setattr(sight.ray, "nodes", lambda: [*map(node, blind), node("dead") | {"Alive": False}])
    monkeypatch.setattr(sight, "_ask", lambda _, nodes: {name * 4: lost for name, lost in blind.items()})


def test_a_sight_is_there_as_long_as_the_run_and_no_longer(monkeypatch, here):
    cluster(monkeypatch, a=[], b=[])
    plan = make_plan(spec())
    with shown(plan, open_store("run")) as seen:
        assert seen.path == str(here / "run")
        assert seen.missing() == []
        monkeypatch.chdir("/")  # another process has another working directory
        assert seen.missing() == []
        check_sight(seen)
        monkeypatch.chdir(here)
    assert list(LocalStore(here / "run").list()) == []
    assert seen.missing() == [f"output.path: {here / 'run'} is not the driver's folder"]


def test_nodes_that_see_another_folder_are_named_and_the_run_is_refused(monkeypatch, here):
    cluster(monkeypatch, a=[], b=["output.path: /x is not the driver's folder"], c=["models.m.source: /w is no folder"])
    with pytest.raises(SpecError) as caught, shown(make_plan(spec()), open_store("run")):
        pytest.fail("it began")
    text = str(caught.value)
    assert text.startswith("2 of 3 nodes do not see what the driver sees:\n")
    assert "  node b (10.0.0.1, bbbb): output.path: /x is not the driver's folder\n" in text
    assert "models.m.source: /w is no folder" in text
    assert "s3://bucket/prefix" in text
    assert list(LocalStore(here / "run").list()) == []


def test_many_nodes_are_cut(monkeypatch):
    cluster(monkeypatch, **{f"n{n}": ["x"] for n in range(40)})
    with pytest.raises(SpecError, match=r"40 of 40 nodes(.*\n){6}  \.\.\. and 35 more") as caught:
        shown(make_plan(spec()), open_store("run")).__enter__()
    assert len(str(caught.value).splitlines()) == 8


def test_a_process_that_sees_less_names_its_node(monkeypatch, here):
    monkeypatch.setattr(sight.socket, "gethostname", lambda: "late")
    store = open_store("run")
    store.put(".seen-1", b"seen")
    gone = Sight(str(here / "run"), ".seen-1", (("m", str(here / "weights")), ("n", "/nowhere")))
    with pytest.raises(SpecError, match=r"^Node late does not see .*: models\.n\.source: /nowhere is no folder\. Use "):
        check_sight(gone)
    other = Sight(str(here / "other"), ".seen-1", ())
    assert other.missing() == [f"output.path: {here / 'other'} is not the driver's folder"]
    (here / "file").write_text("")
    assert "is a file" in Sight(str(here / "file"), ".seen-1", ()).missing()[0]


def test_a_process_asks_once(monkeypatch, here):
    open_store("run").put(".seen-2", b"seen")
    seen = Sight(str(here / "run"), ".seen-2", ())
    check_sight(seen)
    monkeypatch.setattr(Sight, "missing", lambda _: pytest.fail("it asks again"))
    check_sight(seen)


@pytest.mark.parametrize(
    ("source", "engine", "sent"),
    [
        ("weights", "transformers", "{here}/weights"),
        ("./weights/", "transformers", "{here}/weights"),
        ("weights", "stub", "weights"),
        ("owner/name", "transformers", "owner/name"),
        ("organism:skilled-50", "transformers", "organism:skilled-50"),
        ("s3://bucket/prefix", "transformers", "s3://bucket/prefix"),
    ],
)
def test_other_processes_get_absolute_paths(here, source, engine, sent):
    found = portable(spec(models=[{"id": "m", "source": source, "engine": engine}]))
    assert found.models[0].source == sent.format(here=here)
    assert found.output.path == str(here / "run")


def test_relative_to_home(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    found = portable(spec(models=[{"id": "m", "source": "~/weights"}], output={"path": "~/run"}))
    assert (found.models[0].source, found.output.path) == (str(here / "weights"), str(here / "run"))
