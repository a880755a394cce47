"""Built-in generators of items, each with a difficulty in its own unit."""

from typing import Any

from cotfaith.workers.tasks.generators.addition import ADDITION
from cotfaith.workers.tasks.generators.boolean_expressions import BOOLEAN_EXPRESSIONS
from cotfaith.workers.tasks.generators.cipher_chain import CIPHER_CHAIN
from cotfaith.workers.tasks.generators.generator import Draw, Generator
from cotfaith.workers.tasks.generators.graph_walk import GRAPH_WALK
from cotfaith.workers.tasks.generators.modular_chain import MODULAR_CHAIN
from cotfaith.workers.tasks.generators.serial_arithmetic import SERIAL_ARITHMETIC
from cotfaith.workers.tasks.generators.tracking_objects import TRACKING_OBJECTS

GENERATORS: dict[str, Generator[Any]] = {
    "addition": ADDITION,
    "boolean_expressions": BOOLEAN_EXPRESSIONS,
    "cipher_chain": CIPHER_CHAIN,
    "graph_walk": GRAPH_WALK,
    "modular_chain": MODULAR_CHAIN,
    "tracking_objects": TRACKING_OBJECTS,
    "serial_arithmetic": SERIAL_ARITHMETIC,
}

__all__ = ["GENERATORS", "Draw", "Generator"]
