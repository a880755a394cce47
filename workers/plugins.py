"""Code from outside the package: modules that the spec names, and entry points of installed packages.

A plug-in runs with all rights of its user. Therefore only two things are imported: the modules that a spec or the
command line names, and the entry points of the names that a spec uses. Nothing that a run's folder names is ever
imported. Knows nothing about what plug-ins register.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import InputError, SpecError


def import_plugins(names: Sequence[str]) -> None:
    """Import the modules; the working directory is searched last.

    Raises:
        SpecError: a module does not exist, or its import fails.

    """
    here = str(Path.cwd())
    if names and here not in sys.path:
        sys.path.append(here)
    for name in names:
        _import(name)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except InputError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise SpecError(f"plugins: module {name!r} needs {error.name!r}, which is not installed.") from error
        raise SpecError(
            f"plugins: there is no module {name!r}. Name a module as in an import (my_probe, not my_probe.py) that is "
            "installed, on PYTHONPATH or in the working directory; on a cluster, on every node."
        ) from error
    except (Exception, SystemExit) as error:  # a script that ends itself ends no command of ours
        raise SpecError(f"plugins: module {name!r} fails: {type(error).__name__}: {error}") from error


@contextmanager
def faults_named(what: str, code: Callable[..., Any], advice: str) -> Iterator[None]:
    """Turn an exception of a plug-in's ``code`` into a ``SpecError`` that names its module; let our own ones pass."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if f"{code.__module__}.".startswith("cotfaith."):
            raise
        first = str(error).partition("\n")[0][:200]
        raise SpecError(
            f"{what} (module {code.__module__}) fails: {type(error).__name__}: {first}. Fix that module, then {advice}"
        ) from error


def offered(group: str) -> Mapping[str, Sequence[EntryPoint]]:
    """Return the entry points of installed packages in ``group``, by name; nothing is imported."""
    return _offered(group, tuple(sys.path))


@functools.lru_cache(maxsize=32)
def _offered(group: str, path: tuple[str, ...]) -> Mapping[str, Sequence[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, []).append(entry)
    return found
