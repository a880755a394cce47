"""What commands print of a grid of 20 models and 30 tasks fits a screen; a small run is shown whole; JSON is whole."""

import io
import json
import re
import shutil
from dataclasses import replace
from itertools import product

import pytest
import yaml
from estimate_rows import estimate
from rich.console import Console
from run_records import commit, ledger, run_record
from runs_here import copy_of, finish, run_here
from stub_grid import grid_spec

from cotfaith.cluster.cli import consoles
from cotfaith.cluster.cli.fit import print_first
from cotfaith.cluster.cli.plan import _print_costs
from cotfaith.cluster.cli.stages import by_model, stages
from cotfaith.cluster.cli.status import _print as print_status
from cotfaith.cluster.cli.summary import summarise
from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.cli.view import View
from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.stats.metrics.lib.recorded import AGREEMENT, SHARE

MODELS = [f"Example-{at:02}-72B-Instruct" for at in range(20)]
TASKS = [f"logical_deduction_seven_objects_{at:02}" for at in range(30)]
FEW = [("m", "t"), ("m", "u")]
SCREEN = 40
METRICS = ("accuracy_no_cot", "accuracy_cot", "same_answer_no_cot")


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def lines(capsys):
    """A function that returns the printed lines: none is cut, or wider than 80 columns."""

    def read():
        text = capsys.readouterr().out
        assert "…" not in text
        found = text.splitlines()
        assert max(map(len, found)) <= 80
        return found

    return read


def costs(cells):
    counts = {"items": 10, "shards": 2, "generated_tokens": 5000, "distinct_tokens": 7000}
    return [
        Cost(model, task, requests=1000 + 7 * at, prompt_tokens=6000 + at, **counts)
        for at, (model, task) in enumerate(cells)
    ]


def estimates(cells, **more):
    return [
        estimate(name, model=m, task=t, value=0.25 + 0.01 * at % 0.5, **more)
        for at, ((m, t), name) in enumerate(product(cells, METRICS))
    ]


class TestPlan:
    @pytest.mark.parametrize("rates", [{}, dict.fromkeys(MODELS, 1000.0)])
    def test_a_grid_is_a_line_a_model(self, lines, rates):
        _print_costs(costs(product(MODELS, TASKS)), rates, View())
        found = lines()
        assert len(found) <= SCREEN - 8  # what else a plan prints
        assert sum(line.startswith("Example-") for line in found) == 20
        assert found[-1].startswith("Each model and task: --details")
        (total,) = [line.split() for line in found if line.startswith("all")]
        assert total[1] == f"{sum(1000 + 7 * at for at in range(600)):,}"

    def test_the_costliest_is_first(self, lines):
        _print_costs(costs(product(MODELS, TASKS)), {}, View())
        assert next(line[:10] for line in lines() if line.startswith("Example-")) == "Example-19"

    def test_details_and_filters_are_whole(self, lines):
        cells = costs(product(MODELS, TASKS))
        _print_costs(cells, {}, View(details=True))
        assert len(lines()) > 1200
        _print_costs(cells, {}, View(models=(MODELS[3],)))
        assert not any("--details" in line for line in lines())

    def test_a_small_one_is_whole(self, lines):
        _print_costs(costs(FEW), {}, View())
        assert [line.split()[:2] for line in lines() if line.startswith("m ")] == [["m", "t"], ["m", "u"]]


class TestStatus:
    def grid(self):
        """Two probes; the last model lacks one of a task's, and a chain of the tenth was cut."""
        run = run_record(2, 2, models=MODELS, tasks=TASKS, probes=("p",))
        found = []
        for model, task in product(MODELS, TASKS):
            cut = {"truncated": [1, 0], "ok": [0, 1]} if (model, task) == (MODELS[9], TASKS[0]) else None
            found.append(commit(model=model, task=task, statuses=cut))
            if (model, task) != (MODELS[-1], TASKS[4]):
                found.append(commit(probe="p", model=model, task=task, generation=1))
        return stages(run, ledger(*found))

    def test_a_grid_is_a_line_a_model_the_worst_first(self, lines):
        found = self.grid()
        assert len(found) == 1200
        print_status("Run r", found, View())
        shown = lines()
        assert len(shown) <= SCREEN - 10
        models = [line.split() for line in shown if line.startswith("Example-")]
        assert [line[0] for line in models[:3]] == [MODELS[-1], MODELS[9], MODELS[0]]
        assert models[0][3:] == ["59/60", "118", "118", "0.0%", "-"]
        assert models[1][3:] == ["60/60", "120", "119", "0.8%", "1", "truncated"]

    def test_the_sums_are_those_of_the_stages(self):
        found = self.grid()
        sums = by_model(found)
        assert sum(one.done for one in sums) == sum(one.done for one in found) == 1199
        assert sum(one.statuses.total() for one in sums) == 2 * 1199

    def test_many_models_are_cut_and_counted(self, lines):
        run = run_record(2, 2, models=[f"m{at:03}" for at in range(200)])
        print_status("Run r", stages(run, ledger()), View())
        shown = lines()
        assert len(shown) <= SCREEN
        named = sum(line.startswith("m") and line[1:4].isdigit() for line in shown)
        assert f"... and {200 - named} more models: --details" in shown

    def test_details(self, lines):
        print_status("Run r", self.grid(), View(details=True))
        assert len(lines()) > 1200


