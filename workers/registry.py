"""Registries: what a spec can name, built in or plugged in, one registry per kind (probes, engines, adapters, ...).

A thing comes from the package itself, from a plug-in module that calls ``register``, or from an installed package with
an entry point in the kind's group. Built-in things are imported when the registry is first asked, and an entry point
when a spec uses its name. Knows nothing about the kinds: each registry is next to the class of its things.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.spec import Section
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.plugins import offered

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # it is part of object keys


class Named(Protocol):
    """The interface of everything that can be registered."""

    @property
    def name(self) -> str:
        """Its name in a spec."""
        ...

    @property
    def summary(self) -> str:
        """Its line in ``cotfaith list``."""
        ...

    @property
    def module(self) -> str:
        """The module of its code."""
        ...


@dataclass(frozen=True)
class Listed:
    """A line of ``cotfaith list``."""

    name: str
    summary: str
    origin: str = ""
    """The package or module that it comes from; "": it is built in."""


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T], Generic[T]):
    """All things of one kind. As a mapping: name -> thing for the imported ones, the built-in ones first."""

    def __init__(self, kind: type[T], word: str, built_in: Callable[[], Iterable[T]]) -> None:
        """``word``: what one is called in messages; its plural names the entry-point group."""
        self.kind = kind
        self.word = word
        self.plural = f"{word}s"
        self.group = f"cotfaith.{self.plural}"
        self._find_built_in = built_in

    @cached_property
    def things(self) -> dict[str, T]:
        """Name -> thing: what is built in, and what was registered in this process."""
        return {thing.name: thing for thing in self.built_in}

    @cached_property
    def built_in(self) -> tuple[T, ...]:
        """What the package itself has."""
        return tuple(self._find_built_in())

    def __getitem__(self, name: str) -> T:
        return self.things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.things)

    def __len__(self) -> int:
        return len(self.things)

    def register(self, thing: T) -> None:
        """Register ``thing`` under its name; registering it again changes nothing.

        Raises:
            SpecError: another thing has that name, or the name or the class of its options is not valid.

        """
        if not _NAME.fullmatch(thing.name):
            raise SpecError(
                f"A plug-in registers the {self.word} {thing.name!r}: expected lower-case letters, digits and '_'."
            )
        options = getattr(thing, "options", Section)
        if not (isinstance(options, type) and issubclass(options, Section)):
            raise SpecError(
                f"A plug-in registers the {self.word} {thing.name!r} with the options {options!r}: expected a "
                "subclass of Section."
            )
        if self.things.setdefault(thing.name, thing) is not thing:
            raise SpecError(
                f"A plug-in registers {self._one} {thing.name!r}, but another {self.word} has that name. Rename one."
            )

    def find(self, name: str, where: str) -> T:
        """Return the thing that a spec names at ``where``; of the entry points, only the one of that name is loaded.

        Raises:
            SpecError: the name does not exist, is ambiguous, or cannot be loaded.

        """
        outside = offered(self.group)
        if name in outside:
            self.register(self._load(outside[name], where))
        if name not in self.things:
            raise SpecError(f"{where}: {unknown(self.word, name, {*self.things, *outside})}")
        return self.things[name]

    def names(self) -> list[str]:
        """Return every name: first of imported things, then of installed packages' things, which are not imported."""
        return [*self.things, *sorted(offered(self.group).keys() - self.things.keys())]

    def listed(self) -> list[Listed]:
        """Return a line for every name, without importing what installed packages offer."""
        return [self._line(name) for name in self.names()]

    def _line(self, name: str) -> Listed:
        thing = self.things.get(name)
        if thing is None:
            entry = offered(self.group)[name][0]
            return Listed(name, _about(entry), f"package {package_of(entry)}")
        return Listed(name, thing.summary, "" if thing in self.built_in else f"module {thing.module}")

    def _load(self, entries: Sequence[EntryPoint], where: str) -> T:
        name = entries[0].name
        origins = [f"{entry.value} (package {package_of(entry)})" for entry in entries]
        if len(entries) > 1:
            raise SpecError(
                f"{where}: several packages offer {self._one} {name!r}: {', '.join(origins)}. Remove all but one."
            )
        try:
            thing = entries[0].load()
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            raise SpecError(
                f"{where}: {name!r} from {origins[0]} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(thing, self.kind) or thing.name != name:
            expected = f"Expected {_with_article(self.kind.__name__)} with the name {name!r}."
            raise SpecError(f"{where}: {origins[0]} is not {self._one}. {expected}")
        return thing

    @property
    def _one(self) -> str:
        return _with_article(self.word)


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def package_of(entry: EntryPoint) -> str:
    """Return the name of the installed package that offers ``entry``."""
    return entry.dist.name if entry.dist else "unknown"


def _about(entry: EntryPoint) -> str:
    """Return the installed package's summary, in one line."""
    return str(entry.dist.metadata.json.get("summary", "")) if entry.dist else ""


_REGISTRIES: dict[type[Any], Registry[Any]] = {}


def handles(registry: Registry[T]) -> Registry[T]:
    """Make ``register`` accept the things of ``registry``; return the registry."""
    _REGISTRIES[registry.kind] = registry
    return registry


def register(thing: Any) -> None:
    """Register a plug-in's probe, engine kind, adapter, generator, judge, ... under its name.

    Raises:
        SpecError: its kind cannot be registered, another thing has its name, or its name is not valid.

    """
    for kind, registry in _REGISTRIES.items():
        if isinstance(thing, kind):
            registry.register(thing)
            return
    known = ", ".join(sorted(kind.__name__ for kind in _REGISTRIES))
    raise SpecError(f"A plug-in registers {_with_article(type(thing).__name__)}. Expected one of: {known}.")


def found_in(package: str, attribute: str, kind: type[T], below: str = "") -> list[T]:
    """Import the modules of ``package``, in the order of their names, and return what they define as ``attribute``.

    ``attribute`` is one thing, or a tuple of them; modules without it are skipped. ``below``: use the module of this
    name in each subpackage instead.
    """
    found: list[T] = []
    for module in _modules(package, below):
        held = getattr(module, attribute, ())
        things = held if isinstance(held, tuple) else (held,)
        assert all(isinstance(thing, kind) for thing in things), f"{module.__name__}.{attribute} is no {kind.__name__}"
        found += things
    return found


def _modules(package: str, below: str) -> Iterator[ModuleType]:
    path = importlib.import_module(package).__path__
    for info in sorted(pkgutil.iter_modules(path), key=lambda info: info.name):
        if info.ispkg == bool(below):
            yield importlib.import_module(f"{package}.{info.name}{f'.{below}' if below else ''}")
