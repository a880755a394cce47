"""The engines by name. Nothing here imports torch until an engine is made."""

from collections.abc import Callable
from dataclasses import dataclass

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.engine import Capabilities, Engine


@dataclass(frozen=True)
class EngineKind:
    """How to make an engine, and what it can do before it is made."""

    make: Callable[[ModelSpec, int | None], Engine]
    capabilities: Callable[[ModelSpec], Capabilities]
    """From the spec alone; raises ``SpecError`` on a wrong engine option."""
    execution_options: frozenset[str] = frozenset()
    """Options that change speed and not results, so that a resumed run may change them."""


def _make_stub(spec: ModelSpec, threads: int | None) -> Engine:
    from cotfaith.workers.engines.stub import StubEngine

    return StubEngine(spec, threads)


def _stub_capabilities(spec: ModelSpec) -> Capabilities:
    from cotfaith.workers.engines.stub import static_capabilities

    return static_capabilities(spec)


def _make_transformers(spec: ModelSpec, threads: int | None) -> Engine:
    from cotfaith.workers.engines.transformers import TransformersEngine

    return TransformersEngine(spec, threads)


def _transformers_capabilities(spec: ModelSpec) -> Capabilities:
    from cotfaith.workers.engines.transformers_options import static_capabilities

    return static_capabilities(spec)


ENGINES: dict[str, EngineKind] = {
    "stub": EngineKind(_make_stub, _stub_capabilities, frozenset({"seconds_per_call", "kill_on", "kill_once_file"})),
    "transformers": EngineKind(
        _make_transformers,
        _transformers_capabilities,
        frozenset({"token_budget", "max_rows", "device", "attention", "prefix_tree"}),
    ),
}


def find_engine(spec: ModelSpec) -> EngineKind:
    """Return the kind of engine that ``spec`` names; raise ``SpecError`` if there is none."""
    if spec.engine not in ENGINES:
        raise SpecError(f"models.{spec.id}.engine: {unknown('engine', spec.engine, ENGINES)}")
    return ENGINES[spec.engine]
