"""Probes from outside the package: the page docs/add-a-probe.md, word by word, and what can go wrong with plug-ins."""

import importlib
import re
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest

from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ProbeSpec, parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.probes import PROBES, find_probe
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.registry import register

FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def page(repo):
    """The page's code blocks, in order: (language, text)."""
    return FENCE.findall((repo / "docs" / "add-a-probe.md").read_text())


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """An empty working directory; what is registered and imported in the test is forgotten after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known, modules = dict(PROBES.things), set(sys.modules)
    yield tmp_path
    PROBES.things.clear()
    PROBES.things.update(known)
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def example(outside, page):
    """The page's files, in the working directory."""
    for name, (_, text) in zip(("last_step.py", "spec.yaml", "test_last_step.py"), page, strict=False):
        (outside / name).write_text(text)
    return outside


@pytest.fixture
def run(example, monkeypatch):
    """A function that runs the page's spec in this process, on the stub engine."""

    def run_here(plan, jobs, progress):
        for job in jobs:
            run_job(job, {"subject": StubEngine(plan.model(job.model))})
        return RunOutcome(done=len(jobs))

    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", run_here)
    return lambda *plugins: execute(load_spec(example / "spec.yaml", [], plugins))


def without_plugins(folder):
    path = folder / "spec.yaml"
    path.write_text(path.read_text().replace("plugins: [last_step]\n", ""))


def rows_of(folder):
    return read_tables(LocalStore(folder / "runs" / "last-step"))["observations"].filter(probe="last_step")


def install(folder, name, entries, code=None):
    """Put a package's metadata, and perhaps its one module, where Python looks for installed ones."""
    site = folder / f"site_{name}"
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[cotfaith.probes]\n" + "".join(f"{entry}\n" for entry in entries))
    if code is not None:
        (site / f"{name}.py").write_text(code)
    sys.path.append(str(site))
    importlib.invalidate_caches()


class TestThePage:
    def test_its_spec(self, run, example):
        assert run() == []
        rows = rows_of(example)
        assert rows.height == 5
        assert set(rows["arm"]) == {"last"}
        assert set(rows["status"]) == {"ok"}

    def test_without_the_line_in_the_spec(self, run, example):
        without_plugins(example)
        with pytest.raises(SpecError, match="Unknown probe 'last_step'"):
            run()
        run("last_step")
        assert rows_of(example).height == 5

    def test_the_command_line_names_plugins(self, cli, example):
        without_plugins(example)
        code, _, err = cli("plan", "spec.yaml")
        assert (code, "Unknown probe 'last_step'" in err) == (2, True)
        code, out, err = cli("plan", "spec.yaml", "--plugin", "last_step")
        assert (code, "tracking" in out, err) == (0, True, "")
        code, _, err = cli("plan", "spec.yaml", "--plugin", "first_step")
        assert (code, "there is no module 'first_step'" in err) == (2, True)

    def test_its_test(self, example):
        sys.path.append(str(example))
        importlib.import_module("test_last_step").test_one_row_a_chain()

    def test_its_entry_point(self, run, example, page):
        without_plugins(example)
        (toml,) = [text for language, text in page if language == "toml"]
        entry = toml.splitlines()[1]
        code = (example / "last_step.py").read_text()
        assert "register(PROBE)" in code
        (example / "last_step.py").unlink()
        install(example, "last_step", [entry.replace('"', "")], code.replace("register(PROBE)\n", ""))
        run()
        assert rows_of(example).height == 5

    def test_what_it_says_of_the_planned_arms(self, example):
        import_plugins(["last_step"])
        probe, options = find_probe(ProbeSpec(name="last_step"))
        assert [arm.chain_tokens for arm in probe.arms(Shape(1, 4, 40), options)] == [10]


def test_a_module_is_imported_once_and_others_are_not(outside):
    (outside / "one.py").write_text("import sys\nsys.times = getattr(sys, 'times', 0) + 1\n")
    (outside / "two.py").write_text("raise RuntimeError('never named')\n")
    import_plugins(["one"])
    import_plugins(["one"])
    assert sys.times == 1
    del sys.times


