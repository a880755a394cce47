"""The transformers engine's options and capabilities, which a plan needs without torch."""

from typing import Literal

from pydantic import Field

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec, Section, check_section
from cotfaith.workers.engines.protocol import Capabilities


class Options(Section):
    """``options`` of a model whose engine is transformers. None of them changes results beyond float noise."""

    device: str = "auto"
    """auto: the GPU if there is one, else the CPU; or a torch device such as cuda:1."""
    token_budget: int = Field(default=2048, ge=1)
    """The most tokens of one scoring pass. More take more memory, and may be faster on a large GPU."""
    max_rows: int = Field(default=32, ge=1)
    """The most prompts that are continued together. Each has its own key-value cache."""
    kept_gb: float | None = Field(default=None, ge=0)
    """The gigabytes for keys, values and last hidden states of earlier prompts and texts, so that a text that begins
    alike is not computed again. 0: none. Default: 1 on the CPU, where memory is only taken as it fills; a quarter of a
    GPU's memory that is free once the weights are loaded.
    """
    packed_gb: float | None = Field(default=None, ge=0)
    """The gigabytes for a second copy of float32 weights on the CPU, the largest layers first, in the order in which
    products of few rows read them: generation is faster. It is in float16 where that holds the weights as well.
    0: none. Default: 1, or 0 with ``float32_copy``, where engines share their weights.
    """
    attention: Literal["auto", "sdpa", "eager"] = "auto"
    """The attention kernel. auto: sdpa if the model has it, else eager, which is slower."""
    float32_copy: bool = False
    """Convert weights of lower precision to float32 once per machine, into its cache ($COTFAITH_CACHE), from where all
    engines of the machine share them: for several engines of one model on the CPU, with dtype float32. It takes 4
    bytes of disk per parameter.
    """
    prefix_tree: Literal["auto", "off"] = "auto"
    """auto: compute shared prefixes once if the model allows it. off: one prompt per row."""

    @property
    def packed_bytes(self) -> int:
        """The most bytes of the second copy of weights."""
        default = 0.0 if self.float32_copy else 1.0
        return int((default if self.packed_gb is None else self.packed_gb) * 1e9)


EXECUTION_OPTIONS = frozenset(
    {"token_budget", "max_rows", "kept_gb", "packed_gb", "device", "attention", "prefix_tree", "float32_copy"}
)


def parse_options(spec: ModelSpec) -> Options:
    """Check ``spec.options``; raise ``SpecError``."""
    options = check_section(Options, spec.options, f"models.{spec.id}.options")
    if options.float32_copy and spec.trust_remote_code:
        raise SpecError(
            f"models.{spec.id}.options.float32_copy: a model whose code comes with it (trust_remote_code) has to load "
            "from its own folder. Leave one of the two out."
        )
    return options


def static_capabilities(spec: ModelSpec) -> Capabilities:
    """Return what the engine can do, before any weights load."""
    parse_options(spec)
    return Capabilities(generate=True, score=True, prefill=True)
