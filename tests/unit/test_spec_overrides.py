"""What changes a spec from outside: variables, ``--limit``, and ``dtype: auto``, which the plan resolves."""

from types import SimpleNamespace

import pytest
from commands import in_process, write_spec
from runs_here import without_ray

from cotfaith.cluster.plan.dtypes import with_dtypes
from cotfaith.cluster.plan.environment import environment_overrides
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import parse_spec

STUB = {"id": "m", "engine": "stub"}
SPEC = {"models": [STUB], "tasks": [{"name": "t", "generator": "addition", "n": 5}], "probes": ["no_cot"]}


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Do a run of the spec by the command line; return what it printed."""
    without_ray(monkeypatch)
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0, **changes):
        done = in_process("run", write_spec(tmp_path, SPEC | changes), *arguments)
        assert done.returncode == code, done.stderr
        return done

    return run


class TestVariables:
    @pytest.mark.parametrize("path", ["runs/a", "s3://bucket/a b", "a: b", "#7", 'a"b', "null", "1"])
    def test_any_path_is_taken_as_it_is(self, tmp_path, path):
        overrides = environment_overrides({"COTFAITH_OUTPUT": path, "COTFAITH_RAY_ADDRESS": path})
        spec = load_spec(write_spec(tmp_path, SPEC), overrides)
        assert (spec.output.path, spec.resources.ray_address) == (path, path)

    def test_an_empty_one_is_not_set(self):
        assert environment_overrides({"COTFAITH_OUTPUT": "", "COTFAITH_RAY_ADDRESS": "", "HOME": "/root"}) == []

    def test_one_that_is_unknown_is_named_with_the_nearest_and_without_its_value(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COTFAITH_OUPUT", "a-secret")
        monkeypatch.setenv("COTFAITH_CACHE", str(tmp_path))
        done = in_process("plan", write_spec(tmp_path, SPEC), cwd=tmp_path, width=300)
        assert done.returncode == 0
        assert "COTFAITH_OUPUT, which has no effect" in done.stderr
        assert "Did you mean 'COTFAITH_OUTPUT'?" in done.stderr
        assert "a-secret" not in done.stderr + done.stdout
        assert done.stderr.count("COTFAITH_CACHE") == 1  # among the known ones

    def test_a_run_says_who_named_its_folder(self, ran, tmp_path, monkeypatch):
        def first(*arguments, **changes):
            return ran(*arguments, **changes).stdout.splitlines()[0]

        assert first() == "Run folder: runs/cotfaith (the default)"
        assert first(output={"path": "own"}) == "Run folder: own (from the spec)"
        monkeypatch.setenv("COTFAITH_OUTPUT", "elsewhere")
        assert first(output={"path": "own"}) == "Run folder: elsewhere (from COTFAITH_OUTPUT)"
        assert first("--set", "output.path=third", output={"path": "own"}) == "Run folder: third (from --set)"
        assert first("--set", "output={path: fourth}") == "Run folder: fourth (from --set)"
        assert all((tmp_path / name / "run.json").is_file() for name in ("own", "elsewhere", "third", "fourth"))

    def test_plan_looks_in_the_same_folder(self, ran, tmp_path, monkeypatch):
        monkeypatch.setenv("COTFAITH_OUTPUT", "elsewhere")
        ran()
        assert "measured in elsewhere" in in_process("plan", write_spec(tmp_path, SPEC), cwd=tmp_path).stdout


class TestLimit:
    def test_a_run_goes_on_under_a_larger_one_and_under_none(self, ran, tmp_path):
        counts = []
        for limit in (["--limit", 2], ["--limit", 4], [], ["--limit", 100]):
            ran(*limit, output={"path": "run"})
            counts.append(load_run(open_store(str(tmp_path / "run"))).n_items)
        assert counts == [{"t": 2}, {"t": 4}, {"t": 5}, {"t": 5}]
        ran(output={"path": "at_once"})
        grown, at_once = (read_tables(open_store(str(tmp_path / name))) for name in ("run", "at_once"))
        for name, table in at_once.items():
            assert table.height > 0
            assert grown[name].drop("run_id").equals(table.drop("run_id"))

    def test_a_smaller_one_is_refused(self, ran):
        ran(output={"path": "run"})
        assert "the run has 5 items of it, the spec 2" in ran("--limit", 2, code=2, output={"path": "run"}).stderr

    def test_plan_counts_so_many_items(self, tmp_path):
        printed = in_process("plan", write_spec(tmp_path, SPEC), "--limit", 3).stdout
        (line,) = [row.split() for row in printed.splitlines() if row.split()[:1] == ["m"]]
        assert line[2] == "3"

    def test_none_is_no_limit(self, tmp_path):
        assert in_process("plan", write_spec(tmp_path, SPEC), "--limit", 0).returncode == 2


class TestDtype:
    def resolved(self, own, **changes):
        model = {"id": "m", "source": "x", "dtype": "auto"} | changes.pop("model", {})
        spec = parse_spec(SPEC | {"models": [model]} | changes)
        made, notes = with_dtypes(spec, lambda _: SimpleNamespace(dtype=own))
        return made.models[0].dtype, " ".join(notes)

    def test_it_is_float32_on_the_cpu(self):
        dtype, note = self.resolved("torch.bfloat16")
        assert (dtype, note) == ("float32", "m: dtype auto is float32, because it runs on the CPU.")

    @pytest.mark.parametrize("own", ["bfloat16", "float16", "float32"])
    def test_it_is_the_checkpoints_own_on_a_gpu(self, own):
        for changes in ({"resources": {"gpus": 1}}, {"model": {"options": {"device": "cuda:1"}}}):
            assert self.resolved(f"torch.{own}", **changes) == (own, f"m: dtype auto is {own}, as its checkpoint.")

    def test_a_device_counts_before_gpus(self):
        changes = {"resources": {"gpus": 1}, "model": {"options": {"device": "cpu"}}}
        assert self.resolved("torch.bfloat16", **changes)[0] == "float32"

    @pytest.mark.parametrize("own", [None, "torch.float64", "torch.float8_e4m3fn"])
    def test_another_format_is_refused(self, own):
        with pytest.raises(ModelSourceError, match="Set dtype to float32"):
            self.resolved(own, resources={"gpus": 1})

    def test_text_models_inside_others_state_it(self):
        config = SimpleNamespace(text_config=SimpleNamespace(dtype="torch.float16"))
        spec = parse_spec(SPEC | {"models": [{"id": "m", "source": "x", "dtype": "auto"}], "resources": {"gpus": 1}})
        assert with_dtypes(spec, lambda _: config)[0].models[0].dtype == "float16"

    def test_engines_without_weights_are_not_asked(self):
        assert self.resolved(None, model={"engine": "stub"}, resources={"gpus": 1})[0] == "float32"

    def test_the_run_records_it_and_says_it(self, ran, tmp_path):
        done = ran(models=[{"id": "m", "engine": "stub", "dtype": "auto"}], output={"path": "run"})
        assert "dtype auto is float32" in done.stderr
        assert load_run(open_store(str(tmp_path / "run"))).identity.models["m"]["dtype"] == "float32"


def test_organisms_are_not_trained_into_the_quickstarts_run():
    printed = in_process("organisms", "train", "--help").stdout
    assert "models/organisms" in printed
    assert "runs/" not in printed
