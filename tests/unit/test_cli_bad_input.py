"""Every mistake of a user ends with exit code 2 and one message, before a model loads or a file is written."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from runs_here import begin_only

from cotfaith.workers.engines import ENGINES

STUB = {"id": "m", "engine": "stub"}
REAL = {"id": "m", "engine": "transformers"}
GENERATED = {"name": "t", "generator": "addition", "n": 2}
CHOICES = {"name": "t", "generator": "tracking_objects", "n": 2}


def spec(**changes):
    return {"models": [STUB], "tasks": [GENERATED], "probes": ["no_cot"], "output": {"path": "run"}} | changes


def stub(**options):
    return spec(models=[STUB | {"options": options}])


def from_file(*records, name="items.jsonl", text=None, **changes):
    """A spec with a task whose file has ``records``, and that file."""
    task = {"name": "t", "file": name, "fields": {"question": "q", "gold": "g"}} | changes
    lines = "".join(json.dumps(record) + "\n" for record in records)
    return spec(tasks=[task]), {name: lines if text is None else text}


WITH_CHOICES = {"fields": {"question": "q", "gold": "g", "choices": "c"}}
WITH_IDS = {"fields": {"question": "q", "gold": "g", "id": "i"}}
ADDITION = {"q": "1 + 1?", "g": "2"}

SPECS = {
    "not YAML": ("models: [", "spec.yaml", "not valid YAML: line 1"),
    "no mapping": ("- models", "spec.yaml", "expected a mapping", "got a list"),
    "empty": ("", "spec.yaml", "expected a mapping", "it is empty"),
    "not text": (b"\xff\xfe", "spec.yaml", "UTF-8"),
    "no tasks": ({"models": [STUB]}, "tasks", "required"),
    "unknown key": (spec(smapling={}), "Unknown key 'smapling'", "Did you mean 'sampling'"),
    "nested key": (spec(sampling={"temprature": 1}), "sampling.temprature", "Did you mean 'temperature'"),
    "key of an entry": (spec(models=[STUB | {"sorce": "x"}]), "models.0.sorce", "Did you mean 'source'"),
    "wrong type": (spec(sampling={"temperature": "hot"}), "sampling.temperature", "number", "'hot'"),
    "a list wanted": (spec(models="m"), "models", "expected a list", "'m'"),
    "a section wanted": (spec(sampling=None), "sampling", "expected a mapping", "None"),
    "a path for a name": (spec(models=[STUB | {"id": "../up"}]), "models.0.id", "letters, digits", "'../up'"),
    "a name in two lines": (spec(tasks=[GENERATED | {"name": "t\n"}]), "tasks.0.name", "letters, digits"),
    "no entries": (spec(tasks=[]), "tasks", "at least 1 item"),
    "unknown probe": (spec(probes=["early_answring"]), "probe 'early_answring'", "Did you mean 'early_answering'"),
    "probe option": (
        spec(probes=[{"name": "filler_tokens", "options": {"stp": 1}}]),
        "probes.filler_tokens.options",
        "Did you mean 'step'",
    ),
    "unknown engine": (spec(models=[REAL | {"engine": "transfomers", "source": "x"}]), "Did you mean 'transformers'"),
    "engine option": (stub(max_step=1), "models.m.options", "Did you mean 'max_steps'"),
    "unknown adapter": (spec(tasks=[{"name": "t", "file": "f.json", "adapter": "gsm8"}]), "task 't'", "mean 'gsm8k'"),
    "unknown generator": (spec(tasks=[GENERATED | {"generator": "adition"}]), "task 't'", "Did you mean 'addition'"),
    "generator option": (spec(tasks=[GENERATED | {"options": {"digit": 1}}]), "task 't'", "Did you mean 'digits'"),
    "two origins": (spec(tasks=[GENERATED | {"file": "f.json"}]), "task 't'", "either a generator or a file"),
    "output is another storage": (spec(output={"path": "gs://bucket/run"}), "output.path: gs:// is", "name a folder"),
    "output has no bucket": (spec(output={"path": "s3:///run"}), "output.path", "Write s3://bucket/prefix"),
    "output is nothing": (spec(output={"path": ""}), "output.path", "name a folder"),
}

CAPABILITIES = {
    "a probe needs scores": (
        stub(can_score=False) | {"tasks": [CHOICES]},
        "probe 'no_cot'",
        "Engine 'stub' of model 'm' offers only generate and prefill",
        "answer_by: generate",
    ),
    "a probe needs scores of texts": (
        stub(can_score=False) | {"probes": ["cc_shap"]},
        "Task 't' needs score for probe 'cc_shap'",
        "Engine 'stub' of model 'm' offers only generate and prefill",
        "Use the transformers engine, or remove the probe",
    ),
    "a chain needs an opened turn": (
        stub(can_prefill=False),
        "prefill",
        "Engine 'stub'",
        "Use the transformers engine",
    ),
    "answers cannot be scored": (
        spec(tasks=[GENERATED | {"answer_by": "score"}]),
        "number answers",
        "auto or generate",
    ),
}

FILES = {
    "missing": ((spec(tasks=[{"name": "t", "file": "no.json"}]), {}), "no.json", "no such file", "working directory"),
    "of no kind": (from_file(text="x", name="items.txt"), "items.txt", "name it .csv"),
    "empty": (from_file(), "items.jsonl", "the file is empty", "Fill it"),
    "blank": (from_file(text=" \n\n"), "items.jsonl", "the file is empty", "Fill it"),
    "without records": (from_file(text="[]", name="items.json"), "items.json", "no records", "Fill it"),
    "broken": (from_file(ADDITION, text='{"q": 1'), "items.jsonl, line 1", "not JSON"),
    "without a field": (from_file(ADDITION, {"q": "1 + 2?", "gold": "3"}), "record 1", "'g' is missing", "has q, gold"),
    "with an id twice": (
        from_file(ADDITION | {"i": "a"}, {"q": "1 + 2?", "g": "3", "i": "a"}, **WITH_IDS),
        "item 'a'",
        "item number 0 has the same id",
        "Make ids unique",
    ),
    "gold is no choice": (from_file(ADDITION | {"c": ["3", "4"]}, **WITH_CHOICES), "record 0", "gold '2'", "A: '3', B"),
    "gold is no label": (
        from_file({"q": "?", "g": "C", "c": ["3", "4"]}, **WITH_CHOICES),
        "record 0",
        "gold 'C'",
        "give a label, a text or an index",
    ),
    "gold is no number": (from_file(ADDITION | {"g": "two"}, answer_format="number"), "gold 'two'", "not a number"),
}

SOURCES = {
    "given": ({}, "model 'm' has no source", "set a folder"),
    "a folder that exists": ({"source": "./nowhere"}, "models.m.source", "'./nowhere' is not a folder", "hub id"),
    "a hub id that exists": ({"source": "nobody/nothing"}, "models.m.source", "no model 'nobody/nothing'", "hub id"),
    "a folder, not a file": ({"source": "/dev/null"}, "models.m.source", "'/dev/null' is not a folder", "hub id"),
    "a folder with weights": ({"source": "."}, "models.m.source", "no safetensors file", "save_pretrained"),
}

CONFLICTS = {
    "seed": ({"seed": 1}, "seed: the run has 0, the spec 1"),
    "sampling": ({"sampling": {"temperature": 0}}, "sampling.temperature: the run has 0.8, the spec 0.0"),
    "weights": ({"models": [STUB | {"options": {"max_steps": 9}}]}, "models.m.options"),
}


def no_model(*_, **__):
    raise AssertionError("a model was to be loaded")


@pytest.fixture
def command(tmp_path, monkeypatch, cli):
    """Runs a command line in an empty folder where neither Ray nor an engine can start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ray.init", no_model)
    for name, kind in list(ENGINES.items()):
        monkeypatch.setitem(ENGINES.things, name, replace(kind, make=no_model))
    return cli


