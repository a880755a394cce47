"""The embedding engine's options and capabilities, which a plan needs without torch."""

from pydantic import Field

from cotfaith.schemas.spec import ModelSpec, Section, check_section
from cotfaith.workers.engines.protocol import Capabilities


class Options(Section):
    """``options`` of a model whose engine is embedding. None of them changes results beyond float noise."""

    device: str = "auto"
    """auto: the GPU if there is one, else the CPU; or a torch device such as cuda:1."""
    token_budget: int = Field(default=8192, ge=1)
    """The most tokens of one pass, including padding; a longer text gets its own pass."""


def parse_options(spec: ModelSpec) -> Options:
    """Check ``spec.options``; raise ``SpecError``."""
    return check_section(Options, spec.options, f"models.{spec.id}.options")


def static_capabilities(spec: ModelSpec) -> Capabilities:
    """Return what the engine can do, before any weights load."""
    parse_options(spec)
    return Capabilities(generate=False, score=False, prefill=False, embed=True)
