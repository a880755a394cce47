"""Registries: what is built in is found by its file, plug-ins of every kind come in by one function or entry point."""

import importlib
import subprocess
import sys
from dataclasses import replace

import pytest

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec, parse_spec
from cotfaith.workers.engines import ENGINES, find_engine
from cotfaith.workers.probes import PROBES
from cotfaith.workers.registry import Listed, Registry, register
from cotfaith.workers.roles.judges import JUDGES
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.generators import GENERATORS
from cotfaith.workers.tasks.load import load_task

HOMES = {
    "probes": "cotfaith.workers.probes",
    "engines": "cotfaith.workers.engines",
    "adapters": "cotfaith.workers.tasks.adapters",
    "generators": "cotfaith.workers.tasks.generators",
    "judges": "cotfaith.workers.roles.judges",
}
REGISTRIES = (PROBES, ENGINES, ADAPTERS, GENERATORS, JUDGES)
every_kind = pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.plural)


@pytest.fixture(autouse=True)
def forgotten():
    """What a test registers is forgotten after it."""
    known = [dict(registry.things) for registry in REGISTRIES]
    yield
    for registry, things in zip(REGISTRIES, known, strict=True):
        registry.things.clear()
        registry.things.update(things)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that puts a package where Python looks for installed ones: (name, group, entry, code)."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def put(name, group, entry, code):
        site = tmp_path / f"site_{name}"
        about = site / f"{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: Says {name}.\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
        (site / f"{name}.py").write_text(code)
        sys.path.append(str(site))
        importlib.invalidate_caches()

    return put


def first(registry):
    return next(iter(registry.values()))


@every_kind
def test_a_thing_is_known_under_its_own_name(registry):
    assert len(registry) > 0
    assert all(thing.name == name for name, thing in registry.items())
    assert all(isinstance(thing, registry.kind) for thing in registry.values())
    assert len(registry.built_in) == len({thing.name for thing in registry.built_in})


@every_kind
def test_register_takes_every_kind(registry):
    mine = replace(first(registry), name="mine")
    register(mine)
    register(mine)  # the same again changes nothing
    assert registry.find("mine", "here") is mine
    assert [other for other in REGISTRIES if "mine" in other] == [registry]


@every_kind
def test_a_name_that_is_taken_is_refused(registry):
    old = first(registry)
    article = "an" if registry.word[0] in "aeiou" else "a"
    taken = f"registers {article} {registry.word} '{old.name}', but another {registry.word} has that name"
    with pytest.raises(SpecError, match=taken):
        register(replace(old, summary="other") if registry is not PROBES else replace(old, source="other"))
    assert registry[old.name] is old


@every_kind
@pytest.mark.parametrize("name", ["", "Upper", "a/b", "a.b", "x" * 65])
def test_names_that_keys_could_not_hold(registry, name):
    with pytest.raises(SpecError, match=f"the {registry.word} '.*': expected lower-case letters"):
        register(replace(first(registry), name=name))


@pytest.mark.parametrize("thing", [5, "no_cot", ModelSpec])
def test_what_is_of_no_kind_is_refused(thing):
    with pytest.raises(
        SpecError, match=r"A plug-in registers an? \w+\. Expected one of: Adapter, EngineKind, Gen.*Probe"
    ):
        register(thing)


@every_kind
def test_unknown_names_get_a_suggestion(registry):
    near = first(registry).name + "x"
    with pytest.raises(SpecError, match=f"^here: Unknown {registry.word} '{near}'. Did you mean '{near[:-1]}'"):
        registry.find(near, "here")


@every_kind
def test_entry_points_of_every_kind(registry, install):
    built_in = f"R[{first(registry).name!r}]"
    home = f"from dataclasses import replace\nfrom {HOMES[registry.plural]} import {registry.plural.upper()} as R\n"
    code = f"{home}THING = replace({built_in}, name='mine')\n"
    install(f"good_{registry.word}", registry.group, f"mine = good_{registry.word}:THING", code)
    install(f"evil_{registry.word}", registry.group, f"other = evil_{registry.word}:THING", "raise RuntimeError('no')")
    assert registry.listed()[-2:] == [
        Listed("mine", f"Says good_{registry.word}.", f"package good_{registry.word}"),
        Listed("other", f"Says evil_{registry.word}.", f"package evil_{registry.word}"),
    ]
    assert "mine" not in registry  # it is listed, and nothing of it was imported
    assert registry.find("mine", "here").name == "mine"
    with pytest.raises(SpecError, match=r"here: 'other' from evil_\w+:THING .* cannot be loaded: RuntimeError: no"):
        registry.find("other", "here")


@every_kind
def test_built_in_things_have_a_line_and_no_origin(registry):
    for line in registry.listed():
        assert line.origin == ""
        assert line.summary.endswith(".")
        assert "\n" not in line.summary
        assert "``" not in line.summary


def test_registered_things_say_their_module():
    def read(spec, path, records):
        return []

    register(replace(ADAPTERS["bbh"], name="mine", summary="Mine.", read=read))
    assert ADAPTERS.listed()[-1] == Listed("mine", "Mine.", f"module {__name__}")


def test_a_generator_from_outside_makes_a_tasks_items():
    register(replace(GENERATORS["addition"], name="mine"))
    spec = parse_spec(
        {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "mine", "n": 3}]}
    )
    ours = spec.tasks[0].model_copy(update={"generator": "addition"})
    assert load_task(spec.tasks[0], 0) == load_task(ours, 0)


def test_an_adapter_from_outside_reads_a_file(tmp_path):
    (tmp_path / "f.jsonl").write_text('{"q": "2+2?", "a": "4"}\n')

    def read(spec, path, records):
        return [replace(GENERATED, id="a", question=record["q"]) for record in records]

    GENERATED = load_task(parse_spec(ADDITION).tasks[0], 0)[0]
    register(replace(ADAPTERS["gsm8k"], name="mine", read=read))
    task = {"name": "t", "file": str(tmp_path / "f.jsonl"), "adapter": "mine"}
    (item,) = load_task(parse_spec(ADDITION | {"tasks": [task]}).tasks[0], 0)
    assert item.question == "2+2?"
    with pytest.raises(SpecError, match="adapter 'mine' does not take 'gold_is'"):
        load_task(parse_spec(ADDITION | {"tasks": [task | {"gold_is": "label"}]}).tasks[0], 0)


ADDITION = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition", "n": 1}]}


def test_an_engine_from_outside_is_made_by_its_name():
    register(replace(ENGINES["stub"], name="mine"))
    spec = ModelSpec(id="m", engine="mine", source="x")
    assert find_engine(spec).make(spec, None).capabilities.score


def test_engines_import_nothing_heavy_before_they_are_made():
    code = (
        "import sys; from cotfaith.workers.engines import ENGINES; list(ENGINES.listed())\n"
        "print(sorted({'torch', 'vllm', 'transformers', 'httpx2'} & set(sys.modules)), len(ENGINES))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[] 5\n"


def test_a_registry_imports_what_is_built_in_when_it_is_first_asked():
    asked = []
    registry = Registry(type(first(JUDGES)), "judge", lambda: asked.append(1) or [first(JUDGES)])
    assert asked == []
    assert (list(registry), list(registry), asked) == (["organism"], ["organism"], [1])
