"""The transformers engine's options and capabilities, which a plan needs without torch."""

from typing import Literal

from pydantic import Field

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
    attention: Literal["auto", "sdpa", "eager"] = "auto"
    """The attention kernel. auto: sdpa if the model has it, else eager, which is slower."""
    prefix_tree: Literal["auto", "off"] = "auto"
    """auto: compute shared prefixes once if the model allows it. off: one prompt per row."""


EXECUTION_OPTIONS = frozenset({"token_budget", "max_rows", "device", "attention", "prefix_tree"})


def parse_options(spec: ModelSpec) -> Options:
    """Check ``spec.options``; raise ``SpecError``."""
    return check_section(Options, spec.options, f"models.{spec.id}.options")


def static_capabilities(spec: ModelSpec) -> Capabilities:
    """Return what the engine can do, before any weights load."""
    parse_options(spec)
    return Capabilities(generate=True, score=True, prefill=True)
