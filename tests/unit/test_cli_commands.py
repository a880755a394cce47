"""The commands, in this process and without Ray: shards run here on the stub engine, one after another."""

import io
import json
import re
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml
from commands import in_process
from rich.console import Console

import cotfaith
from cotfaith.cluster.cli import app as cli_module
from cotfaith.cluster.cli.tables import cost_table, human_count
from cotfaith.cluster.fleet.driver import RunOutcome
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.costs import Cost, costs
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.spec import RunSpec
from cotfaith.workers.engines.stub.engine import StubEngine

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def run_here(plan, jobs, progress, *_):
    for job in jobs:
        model = plan.model(job.model)
        progress.finished(model.id, run_job(job, {"subject": StubEngine(model)}), model.id)
    return RunOutcome(done=len(jobs))


def without_ray(monkeypatch, folder):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("cotfaith.cluster.fleet.run.ray_session", lambda *_: nullcontext())
    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", run_here)


@pytest.fixture
def command(cli, tmp_path, monkeypatch):
    without_ray(monkeypatch, tmp_path)
    return cli


@pytest.fixture
def example(repo):
    return repo / "examples" / "stub.yaml"


def ok(result):
    """The output: the command succeeded, and nothing is cut or wider than 80 columns."""
    code, out, err = result
    assert code == 0, err
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80
    return out


def rows(text, columns):
    """The lines of a printed table with ``columns`` cells, separated by two spaces."""
    lines = (re.split(r" {2,}", line.strip()) for line in text.splitlines())
    return [cells for cells in lines if len(cells) == columns]


def number(text):
    return int(text.replace(",", ""))


class TestSchema:
    @pytest.fixture(scope="class")
    def schema(self):
        return json.loads(in_process("schema").stdout)

    @pytest.fixture(scope="class")
    def validator(self, schema):
        return jsonschema.Draft202012Validator(schema)

    def test_it_is_a_json_schema(self, schema):
        jsonschema.Draft202012Validator.check_schema(schema)

    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
    def test_examples_are_valid(self, validator, path):
        validator.validate(yaml.safe_load(path.read_text()))
        assert isinstance(load_spec(path), RunSpec)

    def test_an_unknown_key_is_not(self, validator, example):
        content = yaml.safe_load(example.read_text()) | {"sede": 1}
        with pytest.raises(jsonschema.ValidationError, match="sede"):
            validator.validate(content)


class TestPlan:
    def test_numbers_add_up(self, command, example):
        text = ok(command("plan", example))
        lines, total = rows(text, 8)[1:], rows(text, 7)[-1]  # the heads are above, the sum has no task
        assert [line[:2] for line in lines] == [[m, t] for m in ("reader", "ignorer") for t in ("tracking", "addition")]
        assert total[0] == "all"
        for column in (2, 3, 4, 5):  # items, shards, requests, generated tokens
            assert sum(number(line[column]) for line in lines) == number(total[column - 1])

    def test_it_shows_what_the_plan_counts(self, command, example):
        found = costs(make_plan(load_spec(example)))
        lines = rows(ok(command("plan", example)), 8)[1:]
        for cost, line in zip(found, lines, strict=True):
            assert number(line[2]) == cost.items == 24
            assert number(line[4]) == cost.requests
            assert line[6:] == [human_count(cost.prompt_tokens), human_count(cost.distinct_tokens)]
            assert cost.distinct_tokens < cost.prompt_tokens

    def test_shorter_chains_cost_less(self, command, example):
        long, short = (
            [number(line[5]) for line in rows(ok(command("plan", example, *extra)), 8)[1:]]
            for extra in ([], ["--chain-tokens", "100"])
        )
        assert all(a > b > 0 for a, b in zip(long, short, strict=True))

    def test_it_writes_nothing(self, command, example, tmp_path):
        ok(command("plan", example))
        assert list(tmp_path.iterdir()) == []

    def test_long_names_and_large_numbers_stay_whole(self):
        model, task = "Qwen2.5-72B-Instruct", "logical_deduction_seven_objects"
        large = Cost(model, task, 250_000, 15_625, 111_222_333, 10**12 - 1, 123_456_789_012, 9_876_543)
        text = io.StringIO()
        Console(width=80, file=text).print(cost_table([large], {}))
        for shown in ("250,000", "15,625", "111,222,333", "1T", "123.5G", "9.877M"):
            assert text.getvalue().count(f" {shown}") == 2, shown  # the line and the sum
        lines = text.getvalue().splitlines()
        rule = next(i for i, line in enumerate(lines) if line.startswith("─"))
        end = next(i for i, line in enumerate(lines) if line.startswith("all"))
        at = lines[rule - 1].index("task")
        assert "".join(line[:at].strip() for line in lines[rule + 1 : end]) == model
        assert "".join(line[at:].split("  ")[0].strip() for line in lines[rule + 1 : end]) == task

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"),
            (12_288, "12,288"),
            (999_999, "999,999"),
            (1_000_000, "1M"),
            (2_617_812, "2.618M"),
            (999_940_000, "999.9M"),
            (999_960_000, "1G"),
            (10**15, "1P"),
        ],
    )
    def test_human_counts(self, value, text):
        assert human_count(value) == text


