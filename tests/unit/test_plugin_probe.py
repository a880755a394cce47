"""Probes from outside the package: the page docs/add-a-probe.md, word by word, and what can go wrong with plug-ins."""

import importlib
import json
import re
import sys
from dataclasses import replace

import polars as pl
import pytest
from runs_here import without_ray

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.stats.metrics import METRICS
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ProbeSpec, parse_spec
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.probes import PROBES, find_probe
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.registry import register

FILES = ("last_step.py", "last_step_metrics.py", "spec.yaml", "labelled.jsonl", "test_last_step.py")
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def page(repo):
    """The page's code blocks but its commands, in order: (language, text)."""
    found = FENCE.findall((repo / "docs" / "add-a-probe.md").read_text())
    return [(language, text) for language, text in found if language != "bash"]


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """An empty working directory; what is registered and imported in the test is forgotten after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known, metrics, modules = dict(PROBES.things), dict(METRICS), set(sys.modules)
    yield tmp_path
    PROBES.things.clear()
    PROBES.things.update(known)
    METRICS.clear()
    METRICS.update(metrics)
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def example(outside, page):
    """The page's files, in the working directory."""
    for name, (_, text) in zip(FILES, page, strict=False):
        (outside / name).write_text(text)
    return outside


@pytest.fixture
def run(example, monkeypatch):
    """A function that runs the page's spec in this process, on the stub engine; so does the command line."""

    without_ray(monkeypatch)
    return lambda *plugins: execute(load_spec(example / "spec.yaml", [], plugins))


def without_plugins(folder):
    path = folder / "spec.yaml"
    path.write_text(path.read_text().replace("plugins: [last_step, last_step_metrics]\n", ""))


def rows_of(folder):
    return read_tables(LocalStore(folder / "runs" / "last-step"))["observations"].filter(probe="last_step")


def install(folder, name, entries, code=None, **modules):
    """Put a package's metadata, and perhaps its modules, where Python looks for installed ones."""
    site = folder / f"site_{name}"
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    listed = entries if isinstance(entries, str) else "[cotfaith.probes]\n" + "".join(f"{one}\n" for one in entries)
    (about / "entry_points.txt").write_text(listed)
    for module, text in (modules | ({} if code is None else {name: code})).items():
        (site / f"{module}.py").write_text(text)
    sys.path.append(str(site))
    importlib.invalidate_caches()


def estimate_of(folder, metric="last_step_changed", run="last-step"):
    rows = pl.read_parquet(folder / "runs" / run / "estimates.parquet").filter(metric=metric).to_dicts()
    return rows[0] if rows else None


def report_of(folder, run="last-step"):
    html = (folder / "runs" / run / "report.html").read_text()
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


