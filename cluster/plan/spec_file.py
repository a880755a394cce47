"""A spec file and ``--set`` overrides -> a checked spec."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cotfaith.cluster.yaml_text import yaml_data
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import RunSpec, parse_spec
from cotfaith.workers.remote.address import is_address
from cotfaith.workers.tasks.unicode import has_half


def load_spec(path: Path | str, overrides: Sequence[str] = (), plugins: Sequence[str] = ()) -> RunSpec:
    """Read ``path`` (YAML or JSON), apply ``key=value`` overrides, check the result, and add ``plugins`` to its own.

    Raises:
        SpecError: the file is missing or not YAML, an override names a place that cannot be set, or the spec is wrong.

    """
    if is_address(str(path)):
        raise SpecError("SPEC: expected a file on this machine, got an address. Copy the spec here and name the copy.")
    path = Path(path).expanduser()
    return check_spec(overridden(_read(path), overrides), str(path), plugins)


def overridden(data: Any, overrides: Sequence[str]) -> Any:
    """Apply ``key=value`` overrides to a spec's keys and values, in place, and return it.

    Raises:
        SpecError: an override names a place that cannot be set.

    """
    for override in overrides if isinstance(data, dict) else ():  # parse_spec refuses anything else
        _apply(data, override)
    return data


def check_spec(data: Any, origin: str = "spec", plugins: Sequence[str] = ()) -> RunSpec:
    """Check a spec's keys and values, and add ``plugins`` to its own; ``origin`` is its name in messages.

    Raises:
        SpecError: the spec is wrong.

    """
    if has_half(data):
        raise SpecError(f"{origin}: a text holds half of a surrogate pair, which no file can hold. Fix that character.")
    return with_plugins(parse_spec(data, origin), plugins)


def with_plugins(spec: RunSpec, plugins: Sequence[str]) -> RunSpec:
    """Return ``spec`` with ``plugins`` after its own, each once."""
    return spec.model_copy(update={"plugins": tuple(dict.fromkeys([*spec.plugins, *plugins]))})


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such spec file. See examples/ for some to start from.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: the spec cannot be read: {error}. Name a YAML file in UTF-8.") from None
    try:
        return yaml_data(text)
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from None


def _apply(data: Any, override: str) -> None:
    """Set one dotted key; a number in the path is an index of a list, a name finds the entry with that id or name."""
    path, separator, text = override.partition("=")
    if not separator or not path:
        raise SpecError(f"--set {override!r}: expected key=value, for example sampling.temperature=0.")
    try:
        value = yaml_data(text)
    except ValueError as error:
        raise SpecError(f"--set {override!r}: {error}") from None
    *parents, last = path.split(".")
    place = data
    for part in parents:
        place = _step(place, part, override)
    if isinstance(place, list):
        place[_index(place, last, override)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise SpecError(f"--set {override!r}: {'.'.join(parents)} is a value and has no keys.")


def _step(place: Any, part: str, override: str) -> Any:
    if isinstance(place, list):
        index = _index(place, part, override)
        if isinstance(place[index], str):  # a bare name stands for {name: ...}
            place[index] = {"name": place[index]}
        return place[index]
    if isinstance(place, dict):
        if place.get(part) is None:
            place[part] = {}
        return place[part]
    raise SpecError(f"--set {override!r}: what stands before {part!r} has no keys.")


def _index(place: list[Any], part: str, override: str) -> int:
    names = [str(entry.get("id", entry.get("name"))) if isinstance(entry, dict) else str(entry) for entry in place]
    if part in names:
        return names.index(part)
    if part.isdigit() and int(part) < len(place):
        return int(part)
    raise SpecError(f"--set {override!r}: no entry {part!r}; there are {', '.join(names) or 'none'}.")
