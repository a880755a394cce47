"""The generators by name: tasks whose items are made, each with a difficulty in its own unit.

One file each: what a module here holds as ``GENERATOR`` is one. ``Registry`` says how others come in from outside.
"""

from typing import Any

from cotfaith.workers.registry import Registry, found_in, handles
from cotfaith.workers.tasks.generators.generator import Draw, Generator

GENERATORS: Registry[Generator[Any]] = handles(
    Registry(Generator, "generator", lambda: found_in(__name__, "GENERATOR", Generator))
)

__all__ = ["GENERATORS", "Draw", "Generator"]