class TestOverrides:
    def test_values_are_typed_and_reach_entries_by_name(self, command, example):
        settings = ("sampling.temperature=0", "tasks.tracking.n=3", "models.reader.system=null", "output.path=here")
        options = ("probes.filler_tokens.options.step=7", "models.1.options.max_steps=2", "tasks.addition.n=2")
        ok(command("run", example, *(part for s in (*settings, *options) for part in ("--set", s))))
        spec = json.loads(LocalStore(Path.cwd()).get("here/run.json"))["spec"]
        assert spec["sampling"]["temperature"] == 0
        assert [task["n"] for task in spec["tasks"]] == [3, 2]
        assert spec["models"][0]["system"] is None
        assert spec["models"][1]["options"] == {"relies_on": "question", "max_steps": 2}
        assert spec["probes"][2] == {"name": "filler_tokens", "options": {"step": 7}, "variants": None}

    @pytest.mark.parametrize(
        ("setting", "expected"),
        [
            ("sampling.temprature=1", "Did you mean 'temperature'"),
            ("models.reader.sorce=x", "Did you mean 'source'"),
            ("probes.filler_tokens.options.stp=1", "Did you mean 'step'"),
            ("tasks.traking.n=1", "no entry 'traking'; there are tracking, addition"),
            ("sampling.temperature=warm", "Got 'warm'"),
            ("sampling", "expected key=value"),
        ],
    )
    def test_mistakes(self, command, example, setting, expected):
        code, out, err = command("plan", example, "--set", setting)
        assert (code, out) == (2, "")
        assert expected in err


class TestRun:
    @pytest.fixture(scope="class")
    def finished(self, tmp_path_factory, repo):
        """The folder of a small run, and what the command printed."""
        folder = tmp_path_factory.mktemp("finished")
        settings = ("output.path=run", "tasks.tracking.n=5", "tasks.addition.n=3", "resources.shard_size=2")
        line = ["cotfaith", "run", str(repo / "examples" / "stub.yaml"), *(p for s in settings for p in ("--set", s))]
        with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(io.StringIO()) as out:
            without_ray(monkeypatch, folder)
            monkeypatch.setattr(sys, "argv", line)
            monkeypatch.setenv("COLUMNS", "80")
            with pytest.raises(SystemExit) as end:
                cli_module.main()
        return folder, ok((end.value.code or 0, out.getvalue(), "see above"))

    @pytest.fixture
    def done(self, command, finished, monkeypatch):
        """The command's output; the working directory is the one in which it ran."""
        folder, printed = finished
        monkeypatch.chdir(folder)
        return printed

    def test_the_summary_shows_names_and_numbers_whole(self, done):
        lines = rows(done.split("Estimates")[1], 7)
        assert sorted(line[:2] for line in lines if line[0] in ("reader", "ignorer")) == sorted(
            [m, t] for m in ("reader", "ignorer") for t in ("tracking", "addition")
        )
        counts = {tuple(line[:2]): line[6] for line in lines if "/" in line[6]}
        assert counts["reader", "tracking"] == "5/5"
        assert counts["ignorer", "addition"] == "3/3"
        assert re.search(r"\d\.\d\d–\d\.\d\d", done)
        assert "Report: run/report.html" in done

    def test_status_counts_all_rows(self, command, done):
        lines = rows(ok(command("status", "run")), 7)[1:]
        assert len(lines) == 2 * 2 * 4  # models, tasks, chains and three probes
        assert {line[3] for line in lines if line[1] == "tracking"} == {"3/3"}
        assert {line[3] for line in lines if line[1] == "addition"} == {"2/2"}
        found = read_tables(LocalStore(Path("run")))
        assert sum(number(line[4]) for line in lines) == found["chains"].height + found["observations"].height
        assert all(line[4] == line[5] and line[6] == "-" for line in lines)

    def test_aggregate_and_report_write_what_run_wrote(self, command, done):
        estimates = pl.read_parquet("run/estimates.parquet")
        for name in ("estimates.parquet", "report.html"):
            Path("run", name).unlink()
        assert "Estimates: run/estimates.parquet" in ok(command("aggregate", "run"))
        assert pl.read_parquet("run/estimates.parquet").equals(estimates)
        assert "Report: run/report.html" in ok(command("report", "run"))
        assert Path("run/report.html").stat().st_size > 50_000

    def test_show_prints_an_item_with_all_arms(self, command, done):
        found = read_tables(LocalStore(Path("run")))
        item = found["items"].filter(pl.col("task") == "addition").row(0, named=True)
        text = ok(command("show", "run", item["item_id"], "--full"))
        assert item["question"].split("\n")[0][:60] in text
        arms = found["observations"].filter(item_id=item["item_id"])["arm"].unique().to_list()
        assert len(arms) > 3
        assert all(f" {arm} " in text for arm in arms)

    def test_show_names_the_nearest_item(self, command, done):
        code, out, err = command("show", "run", "addition-00001")
        assert (code, out) == (2, "")
        assert "Nearest: addition-000001" in err


def test_version(command):
    assert ok(command("--version")) == f"cotfaith {cotfaith.__version__}\n"


def test_help_names_every_command(command):
    text = ok(command("--help"))
    assert all(f" {name} " in text for name in ("plan", "run", "status", "aggregate", "report", "show", "schema"))
