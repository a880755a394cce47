"""The JSON Schema of a spec: what editors complete, what they flag, and that it takes no less than the spec does."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.plan.spec_schema import spec_schema
from cotfaith.schemas.spec import RunSpec, parse_spec
from cotfaith.workers.engines import ENGINES
from cotfaith.workers.interventions import INTERVENTIONS
from cotfaith.workers.probes import PROBES
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.generators import GENERATORS

FOLDER = Path(__file__).parents[2]
EXAMPLES = sorted((FOLDER / "examples").glob("*.yaml"))
MODEL, TASK = {"id": "m", "engine": "stub"}, {"name": "t", "generator": "addition"}
SERVER = {"id": "m", "source": "s", "engine": "openai"}
WEIGHTS = {"id": "m", "source": "s"}
FILE = {"name": "t", "file": "f.json"}


@pytest.fixture(scope="module")
def schema():
    return spec_schema()


@pytest.fixture(scope="module")
def validator(schema):
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def valid(validator):
    """A function that says whether the schema takes a spec with these parts."""

    def check(model=MODEL, task=TASK, **more):
        return validator.is_valid({"models": [model], "tasks": [task]} | more)

    return check


def test_it_is_a_json_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_reference_leads_somewhere(schema):
    text = json.dumps(schema)
    targets = {part.split('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert targets <= set(schema["$defs"])
    assert {"probe.no_cot", "engine.openai", "generator.addition"} <= targets


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(validator, path):
    validator.validate(yaml.safe_load(path.read_text()))
    assert isinstance(load_spec(path), RunSpec)


def test_what_is_packaged_is_valid_too(validator):
    specs = [path for path in (FOLDER / "cluster").rglob("*.yaml") if path.parent.name != "verdicts"]  # a policy
    assert specs
    for path in specs:
        validator.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "parts",
    [
        {"probes": [*sorted(PROBES)]},
        {"probes": [{"name": name} for name in PROBES]},
        {"probes": [{"name": "early_answering", "options": {"max_positions": 3}}]},
        {"model": SERVER | {"options": {"base_url": "http://h/v1"}}},
        {"model": WEIGHTS | {"options": {"max_rows": 3}}},
        {"model": WEIGHTS | {"engine": "transformers"}},
        {"task": TASK | {"options": {"operands": [2]}, "file": None}},
        {"task": FILE | {"fields": {"question": "q", "gold": 2, "choices": ["a", 3]}, "gold_is": "index"}},
        {"model": WEIGHTS | {"roles": ["subject", "judge", "monitor", "observer"]}},
        {"task": FILE | {"adapter": "gsm8k", "generator": None}},
        {"task": FILE | {"adapter": "chains", "gold_is": "label", "shuffle": True}},
        {"strategies": ["cot", "factored_decomposition"]},
    ],
)
def test_what_it_takes(valid, parts):
    assert valid(**parts)
    parse_spec({"models": [parts.get("model", MODEL)], "tasks": [parts.get("task", TASK)]})


@pytest.mark.parametrize(
    "parts",
    [
        {"sede": 1},
        {"probes": ["no_cott"]},
        {"probes": [{"name": "no_cott"}]},
        {"probes": [{"name": "early_answering", "options": {"max_position": 3}}]},
        {"probes": [{"name": "early_answering", "options": {"max_positions": 0}}]},
        {"probes": [{"name": "no_cot", "options": {"max_positions": 3}}]},
        {"probes": [{"name": "no_cot", "option": {}}]},
        {"model": MODEL | {"engine": "stubb"}},
        {"model": MODEL | {"options": {"max_row": 3}}},
        {"model": WEIGHTS | {"options": {"max_row": 3}}},
        {"model": WEIGHTS | {"engine": "vllm", "options": {"prefix_tree": "off"}}},
        {"model": WEIGHTS | {"roles": ["edtor"]}},
        {"model": SERVER},
        {"model": SERVER | {"options": {"model": "m"}}},
        {"task": {"name": "t"}},
        {"task": TASK | FILE},
        {"task": TASK | {"generator": "additon"}},
        {"task": TASK | {"options": {"operandz": [2]}}},
        {"task": TASK | {"fields": {"gold": "g"}}},
        {"task": TASK | {"adapter": "bbh"}},
        {"task": FILE | {"adapter": "bhb"}},
        {"task": FILE | {"adapter": "gsm8k", "fields": {"gold": "g"}}},
        {"task": FILE | {"adapter": "gsm8k", "answer_format": "number"}},
        {"task": FILE | {"options": {"operands": [2]}}},
        {"strategies": ["cott"]},
    ],
)
def test_what_it_flags(valid, parts):
    assert not valid(**parts)


@pytest.mark.parametrize("registry", [PROBES, ENGINES, GENERATORS], ids=lambda registry: registry.plural)
def test_every_option_is_described_and_has_its_default(schema, registry):
    for name, thing in registry.items():
        options = schema["$defs"][f"{registry.word}.{name}"]
        assert set(options["properties"] if thing.options.model_fields else ()) == set(thing.options.model_fields)
        for key, option in options.get("properties", {}).items():
            assert option.get("description"), (name, key)
            assert ("default" in option) != (key in options.get("required", ())), (name, key)


def test_names_are_completed_with_their_line(schema):
    names, entry = schema["properties"]["probes"]["items"]["anyOf"]
    assert entry == {"$ref": "#/$defs/ProbeSpec"}
    assert {one["const"]: one["description"] for one in names["oneOf"]} == {n: p.summary for n, p in PROBES.items()}
    adapters = schema["$defs"]["TaskSpec"]["properties"]["adapter"]
    assert [one["const"] for one in adapters["oneOf"]] == list(ADAPTERS)
    assert adapters["default"] == "mapped"


def test_the_command_takes_plug_ins(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    things = dict(PROBES.things)
    (tmp_path / "mine_in_schema.py").write_text(
        "import dataclasses\nfrom cotfaith.workers.probes import PROBES\n"
        "from cotfaith.workers.registry import register\n"
        "register(dataclasses.replace(PROBES['early_answering'], name='mine'))\n"
    )
    try:
        code, out, err = cli("schema", "--plugin", "mine_in_schema")
    finally:
        PROBES.things.clear()
        PROBES.things.update(things)
    assert (code, err) == (0, "")
    made = jsonschema.Draft202012Validator(json.loads(out))
    spec = {"models": [MODEL], "tasks": [TASK]}
    assert made.is_valid(spec | {"probes": ["mine", {"name": "mine", "options": {"max_positions": 2}}]})
    assert not made.is_valid(spec | {"probes": [{"name": "mine", "options": {"max_position": 2}}]})


def test_interventions_are_completed_and_checked(valid):
    assert valid(interventions=["suggested_answer"])
    assert valid(interventions=[{"name": "suggested_answer", "arms": ["wrong"], "options": {"text": "{answer}?"}}])
    assert not valid(interventions=["suggest_answer"])
    assert not valid(interventions=[{"name": "suggested_answer", "options": {"txt": "{answer}?"}}])


WORDS = {"chains", "mapped"}
"""Names that the spec's own keys speak of."""


def test_the_spec_itself_lists_no_name_that_is_registered():
    said = set(re.findall(r"\w+", json.dumps(RunSpec.model_json_schema())))
    for registry in (PROBES, INTERVENTIONS, GENERATORS, ADAPTERS):
        assert said & set(registry) - WORDS == set(), registry.plural
