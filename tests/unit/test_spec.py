import pickle

import pytest

from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.schemas import errors
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import RunSpec, parse_spec

MINIMAL = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}


def test_minimal_spec_has_the_papers_sampling():
    spec = parse_spec(MINIMAL)
    assert (spec.sampling.temperature, spec.sampling.top_p) == (0.8, 0.95)


def test_probe_names_stand_for_probes():
    spec = parse_spec(MINIMAL | {"probes": ["no_cot", {"name": "filler_tokens", "options": {"step": 2}}]})
    assert [(p.name, p.options) for p in spec.probes] == [("no_cot", {}), ("filler_tokens", {"step": 2})]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"smapling": {}}, "Did you mean 'sampling'"),
        ({"sampling": {"temprature": 1}}, "Did you mean 'temperature'"),
        ({"models": [{"id": "m", "engine": "stub", "rolse": []}]}, "Did you mean 'roles'"),
        ({"models": [{"id": "m"}]}, "has no source"),
        ({"models": [{"id": "a/b", "engine": "stub"}]}, "models.0.id"),
        ({"models": MINIMAL["models"] * 2}, "model id given twice: m"),
        ({"tasks": [{"name": "t"}]}, "either a generator or a file"),
        ({"tasks": []}, "at least 1 item"),
        ({"sampling": {"top_p": 0}}, "greater than 0"),
        ({"models": [{"id": "m", "engine": "stub", "roles": ["judge"]}]}, "no model has the role 'subject'"),
        ({"seed": "x"}, "valid integer"),
    ],
)
def test_mistakes_are_named(change, expected):
    with pytest.raises(SpecError, match=None) as caught:
        parse_spec(MINIMAL | change, "my.yaml")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("my.yaml")


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SpecError) as caught:
        parse_spec({"models": MINIMAL["models"], "taks": [], "sampling": {"top_p": 9}})
    text = str(caught.value)
    assert "tasks: this key is required" in text
    assert "taks" in text
    assert "top_p" in text


def test_spec_survives_a_round_trip_and_is_picklable():
    spec = parse_spec(MINIMAL)
    assert RunSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_schema_describes_every_field():
    schema = RunSpec.model_json_schema()
    for name, section in schema["$defs"].items():
        for field, content in section["properties"].items():
            assert content.get("description") or field in ("name", "models"), f"{name}.{field} has no description"


def test_every_error_is_picklable_and_in_the_tree():
    found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(found) > 8
    for kind in found:
        copy = pickle.loads(pickle.dumps(kind("what happened")))
        assert type(copy) is kind
        assert str(copy) == "what happened"
        assert issubclass(kind, errors.CotfaithError)


class TestFile:
    def write(self, folder, text):
        path = folder / "spec.yaml"
        path.write_text(text)
        return path

    def test_overrides(self, tmp_path):
        path = self.write(
            tmp_path, "models: [{id: m, engine: stub}]\ntasks: [{name: t, generator: addition, n: 3}]\nsampling:\n"
        )
        spec = load_spec(path, ["sampling.temperature=0", "tasks.t.n=7", "models.0.options.max_steps=2", "seed=5"])
        assert (spec.sampling.temperature, spec.tasks[0].n, spec.seed) == (0, 7, 5)
        assert spec.models[0].options == {"max_steps": 2}

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("seed", "expected key=value"),
            ("tasks.x.n=1", "no entry 'x'; there are t"),
            ("sed=1", "Did you mean 'seed'"),
            ("seed.x=1", "is a value and has no keys"),
        ],
    )
    def test_bad_overrides(self, tmp_path, override, expected):
        path = self.write(tmp_path, "seed: 1\nmodels: [{id: m, engine: stub}]\ntasks: [{name: t, generator: addition}]")
        with pytest.raises(SpecError) as caught:
            load_spec(path, [override])
        assert expected in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("a: [", "not valid YAML"), ("- 1", "expected a mapping"), ("", "expected a mapping")],
    )
    def test_malformed_files(self, tmp_path, text, expected):
        with pytest.raises(SpecError, match=expected):
            load_spec(self.write(tmp_path, text))

    def test_missing_file(self, tmp_path):
        with pytest.raises(SpecError, match="no such spec file"):
            load_spec(tmp_path / "nothing.yaml")
