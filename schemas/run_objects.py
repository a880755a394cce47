"""What the JSON objects of a run's folder hold: run.json, commits, shards that were given up, validation.json.

Types are strict: "16" is no number. Keys that are not named here are allowed: a later version may have added them. How
they are read, and what is said of a damaged one: ``run_folder.py``.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from cotfaith.schemas import keys
from cotfaith.schemas.spec import Name
from cotfaith.schemas.tables import SCHEMA_VERSION

Text = Annotated[str, Field(min_length=1)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RunObject(BaseModel):
    """What all objects have in common."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False, protected_namespaces=())


class ModelEntry(RunObject):
    """A model of the spec."""

    id: Name
    source: str
    roles: list[str]


class NamedEntry(RunObject):
    """A task or a probe of the spec."""

    name: Name


class SpecEntry(RunObject):
    """What later commands read of the spec that a run was last given."""

    seed: int
    models: list[ModelEntry]
    tasks: list[NamedEntry]
    probes: list[NamedEntry]
    strategies: list[Name] = Field(default_factory=list)
    sampling: dict[str, Any] = Field(default_factory=dict)


class IdentityEntry(RunObject):
    """What the results depend on; all that the folder's specs ever had of it."""

    seed: int
    sampling: dict[str, Any]
    models: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    strategies: dict[str, Any]
    probes: dict[str, dict[str, Any]]
    editors: dict[str, Any] = Field(default_factory=dict)
    embedders: dict[str, Any] = Field(default_factory=dict)


class RunRecord(RunObject):
    """run.json."""

    schema_version: PositiveInt = SCHEMA_VERSION
    run_id: Text
    created: str
    cotfaith_version: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    shard_size: PositiveInt
    identity: IdentityEntry
    n_items: dict[Name, NonNegativeInt]
    readers: dict[str, list[str]] = Field(default_factory=dict)
    spec: SpecEntry

    @model_validator(mode="after")
    def _spec_is_known(self) -> "RunRecord":
        """Every name of the spec is one of the run's: else its shards could not be counted."""
        for kind, names, known in (
            ("model", [m.id for m in self.spec.models], self.identity.models),
            ("task", [t.name for t in self.spec.tasks], self.n_items),
            ("probe", [p.name for p in self.spec.probes], self.identity.probes),
            ("strategy", self.spec.strategies, self.identity.strategies),
        ):
            if unknown := [name for name in names if name not in known]:
                raise ValueError(f"the spec's {kind} {unknown[0]!r} is not among the run's: {', '.join(known)}")
        return self


class PartEntry(RunObject):
    """One Parquet file of a commit."""

    table: Literal["items", "chains", "observations"]
    key: Text
    rows: NonNegativeInt
    bytes: NonNegativeInt
    sha256: Digest


class ShardEntry(RunObject):
    """Which part of a run an object is about."""

    shard: Text
    model: Name
    task: Name
    strategy: Name
    start: NonNegativeInt
    stop: PositiveInt
    probe: Name | None
    reader: Name | None = None

    @property
    def shard_id(self) -> str:
        """The shard's name by its parts."""
        return keys.shard_id(self.model, self.task, self.strategy, self.start, self.stop)


class Commit(ShardEntry):
    """A commit marker."""

    key: str | None = None
    """Where it belongs; null in commits of old runs."""
    attempt: Text
    parts: list[PartEntry]
    statuses: dict[str, NonNegativeInt]
    began: float | None = None
    seconds: float | None = None
    timed_with: list[str] = Field(default_factory=list)
    tokens: dict[str, NonNegativeInt] = Field(default_factory=dict)


class GivenUp(ShardEntry):
    """A shard, or a reader's part of one, that failed every attempt."""

    key: str
    name: Text
    reason: str
    attempts: PositiveInt
    at: str


class CheckEntry(RunObject):
    """One check of a validation."""

    name: str
    expected: str
    value: float | None
    low: float | None
    high: float | None
    n: NonNegativeInt
    result: Literal["passed", "failed", "not measured"]
    note: str


class ValidationRecord(RunObject):
    """validation.json, of which the report shows the checks."""

    checks: list[CheckEntry]