def write(folder, content, files=None):
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    if isinstance(content, bytes):
        (folder / "spec.yaml").write_bytes(content)
    else:
        (folder / "spec.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))


def check(command, folder, expected, *arguments):
    """Run; the code is 2, there is one message with all of ``expected``, and nothing in ``folder`` changes."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, out, err = command(*(arguments or ("run", "spec.yaml")))
    assert code == 2, err
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("Error") == 1
    assert len(err.strip().splitlines()) == 1
    for text in expected:
        assert text in err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("content", "expected"), [(c, e) for c, *e in SPECS.values()], ids=SPECS)
def test_a_wrong_spec(command, tmp_path, content, expected):
    write(tmp_path, content)
    check(command, tmp_path, expected)


@pytest.mark.parametrize(("content", "expected"), [(c, e) for c, *e in CAPABILITIES.values()], ids=CAPABILITIES)
def test_an_engine_that_cannot_serve(command, tmp_path, content, expected):
    write(tmp_path, content)
    check(command, tmp_path, expected)


@pytest.mark.parametrize(("content", "expected"), [(c, e) for c, *e in FILES.values()], ids=FILES)
def test_a_task_file(command, tmp_path, content, expected):
    write(tmp_path, *content)
    check(command, tmp_path, expected)


@pytest.mark.parametrize(("change", "expected"), [(c, e) for c, *e in SOURCES.values()], ids=SOURCES)
def test_a_models_source_is_not(command, tmp_path, change, expected):
    write(tmp_path, spec(models=[REAL | change]))
    check(command, tmp_path, expected)


def test_a_folder_without_tokenizer(command, tmp_path):
    (tmp_path / "model").mkdir()
    files = {"model/config.json": '{"model_type": "llama"}', "model/model.safetensors": "never read"}
    write(tmp_path, spec(models=[REAL | {"source": "model"}]), files)
    check(command, tmp_path, ["No tokenizer", "'model'", "save_pretrained"])


def test_a_missing_spec(command, tmp_path):
    check(command, tmp_path, ["nowhere.yaml", "no such spec file", "examples/"], "run", "nowhere.yaml")


@pytest.mark.parametrize("name", ["plan", "run", "validate"])
def test_a_spec_that_is_elsewhere(command, tmp_path, name):
    check(command, tmp_path, ["SPEC: expected a file on this machine"], name, "s3://AKIA:hunter2@bucket/spec.yaml")


def test_a_page_that_is_elsewhere(command, tmp_path):
    check(command, tmp_path, ["--markdown: expected a file on this"], "validate", "--markdown", "s3://b:hunter2/p.md")


def test_an_output_below_a_file(command, tmp_path):
    write(tmp_path, spec(output={"path": "spec.yaml/run"}))
    check(command, tmp_path, ["output.path: 'spec.yaml' is a file", "name a folder"])


@pytest.mark.parametrize(
    ("text", "expected"), [("{", "cannot be read"), ('{"run_id": "r"}', "has no created, identity")]
)
def test_an_output_that_holds_something_else(command, tmp_path, text, expected):
    (tmp_path / "run").mkdir()
    write(tmp_path, spec(), {"run/run.json": text})
    check(command, tmp_path, [expected, "Use another folder"])
    check(command, tmp_path, [expected, "Use another folder"], "status", "run")


@pytest.mark.parametrize("name", ["status", "aggregate", "report"])
def test_no_run_there(command, tmp_path, name):
    check(command, tmp_path, ["there is no run here", "cotfaith run SPEC"], name, "nowhere")


@pytest.mark.parametrize(("change", "expected"), CONFLICTS.values(), ids=CONFLICTS)
def test_an_output_that_holds_another_run(command, tmp_path, monkeypatch, change, expected):
    begin_only(monkeypatch)
    write(tmp_path, spec())
    assert command("run", "spec.yaml")[0] == 0
    write(tmp_path, spec(**change))
    before = (tmp_path / "run" / "run.json").read_bytes()
    code, out, err = command("run", "spec.yaml")
    assert (code, out) == (2, "")
    assert "run holds a run that this spec contradicts" in err
    assert expected in err
    assert "Use another output.path" in err
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_other_weights_are_another_run(command, tmp_path, monkeypatch):
    """The same folder of weights, with other content."""
    begin_only(monkeypatch)
    monkeypatch.setattr("cotfaith.cluster.plan.plan.load_codec", lambda *_: None)
    monkeypatch.setattr("cotfaith.workers.engines.resolved.load_codec", lambda *_: None)
    monkeypatch.setattr("cotfaith.cluster.plan.checks.check_template", lambda *_: [])
    monkeypatch.setattr("cotfaith.cluster.plan.plan.template_digest", lambda *_: "none")
    monkeypatch.setattr("cotfaith.cluster.fleet.run.overflow_warnings", lambda _: [])
    monkeypatch.setattr("cotfaith.cluster.plan.plan.tokenizer_notes", lambda *_: [])
    (tmp_path / "model").mkdir()
    weights = "model/model.safetensors"
    write(tmp_path, spec(models=[REAL | {"source": "model"}]), {"model/config.json": "{}", weights: "1"})
    assert command("run", "spec.yaml")[0] == 0
    (tmp_path / weights).write_text("2")
    code, _, err = command("run", "spec.yaml")
    assert code == 2
    assert "models.m.weights: the run has" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rum", "spec.yaml"], "No such command 'rum'"),
        (["run"], "Missing argument"),
        (["run", "spec.yaml", "--sett", "seed=1"], "No such option: --sett"),
        (["plan", "spec.yaml", "--chain-tokens", "0"], "'--chain-tokens'"),
    ],
)
def test_a_wrong_command_line(command, arguments, expected):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert "--help" in err


@pytest.mark.parametrize("content", [spec(smapling={}), from_file()[0]], ids=["a wrong key", "an empty file"])
def test_in_a_process_of_its_own_torch_stays_out(tmp_path, content):
    """The real command line: its imports show that no model can have been loaded."""
    write(tmp_path, content, {"items.jsonl": ""})
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*{'torch', 'transformers'} & set(sys.modules)))\n"
        "from cotfaith.cluster.cli.app import main\n"
        "main()"
    )
    line = [sys.executable, "-c", code, "run", "spec.yaml"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
