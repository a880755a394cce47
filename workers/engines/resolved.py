"""A model of a spec with its engine and codec, looked up once.

In: a model's spec. Out: an object to hand on, so that no name is looked up again. It holds functions and a tokenizer,
which cannot be sent to other processes: each process resolves for itself.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.kind import EngineKind
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.plugins import faults_named
from cotfaith.workers.text.codec import Codec


@dataclass(frozen=True)
class ResolvedModel:
    """A model of the spec."""

    spec: ModelSpec
    kind: EngineKind
    capabilities: Capabilities
    date: datetime | None
    """The date that its chat template gets; null: now."""

    @property
    def whole_turns(self) -> bool:
        """Whether its prompts are whole turns: no turn can be opened for it, and its server tokenises."""
        return self.kind.whole_turns(self.spec)

    @cached_property
    def codec(self) -> Codec:
        """Its codec; the tokenizer loads when this is first used."""
        return load_codec(self.spec, self.date)


def resolve_model(model: ModelSpec, date: datetime | None = None) -> ResolvedModel:
    """Look up the model's engine; raise ``SpecError`` if there is none, or an option is wrong."""
    kind = find_engine(model)
    with faults_named(f"Asking what the engine {kind.name} can do", kind.capabilities, "plan again."):
        can = kind.capabilities(model)
    if not isinstance(can, Capabilities):
        raise SpecError(
            f"models.{model.id}: the engine {kind.name!r} gives {can!r} as what it can do: expected Capabilities."
        )
    return ResolvedModel(model, kind, can, date)
