"""The engines by name, one folder each. No engine's module is imported before it is made."""

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.kind import EngineKind
from cotfaith.workers.registry import Registry, found_in, handles

ENGINES = handles(Registry(EngineKind, "engine", lambda: found_in(__name__, "KIND", EngineKind, below="kind")))
"""The engines of the package, and those registered in this process."""


def find_engine(spec: ModelSpec) -> EngineKind:
    """Return the kind of engine that ``spec`` names.

    Raises:
        SpecError: it does not exist, two have its name, or a plug-in's cannot be loaded.

    """
    return ENGINES.find(spec.engine, f"models.{spec.id}.engine")