def test_modules_of_the_working_directory_shadow_nothing(outside, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (outside / "colorsys.py").write_text("raise RuntimeError('not this one')\n")
    import_plugins(["colorsys"])


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        (None, "nothing_here", "there is no module 'nothing_here'"),
        (None, "here.nothing", "there is no module 'here.nothing'"),
        (None, "bad.py", "not my_probe.py"),
        ("import nothing_here", "bad", "module 'bad' needs 'nothing_here', which is not installed"),
        ("x = (", "bad", "module 'bad' fails: SyntaxError"),
        ("1 / 0", "bad", "module 'bad' fails: ZeroDivisionError: division by zero"),
    ],
)
def test_modules_that_do_not_import(outside, code, name, expected):
    if code is not None:
        (outside / "bad.py").write_text(code)
    with pytest.raises(SpecError, match=re.escape(expected)):
        import_plugins([name])


def test_a_name_that_is_taken(outside):
    (outside / "thief.py").write_text(
        "import dataclasses\nfrom cotfaith.workers.probes import PROBES\n"
        "from cotfaith.workers.registry import register\n"
        "register(dataclasses.replace(PROBES['no_cot'], source='me'))\n"
    )
    with pytest.raises(SpecError, match="registers a probe 'no_cot', but another probe has that name"):
        import_plugins(["thief"])
    assert PROBES["no_cot"].source != "me"


def test_registering_the_same_probe_again_changes_nothing():
    register(PROBES["no_cot"])


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "a~b", "a.b", "../x", "x" * 65])
def test_names_that_keys_could_not_hold(name):
    with pytest.raises(SpecError, match="lower-case letters, digits and '_'"):
        register(replace(PROBES["no_cot"], name=name))
    assert name not in PROBES


class TestEntryPoints:
    CODE = "import dataclasses\nfrom cotfaith.workers.probes.no_cot import PROBE as OLD\n"

    def code(self, name):
        return self.CODE + f"PROBE = dataclasses.replace(OLD, name={name!r})\n"

    def test_only_the_named_one_is_loaded(self, outside):
        install(outside, "good", ["mine = good:PROBE"], self.code("mine"))
        install(outside, "evil", ["other = evil:PROBE"], "raise RuntimeError('loaded')")
        assert find_probe(ProbeSpec(name="mine"))[0].name == "mine"
        assert find_probe(ProbeSpec(name="no_cot"))[0].name == "no_cot"
        with pytest.raises(SpecError, match=r"Unknown probe 'mime'\. Did you mean 'mine'.*other"):
            find_probe(ProbeSpec(name="mime"))
        with pytest.raises(SpecError, match=r"'other' from evil:PROBE \(package evil\) cannot be loaded: RuntimeError"):
            find_probe(ProbeSpec(name="other"))

    def test_a_name_of_ours_is_refused(self, outside):
        install(outside, "clash", ["no_cot = clash:PROBE"], self.code("no_cot"))
        with pytest.raises(SpecError, match="'no_cot', but another probe has that name"):
            find_probe(ProbeSpec(name="no_cot"))

    def test_two_packages_with_one_name(self, outside):
        install(outside, "first", ["mine = first:PROBE"], self.code("mine"))
        install(outside, "second", ["mine = second:PROBE"], self.code("mine"))
        with pytest.raises(SpecError, match=r"several packages offer a probe 'mine': .*first.*second"):
            find_probe(ProbeSpec(name="mine"))

    @pytest.mark.parametrize("entry", ["mine = odd:CODE", "mine = odd:PROBE"])
    def test_what_is_no_probe_of_that_name(self, outside, entry):
        install(outside, "odd", [entry], self.code("yours") + "CODE = 5\n")
        with pytest.raises(SpecError, match=r"is not a probe\. Expected a Probe with the name 'mine'"):
            find_probe(ProbeSpec(name="mine"))


def test_every_probe_of_the_package_is_found_by_its_file(repo):
    files = sorted(path.stem for path in (repo / "workers" / "probes").glob("*.py") if path.stem != "__init__")
    assert list(PROBES) == files


def test_a_spec_keeps_the_plugins_of_its_file_and_of_the_command_line(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("models: [{id: m, engine: stub}]\ntasks: [{name: t, generator: addition}]\nplugins: [a, b]\n")
    assert load_spec(path, [], ["b", "c"]).plugins == ("a", "b", "c")
    assert (
        parse_spec(
            {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}
        ).plugins
        == ()
    )
