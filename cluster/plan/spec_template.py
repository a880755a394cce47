"""A spec with every key, its meaning and its default, as text to edit. Generated from the spec's own classes.

A line that begins with ``## `` explains the next key. A line that begins with ``# `` sets a key to its default: without
the ``# `` it is YAML, and changes nothing. The other lines make a small run that works as it is.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cotfaith.schemas.spec import ModelSpec, RunSpec, TaskSpec

_WIDTH = 100
_HEAD = """\
## A run of cotfaith. `cotfaith plan FILE` checks it, `cotfaith run FILE` does it.
## Lines with ## explain, lines with # are defaults: remove the "# " to set a key. The other lines are a small run of a
## packaged model whose chains are known to be faithful; put your own model and questions in their place.
"""
_ENTRIES: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "models": (ModelSpec, {"id": "reasoner", "source": "organism:reasoner"}),
    "tasks": (
        TaskSpec,
        {
            "name": "arithmetic",
            "generator": "serial_arithmetic",
            "options": {"closed": True, "side_channel": True},
            "n": 20,
        },
    ),
}
"""The lists of sections -> what an entry is, and the keys of ours."""
_SET = {"probes": ["no_cot", "early_answering", "filler_tokens"]}


def spec_template() -> str:
    """Return the text."""
    return _HEAD + "\n".join(_run()) + "\n"


def _run() -> Iterator[str]:
    for name, field in RunSpec.model_fields.items():
        yield ""
        if name in _ENTRIES:
            kind, own = _ENTRIES[name]
            yield from _explained(_own_words(kind))
            yield f"{name}:"
            first, *rest = _keys(kind, own, "    ")
            yield from (first.replace("    ", "  - ", 1), *rest)
        elif isinstance(field.default, BaseModel):
            yield from _section(name, field.default, "")
        else:
            yield from _key(name, field, _SET, "")


def _keys(kind: type[BaseModel], own: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield the lines of a section: its required key first, by itself, then all keys with their explanations."""
    fields = dict(kind.model_fields)
    first = next(iter(fields))
    fields.pop(first)
    yield f"{indent}{first}: {_flow(own[first])}"
    for name, field in fields.items():
        if isinstance(field.default, BaseModel):
            yield from _section(name, field.default, indent)
        else:
            yield from _key(name, field, own, indent)


def _section(name: str, default: BaseModel, indent: str) -> Iterator[str]:
    yield from _explained(_own_words(type(default)), indent)
    yield f"{indent}# {name}:"
    for key, field in type(default).model_fields.items():
        yield from _explained(field.description, indent, "##   ")
        yield f"{indent}#   {key}: {_flow(getattr(default, key))}"


def _key(name: str, field: FieldInfo, own: Mapping[str, Any], indent: str) -> Iterator[str]:
    yield from _explained(field.description, indent)
    if name in own:
        yield f"{indent}{name}: {_flow(own[name])}"
    else:
        yield f"{indent}# {name}: {_flow(field.get_default(call_default_factory=True))}"


def _own_words(kind: type[BaseModel]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _explained(text: str | None, indent: str = "", mark: str = "## ") -> list[str]:
    lines = textwrap.wrap(" ".join((text or "").split()), _WIDTH)
    return [f"{indent}{mark}{line}" for line in lines]


def _flow(value: Any) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, tuple):
        value = [one.model_dump() if isinstance(one, BaseModel) else one for one in value]
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()
