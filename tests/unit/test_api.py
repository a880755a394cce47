"""`cotfaith.run` without Ray: what it takes, returns and raises."""

import pytest
import yaml
from runs_here import without_ray

import cotfaith
from cotfaith import CotfaithError, InputError, RunHandle, parse_spec

SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 3}],
    "probes": ["no_cot"],
    "output": {"path": "run"},
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    return tmp_path


def as_is(folder):
    return SPEC


def typed(folder):
    return parse_spec(SPEC)


def written(folder):
    (folder / "spec.yaml").write_text(yaml.safe_dump(SPEC))
    return folder / "spec.yaml"


@pytest.mark.parametrize("made", [as_is, typed, written, lambda folder: str(written(folder))])
def test_a_spec_is_a_dictionary_a_spec_or_a_path(here, made, capsys):
    handle = cotfaith.run(made(here))
    assert isinstance(handle, RunHandle)
    assert handle.path == here / "run"
    assert handle.statuses == {"ok": 6}
    assert handle.complete
    assert handle.quarantined == ()
    assert capsys.readouterr() == ("", "")


def test_the_handle_outlives_a_change_of_the_working_directory(here, monkeypatch):
    handle = cotfaith.run(SPEC)
    monkeypatch.chdir("/")
    estimates = handle.estimates
    assert {"accuracy_cot", "accuracy_no_cot"} <= set(estimates["metric"].to_pylist())
    assert {"value", "ci_low", "ci_high"} <= set(estimates.column_names)
    assert "<html" in handle.report.read_text()


def test_out_stands_in_place_of_the_specs_folder(here):
    assert cotfaith.run(SPEC, out=here / "elsewhere").path == here / "elsewhere"
    assert not (here / "run").exists()


def test_run_again_does_nothing_anew(here):
    cotfaith.run(SPEC)
    before = written_parts(here)
    cotfaith.run(SPEC)
    assert written_parts(here) == before
    assert len(before) == 3  # items, chains, observations


def written_parts(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "run" / "_parts").rglob("*") if path.is_file()}


def test_what_was_quarantined_is_told_and_what_is_not_done_is_not_complete(here, monkeypatch):
    from cotfaith.cluster.fleet.driver import RunOutcome

    monkeypatch.setattr("cotfaith.cluster.fleet.run.run_jobs", lambda *_: RunOutcome(quarantined=["m / t: killed"]))
    handle = cotfaith.run(SPEC)
    assert handle.quarantined == ("m / t: killed",)
    assert not handle.complete
    assert not handle.statuses


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({**SPEC, "probes": ["no_cod"]}, "no_cod"),
        ({**SPEC, "seeds": 1}, "seeds"),
        ({}, "models"),
        ({**SPEC, "output": {"path": "half \ud800"}}, "half of a surrogate pair"),
        ("nowhere.yaml", "there is no such spec file"),
    ],
)
def test_a_wrong_spec_raises_and_writes_nothing(here, spec, words):
    with pytest.raises(InputError, match=words):
        cotfaith.run(spec)
    assert not (here / "run").exists()


def test_a_plugin_that_is_not_there_raises(here):
    with pytest.raises(InputError, match="there is no module 'nowhere'"):
        cotfaith.run(SPEC, plugins=["nowhere"])


def test_estimates_that_were_removed_raise(here):
    handle = cotfaith.run(SPEC)
    (here / "run" / "estimates.parquet").unlink()
    with pytest.raises(CotfaithError, match=r"estimates\.parquet: this is missing"):
        _ = handle.estimates


def test_a_path_may_be_a_text_and_begin_at_home(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    written(here)
    assert cotfaith.load_spec("~/spec.yaml") == cotfaith.load_spec(here / "spec.yaml")
    assert cotfaith.run("~/spec.yaml").complete


def test_one_plug_in_may_be_named_by_itself(here):
    with pytest.raises(InputError, match="there is no module 'nowhere'"):
        cotfaith.run(SPEC, plugins="nowhere")
