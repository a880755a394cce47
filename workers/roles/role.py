"""What a role is: the purpose of a model of the spec, and all that depends on it.

A helper's role adds which model has it, which of its settings the results depend on, and what its work costs. A probe's
``needs`` asks for it by name. Each role is one object next to its code; ``table`` lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cotfaith.schemas.spec import ModelSpec, RoleName, RunSpec
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.roles.editors.prompt import Prompt


class PlannedArm(Protocol):
    """What helpers do for one planned arm of a probe."""

    @property
    def edits(self) -> int:
        """Requests to the editor."""
        ...

    @property
    def edited(self) -> int:
        """Tokens that the editor writes."""
        ...

    @property
    def edit_reads(self) -> int:
        """Tokens that the editor reads besides those that it writes anew."""
        ...


@dataclass(frozen=True)
class Work:
    """Requests to one engine, and their tokens."""

    requests: int
    prompt_tokens: int
    """Each prompt counted whole."""
    distinct_tokens: int
    """Each prefix that prompts share counted once."""
    generated_tokens: int


@dataclass(frozen=True, kw_only=True)
class Role:
    """A purpose that a model can have."""

    name: RoleName
    summary: str
    check: Callable[[RunSpec], None]
    """Raises ``InputError``, before any weights load, if the spec's models cannot do it."""
    reads: bool = False
    """Whether its models read the chains of subjects, in the probes that ask for it as their ``reader_role``."""
    prompted: bool = True
    """Whether its models get prompts, which a chat template may write; otherwise they get bare texts."""

    @property
    def module(self) -> str:
        """The module of its checks."""
        return self.check.__module__


@dataclass(frozen=True, kw_only=True)
class Helper(Role):
    """The role of a model that works on the chains of subjects."""

    plural: str
    """Its part of a run's identity."""
    model: Callable[[RunSpec, ModelSpec], ModelSpec | None]
    """(spec, subject) -> the model that helps with the subject's chains; None if rules do."""
    identity: Callable[[RunSpec, ResolvedModel], dict[str, Any]]
    """(spec, subject) -> what results depend on; made of JSON values."""
    work: Callable[[RunSpec, ResolvedModel, Sequence[PlannedArm]], Work]
    """(spec, model, arms) -> the model's work for one run of a probe."""
    prompts: Callable[[RunSpec], Sequence[Prompt]] = lambda spec: ()
    """The prompts, besides those of items, that a chat template can wrap."""
