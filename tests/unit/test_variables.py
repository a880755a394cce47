"""The product's environment variables: one list in code, pages and ``--help``, and who counts before whom."""

import re

import pytest
from commands import click_command, in_process, write_spec
from runs_here import without_ray

import cotfaith
from cotfaith.cluster.plan.environment import known_variables
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.variables import CACHE, MEANINGS, OUTPUT, RAY_ADDRESS, told

NAME = re.compile(r"(?<![A-Z_])COTFAITH_[A-Z_]+\b")
CODE = ("schemas/**/*.py", "workers/**/*.py", "cluster/**/*.py", "infra/**/*")
PAGES = ("README.md", "SECURITY.md", "docs/*.md")
SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 2}],
    "probes": ["no_cot"],
    "output": {"path": "own"},
    "resources": {"ray_address": "of-the-spec"},
}
ADDRESS_TAKERS = {"aggregate", "report", "gate", "select"}


def named(repo, patterns):
    """Return the variables that files name, without those that other programs make of the prefix."""
    files = {
        path for pattern in patterns for path in repo.glob(pattern) if path.is_file() and "package" not in path.parts
    }
    return {name for path in files for name in NAME.findall(path.read_text(errors="replace"))}


def test_the_code_names_those_that_have_a_meaning(repo):
    assert named(repo, CODE) == set(known_variables())


def test_the_pages_name_each_and_no_other(repo):
    assert named(repo, PAGES) == set(known_variables())
    table = (repo / "docs/resources.md").read_text().split("## Environment variables")[1].split("\n## ")[0]
    assert set(NAME.findall(table)) >= set(MEANINGS)


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        ("plan", {OUTPUT, RAY_ADDRESS, CACHE}),
        ("run", {OUTPUT, RAY_ADDRESS, CACHE}),
        ("try", {OUTPUT, RAY_ADDRESS, CACHE}),
        ("validate", {RAY_ADDRESS, CACHE}),
        ("loss", {CACHE}),
        ("import", {CACHE}),
        *((name, {RAY_ADDRESS}) for name in sorted(ADDRESS_TAKERS)),
        ("status", set()),
        ("verify", set()),
    ],
)
def test_help_names_what_a_command_reads(command, variables):
    assert set(NAME.findall(in_process(command, "--help", width=200).stdout)) == variables


def test_the_end_of_a_help_text():
    assert told(CACHE) == f"Environment: {CACHE} {MEANINGS[CACHE]}."
    assert told(OUTPUT).endswith("counts as not set.")


class TestOrder:
    @pytest.fixture
    def asked(self, tmp_path, monkeypatch):
        """A function that gives a command as far as its run; it returns the run's folder and cluster."""
        specs = []

        def execute(spec, *_, **__):
            specs.append((spec.output.path, spec.resources.ray_address))
            raise RunFailedError("far enough")

        monkeypatch.setattr("cotfaith.cluster.fleet.run.execute", execute)

        def command(name, *arguments, **changes):
            done = in_process(name, write_spec(tmp_path, SPEC | changes), *arguments, cwd=tmp_path)
            assert "far enough" in done.stderr
            return specs.pop()

        return command

    def test_an_option_counts_before_the_variable_and_that_before_the_spec(self, asked, monkeypatch):
        assert asked("run") == ("own", "of-the-spec")
        monkeypatch.setenv(OUTPUT, "elsewhere")
        monkeypatch.setenv(RAY_ADDRESS, "of-the-variable")
        assert asked("run") == ("elsewhere", "of-the-variable")
        assert asked("run", output={}, resources={}) == ("elsewhere", "of-the-variable")
        options = ["--set", "output.path=third", "--set", "resources.ray_address=of-the-option"]
        assert asked("run", *options) == ("third", "of-the-option")

    def test_an_empty_variable_is_not_set(self, asked, monkeypatch):
        monkeypatch.setenv(OUTPUT, "")
        monkeypatch.setenv(RAY_ADDRESS, "")
        assert asked("run") == ("own", "of-the-spec")
        assert asked("validate") == ("runs/validate", "of-the-spec")

    def test_validate_reads_the_cluster_and_not_the_folder(self, asked, monkeypatch):
        monkeypatch.setenv(OUTPUT, "elsewhere")
        monkeypatch.setenv(RAY_ADDRESS, "of-the-variable")
        assert asked("validate") == ("runs/validate", "of-the-variable")
        assert asked("validate", "--out", "own-2", "--set", "resources.ray_address=x") == ("own-2", "x")

    def test_a_script_states_its_own(self, tmp_path, monkeypatch):
        monkeypatch.setenv(OUTPUT, "elsewhere")
        monkeypatch.chdir(tmp_path)
        without_ray(monkeypatch)
        cotfaith.run(SPEC | {"resources": {}})
        assert (tmp_path / "own" / "run.json").is_file()
        assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("command", sorted(ADDRESS_TAKERS))
def test_the_option_ray_counts_before_its_variable(command, monkeypatch):
    def address(*arguments):
        with click_command().commands[command].make_context(command, ["run", *arguments]) as context:
            return context.params["ray"]

    assert address() is None
    monkeypatch.setenv(RAY_ADDRESS, "of-the-variable")
    assert address() == "of-the-variable"
    assert address("--ray", "of-the-option") == "of-the-option"
    monkeypatch.setenv(RAY_ADDRESS, "")
    assert address() is None


def test_other_variables_of_the_prefix_end_in_no_file(tmp_path, monkeypatch):
    """A key that somebody puts into a variable like ours is in nothing that a run writes or prints."""
    without_ray(monkeypatch)
    monkeypatch.setenv("COTFAITH_API_KEY", "sk-planted-1234")
    done = in_process("run", write_spec(tmp_path, SPEC | {"resources": {}}), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "COTFAITH_API_KEY, which has no effect" in " ".join(done.stderr.split())
    assert load_run(open_store(str(tmp_path / "own"))).n_items == {"t": 2}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(b"sk-planted" in path.read_bytes() for path in files)
    assert "sk-planted" not in done.stdout + done.stderr