class TestEstimates:
    def printed(self, rows, shown=None, missing=None):
        console = Console(record=True, width=80, file=io.StringIO())
        summarise(rows, console, shown or View(), missing or {})
        return console.export_text().splitlines()

    def test_a_grid_is_a_line_a_model_with_the_range_of_its_tasks(self):
        rows = estimates(product(MODELS, TASKS))
        shown = self.printed(rows)
        assert len(shown) <= SCREEN - 6
        models = [line.split() for line in shown if line.startswith("Example-")]
        assert [line[0] for line in models] == MODELS
        of_first = [row.value for row in rows if (row.model, row.metric) == (MODELS[0], METRICS[0])]
        assert models[0][1] == f"{min(of_first):.2f}–{max(of_first):.2f}"
        assert models[0][-2:] == ["600/600", "-"]

    def test_the_one_with_the_fewest_rows_is_first(self):
        rows = [*estimates(product(MODELS, TASKS)), estimate("aoc", model=MODELS[7], task=TASKS[2], n_ok=3)]
        first = next(line for line in self.printed(rows) if line.startswith("Example-"))
        assert first.split()[0] == MODELS[7]
        assert first.split()[-1] == "1"

    def test_the_one_that_lacks_most_shards_is_first(self):
        rows = [*estimates(product(MODELS, TASKS)), estimate("aoc", model=MODELS[7], task=TASKS[2], n_ok=3)]
        shown = self.printed(rows, missing={(MODELS[3], TASKS[0]): 2, (MODELS[3], TASKS[1]): 1})
        found = [line.split() for line in shown if line.startswith("Example-")]
        assert [(line[0], line[-1]) for line in found[:3]] == [(MODELS[3], "3"), (MODELS[7], "-"), (MODELS[0], "-")]

    def test_shortfalls_are_cut_and_the_worst_stay(self):
        short = [estimate(f"metric_{at:03}", n_ok=at % 19, n_total=20) for at in range(100)]
        shown = self.printed([*estimates(FEW[:1]), *short])
        assert len(shown) <= SCREEN + 8
        assert any(re.fullmatch(r"\.\.\. and \d+ more figures: --details", line.strip()) for line in shown)
        assert {f"metric_{at:03}" for at in (0, 19, 38, 57, 76, 95)} <= set(" ".join(shown).split())
        assert len(self.printed([*estimates(FEW[:1]), *short], View(details=True))) > 100

    def test_a_small_one_is_whole(self):
        shown = self.printed(estimates(FEW))
        assert [line.split()[:2] for line in shown if line.startswith("m ")] == [["m", "t"], ["m", "u"]]
        assert not any("--details" in line for line in shown)

    def test_agreement_of_imported_chains_comes_first_and_is_cut_too(self):
        cells = list(product(MODELS, TASKS))
        agreements = [
            estimate("recorded_agreement", model=m, task=t, value=at / 600) for at, (m, t) in enumerate(cells)
        ]
        shares = [estimate("recorded_share", model=m, task=t, value=1.0) for m, t in cells]
        assert {AGREEMENT.name, SHARE.name} == {"recorded_agreement", "recorded_share"}
        shown = self.printed([*estimates(cells), *agreements, *shares])
        assert shown[0].strip().startswith("Imported chains")
        assert len(shown) < SCREEN + 25
        assert any(re.fullmatch(r"\.\.\. and \d+ more lines: --details", line) for line in shown)
        assert "0.0%" in " ".join(shown[:8])

    def test_withheld_values_are_counted_in_a_range(self):
        rows = estimates(product(MODELS, TASKS))
        held = [replace(row, value=None, withheld="why") if row.task == TASKS[3] else row for row in rows]
        assert sum("1 withheld" in line for line in self.printed(held)) >= 10

    def test_a_filter_shows_intervals(self):
        shown = self.printed(estimates(product(MODELS, TASKS)), View(models=(MODELS[4],), tasks=(TASKS[1],)))
        assert len(shown) < 12
        assert any("0.40–0.60" in line for line in shown)


