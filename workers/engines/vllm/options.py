"""The vLLM engine's settings and abilities, which a plan needs before, or without, vLLM's imports."""

from importlib.util import find_spec

from pydantic import Field

from cotfaith.schemas.errors import InputError
from cotfaith.schemas.spec import ModelSpec, Section, check_section
from cotfaith.workers.engines.protocol import Capabilities

MISSING = "the engine vllm needs the package vllm, which is not installed: pip install 'cotfaith[vllm]'"


class Options(Section):
    """``options`` of a model whose engine is vllm. None but float32_head changes results beyond float noise."""

    tensor_parallel: int = Field(default=1, ge=1)
    """GPUs that share one copy of the model. Give resources.gpus the same number."""
    max_context: int | None = Field(default=None, ge=2)
    """Context window in tokens, if it should be shorter than the model's: less memory for keys and values."""
    max_rows: int = Field(default=256, ge=1)
    """Prompts that are worked on together."""
    token_budget: int | None = Field(default=None, ge=1)
    """Most tokens of one forward pass; null: vLLM's own choice. On the CPU no prompt is split, so at least
    max_context."""
    block_size: int | None = Field(default=None, ge=1)
    """Tokens of one block of the prefix cache: what prompts share is found in whole blocks. Null: on a GPU
    vLLM's own choice, on the CPU 32."""
    gpu_memory_share: float = Field(default=0.9, gt=0, le=1)
    """Share of a GPU's memory for weights and cache together."""
    cache_gib: float | None = Field(default=None, gt=0)
    """GiB for keys and values; null: on a GPU what gpu_memory_share leaves, on the CPU 2."""
    float32_head: bool = True
    """Compute the output head in float32, where the model is not: bfloat16 rounds scores until they tie. Set it to
    false for a head that is quantised, which vLLM computes in the model's own precision only."""
    compile: bool | None = None
    """Compile the model and capture CUDA graphs: slower to load, then faster. Null: on a GPU alone."""


EXECUTION_OPTIONS = frozenset(Options.model_fields) - {"float32_head"}


def parse_options(spec: ModelSpec) -> Options:
    """Check ``spec.options``; raise ``SpecError``."""
    return check_section(Options, spec.options, f"models.{spec.id}.options")


def static_capabilities(spec: ModelSpec) -> Capabilities:
    """Return what the engine can do; raise ``InputError`` where vLLM is not installed."""
    options = parse_options(spec)
    if find_spec("vllm") is None:
        raise InputError(f"models.{spec.id}.engine: {MISSING}")
    return Capabilities(generate=True, score=True, prefill=True, max_context=options.max_context)