class TestThePage:
    @pytest.mark.parametrize("name", FILES[:2])
    def test_its_two_files_need_public_names_only(self, example, name):
        imported = re.findall(r"^(?:from|import) (cotfaith\S*)", (example / name).read_text(), re.MULTILINE)
        assert set(imported) == {"cotfaith"}

    def test_its_spec(self, run, example):
        assert run() == []
        rows = rows_of(example)
        assert rows.height == 5
        assert set(rows["arm"]) == {"last"}
        assert set(rows["status"]) == {"ok"}

    def test_it_ends_in_an_estimate_and_in_a_line_of_the_report(self, run, cli, example):
        code, _, err = cli("run", "spec.yaml")
        assert (code, err) == (0, "")
        row = estimate_of(example)
        expected = (~rows_of(example)["same_answer"]).mean()
        assert (row["value"], row["n_ok"], row["n_total"], row["n_items"]) == (expected, 5, 5, 5)
        assert 0 <= row["ci_low"] <= row["value"] <= row["ci_high"] <= 1
        assert row["ci_low"] < row["ci_high"]
        html = report_of(example)
        assert f"With only the last step of its chain, it gives another answer in {expected:.0%} of the cases." in html
        table = html[html.index("<h3>Other probes</h3>") :].split("</table>")[0]
        assert "<th>Changed, only the last step</th>" in table
        assert f"<td>{100 * expected:.1f}%" in table
        assert re.search(r"last_step, last → <b>[A-Z]</b>", html)  # in a transcript

    def test_its_scores_are_validated(self, run, cli, example):
        code, _, err = cli("validate", "spec.yaml", "--chains", "labelled.jsonl")
        assert (code, "No metrics" in err) == (0, False)
        made = json.loads((example / "runs" / "validate-labelled" / "validation.json").read_text())
        (rule,) = [one for one in made["metrics"] if one["name"] == "last_step_changed"]
        assert (rule["level"], rule["faithful"], rule["probes"]) == ("chain", "high", ["last_step"])
        found = [one for one in made["figures"] if one["metric"] == "last_step_changed"]
        assert {(one["n_faithful"], one["n_unfaithful"]) for one in found} >= {(2, 2)}
        assert all(0 <= one["auroc"] <= 1 for one in found if one["n_faithful"] == one["n_unfaithful"] == 2)
        page = (example / "runs" / "validate-labelled" / "validation.md").read_text()
        assert "last_step_changed" in page

    def test_a_folder_is_read_without_its_plugins_unless_they_are_named(self, run, cli, example):
        cli("run", "spec.yaml")
        METRICS.pop("last_step")
        for module in ("last_step", "last_step_metrics"):
            sys.modules.pop(module)
        code, _, err = cli("report", "runs/last-step")
        assert (code, "No metrics are registered for last_step" in err, "--plugin" in err) == (0, True, True)
        assert not {"last_step", "last_step_metrics"} & set(sys.modules)
        html = report_of(example)
        assert "There are no metrics for the probe last_step: the rows are counted and shown" in html
        assert "Other probes" not in html
        assert re.search(r"<td class=\"text\">last_step</td><td>5</td>", html)  # rows by status
        assert re.search(r"last_step, last → <b>[A-Z]</b>", html)
        assert estimate_of(example) is None
        code, _, err = cli("report", "runs/last-step", "--plugin", "last_step_metrics")
        assert (code, err) == (0, "")
        assert "Changed, only the last step" in report_of(example)
        assert estimate_of(example)["n_ok"] == 5

    def test_without_words_its_metrics_stand_in_a_table(self, run, cli, example):
        path = example / "last_step_metrics.py"
        code = path.read_text()
        words = code[code.index("    words=Words(") : code.index(")\nregister(METRICS)")]
        path.write_text(code.replace(words, ""))
        assert cli("run", "spec.yaml")[0] == 0
        html = report_of(example)
        assert "another answer in" not in html
        table = html[html.index("<h3>Other probes</h3>") :].split("</table>")[0]
        assert "<th>last_step_changed</th>" in table
        assert f"<td>{100 * estimate_of(example)['value']:.1f}%" in table

    def test_without_the_line_in_the_spec(self, run, example):
        without_plugins(example)
        with pytest.raises(SpecError, match="Unknown probe 'last_step'"):
            run()
        run("last_step", "last_step_metrics")
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

    def test_its_entry_points(self, run, cli, example, page):
        without_plugins(example)
        (toml,) = [text for language, text in page if language == "toml"]
        listed = toml.replace('project.entry-points."', "").replace('"', "")
        code = {}
        for name, line in (("last_step", "register(PROBE)\n"), ("last_step_metrics", "register(METRICS)\n")):
            path = example / f"{name}.py"
            assert line in path.read_text()
            code[name] = path.read_text().replace(line, "")
            path.unlink()
        install(example, "last_step", listed, **code)
        assert cli("run", "spec.yaml")[0] == 0
        assert rows_of(example).height == 5
        assert estimate_of(example)["n_ok"] == 5
        METRICS.pop("last_step")
        PROBES.things.pop("last_step")
        assert "No metrics are registered for last_step" in cli("report", "runs/last-step")[2]
        assert cli("report", "runs/last-step", "--plugin", "last_step")[2] == ""
        assert "Changed, only the last step" in report_of(example)

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
