"""The transformers engine as the registry knows it. torch is imported when an engine is made."""

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.kind import EngineKind
from cotfaith.workers.engines.protocol import Engine
from cotfaith.workers.engines.transformers.options import EXECUTION_OPTIONS, Options, static_capabilities


def make(spec: ModelSpec, threads: int | None) -> Engine:
    """Load the weights."""
    from cotfaith.workers.engines.transformers.engine import TransformersEngine

    return TransformersEngine(spec, threads)


KIND = EngineKind(
    name="transformers",
    summary="Weights in safetensors, on the CPU or one GPU, through the prefix tree.",
    options=Options,
    make=make,
    capabilities=static_capabilities,
    execution_options=EXECUTION_OPTIONS,
)