def test_one_row_is_always_shown(lines):
    def table(n):
        made = new_table("", ["name"], [])
        for at in range(n):
            made.add_row("\n".join([str(at)] * 50))
        return made

    print_first(table, 3, consoles.out, "rows: --details")
    assert lines()[-1] == "... and 2 more rows: --details"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("grid"), grid_spec(models=2, tasks=2))


def documented(repo):
    """Command -> its keys, by docs/json.md."""
    table = (repo / "docs" / "json.md").read_text().split("| command | its keys |")[1]
    found = re.findall(r"^\| `(.*?)` \| (.*?) \|$", table, re.MULTILINE)
    return {name: re.findall(r"`(.*?)`", keys) for name, keys in found}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plan", ["plan", "spec.yaml"]),
        ("run", ["run", "spec.yaml"]),
        ("status", ["status", "run"]),
        ("show RUN", ["show", "run"]),
        ("show RUN ITEM", ["show", "run", "logical_deduction_seven_objects_00-000000"]),
        ("compare", ["compare", "run", "--models", "Example-00-72B-Instruct", "Example-01-72B-Instruct"]),
        ("label RUN --status", ["label", "run", "--status"]),
        ("aggregate", ["aggregate", "run"]),
        ("verify", ["verify", "run"]),
        ("validate", ["validate", "spec.yaml", "--out", "validated"]),
        ("list", ["list", "engines"]),
        ("check-store", ["check-store", "elsewhere"]),
    ],
)
def test_json_is_all_of_stdout_and_has_the_documented_keys(finished, tmp_path, cli, monkeypatch, repo, name, arguments):
    copy_of(finished, tmp_path, monkeypatch)
    (tmp_path / "elsewhere").mkdir()
    code, out, _ = cli(*arguments, "--json")
    assert code == 0
    assert list(json.loads(out)) == documented(repo)[name]
    assert out.isascii()


@pytest.mark.parametrize("arguments", [["run", "spec.yaml"], ["validate", "spec.yaml", "--out", "validated"]])
def test_what_ray_prints_is_not_among_the_json(finished, tmp_path, cli, monkeypatch, arguments):
    copy_of(finished, tmp_path, monkeypatch)
    shutil.rmtree("run")

    def jobs_done(*given):
        print("(raylet) 8 worker processes have been started")
        return run_here(*given)

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", jobs_done)
    code, out, err = cli(*arguments, "--json")
    assert code == 0
    assert json.loads(out)
    assert "(raylet)" in err


def test_every_command_with_json_is_documented(repo):
    from commands import click_command

    having = {name for name, one in click_command().commands.items() if any("--json" in p.opts for p in one.params)}
    assert having == {name.split()[0] for name in documented(repo)}


@pytest.mark.parametrize(
    ("command", "key"), [("status run", "stages"), ("aggregate run", "estimates"), ("plan spec.yaml", "lines")]
)
def test_json_of_a_filter_has_only_that(finished, tmp_path, cli, monkeypatch, command, key):
    copy_of(finished, tmp_path, monkeypatch)
    models = [one["id"] for one in yaml.safe_load((tmp_path / "spec.yaml").read_text())["models"]]
    data = json.loads(cli(*command.split(), "--json", "--model", models[1])[1])
    assert {one["model"] for one in data[key]} == {models[1]}


@pytest.mark.parametrize("command", [("plan", "spec.yaml"), ("status", "run"), ("aggregate", "run"), ("show", "run")])
def test_a_filter_that_names_nothing_is_an_error_without_json(finished, tmp_path, cli, monkeypatch, command):
    copy_of(finished, tmp_path, monkeypatch)
    code, out, err = cli(*command, "--json", "--task", "logical_deduction_seven_objects_0")
    assert (code, out) == (2, "")
    assert "Did you mean 'logical_deduction_seven_objects_0" in err


def test_numbers_that_json_lacks_are_texts(capsys):
    consoles.print_json({"a": [float("-inf"), float("nan"), 1.5], "b": ({"c": float("inf")},), "d": "\u202e"})
    assert json.loads(capsys.readouterr().out) == {"a": ["-inf", "nan", 1.5], "b": [{"c": "inf"}], "d": "\u202e"}


def test_notes_are_cut_and_counted(capsys):
    consoles.notes([f"n{at}" for at in range(600)], in_full=False)
    said = capsys.readouterr().err.splitlines()
    assert (len(said), said[0], said[-1]) == (11, "Note: n0", "Note: ... and 590 more notes: --details")
    consoles.notes([f"n{at}" for at in range(600)], in_full=True)
    assert len(capsys.readouterr().err.splitlines()) == 600
