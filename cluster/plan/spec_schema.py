"""The JSON Schema (2020-12) of a spec, from the registries: every known name, each with its own options.

In: the spec's own schema (``schemas.spec``), and what is built in or was registered in this process. Out: a schema with
which editors complete and check a spec. Plug-ins of installed packages are named, and their options are left open,
because they are not imported.
"""

from collections.abc import Iterable
from typing import Any

from cotfaith.schemas.spec import RunSpec, Section, TaskSpec
from cotfaith.workers.engines import ENGINES
from cotfaith.workers.interventions import INTERVENTIONS
from cotfaith.workers.probes import PROBES
from cotfaith.workers.registry import Listed, Registry
from cotfaith.workers.roles.table import ROLES
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.adapters.adapter import SETTINGS
from cotfaith.workers.tasks.generators import GENERATORS
from cotfaith.workers.tasks.load import FILE_KEYS

Schema = dict[str, Any]


def spec_schema() -> Schema:
    """Return the schema of the whole spec."""
    schema = RunSpec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    defs, properties = schema["$defs"], schema["properties"]
    _named(defs, properties["probes"], "ProbeSpec", PROBES)
    _named(defs, properties["interventions"], "InterventionSpec", INTERVENTIONS)
    _models(defs)
    _tasks(defs)
    properties["strategies"]["items"] = _one_of(Listed(one.name, one.summary) for one in STRATEGIES.values())
    return schema


def _named(defs: Schema, entries: Schema, section: str, registry: Registry[Any]) -> None:
    """An entry of the list is a bare name, or a name with options."""
    names = _one_of(registry.listed())
    defs[section]["properties"]["name"] |= names
    entries["items"] = {"anyOf": [names, {"$ref": f"#/$defs/{section}"}]}
    defs[section]["allOf"] = [
        _with_options(defs, registry.word, "name", name, one.options) for name, one in registry.items()
    ]


def _models(defs: Schema) -> None:
    model = defs["ModelSpec"]
    _restrict(model["properties"]["engine"], ENGINES.listed())
    model["properties"]["roles"]["items"] = _one_of(Listed(role.name, role.summary) for role in ROLES.values())
    default = model["properties"]["engine"]["default"]
    model["allOf"] = [
        _with_options(defs, "engine", "engine", name, engine.options, given=name != default)
        for name, engine in ENGINES.items()
    ]


def _tasks(defs: Schema) -> None:
    """A task has a generator with its options, or a file with an adapter and its settings."""
    task = defs["TaskSpec"]
    properties = task["properties"]
    default = properties["adapter"]["default"]
    _restrict(properties["generator"], GENERATORS.listed())
    _restrict(properties["adapter"], ADAPTERS.listed())
    task["oneOf"] = [_given("generator"), _given("file")]
    task["allOf"] = [
        *(_with_options(defs, "generator", "generator", n, one.options) for n, one in GENERATORS.items()),
        {"if": _given("generator"), "then": _untouched(FILE_KEYS)},
        {"if": _given("file"), "then": _untouched(("options",))},
        *(
            {
                "if": _is("adapter", name, given=name != default),
                "then": _untouched(key for key in SETTINGS if key not in adapter.settings),
            }
            for name, adapter in ADAPTERS.items()
        ),
    ]


def _one_of(lines: Iterable[Listed]) -> Schema:
    """Return a schema that accepts one of these names; editors show each name's line."""
    return {"oneOf": [{"const": line.name, "description": line.summary} for line in lines]}


def _restrict(place: Schema, lines: Iterable[Listed]) -> None:
    """Make ``place``, which accepts any text, accept only these names, and null if that is its default."""
    place.pop("type", None)
    place.pop("anyOf", None)
    place |= _one_of(lines)
    if place["default"] is None:
        place["oneOf"].append({"type": "null"})


def _given(key: str) -> Schema:
    return {"properties": {key: {"type": "string"}}, "required": [key]}


def _is(key: str, name: str, given: bool = True) -> Schema:
    """Return a schema that holds if ``key`` is ``name``; without ``given`` also if the key is left out."""
    return {"properties": {key: {"const": name}}} | ({"required": [key]} if given else {})


def _untouched(keys: Iterable[str]) -> Schema:
    """Return a schema that holds if these keys of a task have their defaults: other values would have no effect."""
    fields = TaskSpec.model_fields
    return {"properties": {key: {"const": fields[key].get_default(call_default_factory=True)} for key in keys}}


def _with_options(defs: Schema, kind: str, key: str, name: str, options: type[Section], given: bool = True) -> Schema:
    """Define the options of a thing, and return the rule that ``options`` are these if ``key`` is ``name``."""
    place = f"{kind}.{name}"
    own = options.model_json_schema(ref_template=f"#/$defs/{place}.{{model}}")
    defs |= {f"{place}.{part}": definition for part, definition in own.pop("$defs", {}).items()}
    defs[place] = own | {"title": f"Options of {name}"}
    then: Schema = {"properties": {"options": {"$ref": f"#/$defs/{place}"}}}
    if own.get("required"):
        then["required"] = ["options"]
    return {"if": _is(key, name, given), "then": then}
