"""The vLLM engine as the registry knows it. vLLM is imported when an engine is made."""

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.kind import EngineKind
from cotfaith.workers.engines.protocol import Engine
from cotfaith.workers.engines.vllm.options import EXECUTION_OPTIONS, Options, static_capabilities


def make(spec: ModelSpec, threads: int | None) -> Engine:
    """Load the weights; vLLM decides on its threads itself."""
    from cotfaith.workers.engines.vllm.engine import VllmEngine

    return VllmEngine(spec, threads)


KIND = EngineKind(
    name="vllm",
    summary="vLLM in the engine's own process, on one or several GPUs.",
    options=Options,
    make=make,
    capabilities=static_capabilities,
    execution_options=EXECUTION_OPTIONS,
    shares_gpus=True,
)
