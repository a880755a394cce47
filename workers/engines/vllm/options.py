"""The vLLM engine's options and capabilities, which a plan needs without importing vLLM."""

from importlib.util import find_spec

from pydantic import Field

from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.spec import ModelSpec, Section, check_section
from cotfaith.workers.engines.protocol import Capabilities

MISSING = "the engine vllm needs the package vllm, which is not installed: pip install 'cotfaith[vllm]'"


class Options(Section):
    """``options`` of a model whose engine is vllm. Only float32_head changes results beyond float noise."""

    max_context: int | None = Field(default=None, ge=2)
    """The context window in tokens, to make it shorter than the model's and save memory for keys and values."""
    max_rows: int = Field(default=256, ge=1)
    """The number of prompts that run together."""
    token_budget: int | None = Field(default=None, ge=1)
    """The most tokens of one forward pass; null: vLLM's own choice. On the CPU no prompt is split, so it is at least
    max_context.
    """
    block_size: int | None = Field(default=None, ge=1)
    """The tokens in one block of the prefix cache: prompts share whole blocks. Null: vLLM's own choice on a GPU, 32 on
    the CPU.
    """
    gpu_memory_share: float = Field(default=0.9, gt=0, le=1)
    """The share of a GPU's memory for weights and cache together."""
    cache_gib: float | None = Field(default=None, gt=0)
    """GiB for keys and values; null: what gpu_memory_share leaves on a GPU, 2 on the CPU."""
    float32_head: bool = True
    """Compute the output head in float32 if the model is not: bfloat16 rounds scores until they tie. Set it to false
    for a quantised head, which vLLM computes only in the model's own precision.
    """
    compile: bool | None = None
    """Compile the model and capture CUDA graphs: slower to load, then faster. Null: only on a GPU."""


EXECUTION_OPTIONS = frozenset(Options.model_fields) - {"float32_head"}


def parse_options(spec: ModelSpec) -> Options:
    """Check ``spec.options``; raise ``SpecError``."""
    if "tensor_parallel" in spec.options:
        raise SpecError(
            f"models.{spec.id}.options.tensor_parallel: got {spec.options['tensor_parallel']!r}, expected it in the "
            f"model's resources. Set models.{spec.id}.resources.tensor_parallel, which also reserves the GPUs."
        )
    return check_section(Options, spec.options, f"models.{spec.id}.options")


def static_capabilities(spec: ModelSpec) -> Capabilities:
    """Return what the engine can do; raise ``InputError`` if vLLM is not installed."""
    options = parse_options(spec)
    if find_spec("vllm") is None:
        raise InputError(f"models.{spec.id}.engine: {MISSING}")
    return Capabilities(generate=True, score=True, prefill=True, max_context=options.max_context)
