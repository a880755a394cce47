"""The generators of items by name, each with a difficulty in its own unit.

One file each: a module here defines its generator as ``GENERATOR``. ``Registry`` says how to add others from outside.
"""

from typing import Any

from cotfaith.workers.registry import Registry, found_in, handles
from cotfaith.workers.tasks.generators.generator import Draw, Generator

GENERATORS: Registry[Generator[Any]] = handles(
    Registry(Generator, "generator", lambda: found_in(__name__, "GENERATOR", Generator))
)

__all__ = ["GENERATORS", "Draw", "Generator"]
