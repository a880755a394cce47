"""What the JSON objects of a run's folder hold: run.json, commits, shards that were given up, validation.json.

A run makes the first three and writes them; readers get every object typed. Fields are in the order in which they are
written. Types are strict: "16" is not a number. Unknown keys are kept, after the others: a later version may have added
them. ``run_folder.py`` reads objects, and describes damaged ones.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from cotfaith.schemas import keys
from cotfaith.schemas.spec import Name

Text = Annotated[str, Field(min_length=1)]
TableName = Literal["items", "chains", "observations"]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


Settings = dict[str, Any]
"""A part of the spec as JSON: each probe, engine and generator has settings of its own."""


class RunObject(BaseModel):
    """What all objects have in common."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False, protected_namespaces=())

    def data(self) -> dict[str, Any]:
        """Return what was read, or given when it was made, as plain data; fields that were left out stay out."""
        return self.model_dump(exclude_unset=True)

    def as_json(self, indent: int = 1) -> bytes:
        """Return the bytes of the object's file."""
        return json.dumps(self.data(), indent=indent).encode()


class ModelEntry(RunObject):
    """A model of the spec."""

    id: Name
    source: str
    revision: str | None = None
    engine: str = ""
    roles: list[str]
    dtype: str = ""


class TaskEntry(RunObject):
    """A task of the spec."""

    name: Name
    generator: str | None = None
    options: Settings = Field(default_factory=dict)
    file: str | None = None
    adapter: str | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    answer_format: str | None = None
    gold_is: str | None = None
    n: int | None = None
    """The most items that were asked for."""


class ProbeEntry(RunObject):
    """A probe of the spec."""

    name: Name


class SpecEntry(RunObject):
    """The parts of a run's latest spec that later commands read, in the order of ``RunSpec``."""

    seed: int
    models: list[ModelEntry]
    tasks: list[TaskEntry]
    sampling: Settings = Field(default_factory=dict)
    steps: Settings = Field(default_factory=dict)
    strategies: list[Name] = Field(default_factory=list)
    probes: list[ProbeEntry]

    @property
    def subjects(self) -> list[str]:
        """The ids of the models that are measured."""
        return [model.id for model in self.models if "subject" in model.roles]


class Identity(RunObject):
    """What the results depend on, collected from all specs of the folder."""

    seed: int
    sampling: Settings
    prompts: Settings = Field(default_factory=dict)
    steps: Settings = Field(default_factory=dict)
    strategies: dict[str, str | None]
    """Name -> hash of its prompts; null for the plain one."""
    models: dict[str, Settings]
    tasks: dict[str, Settings]
    probes: dict[str, Settings]
    editors: dict[str, Settings] = Field(default_factory=dict)
    """"PROBE of MODEL" -> who edits that subject's chains for that probe, and how."""
    embedders: dict[str, Settings] = Field(default_factory=dict)
    """The same for the models or rules that compare meanings."""
    chat_templates: dict[str, str] = Field(default_factory=dict)
    """Model -> hash of what its chat template writes; runs of old versions have none."""


class RunRecord(RunObject):
    """run.json."""

    schema_version: PositiveInt = 1
    run_id: Text
    created: str
    cotfaith_version: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    shard_size: PositiveInt
    prompt_date: str | None = None
    """The date that chat templates get; null in runs of old versions, for which ``created`` is used."""
    identity: Identity
    n_items: dict[Name, NonNegativeInt]
    readers: dict[str, list[str]] = Field(default_factory=dict)
    spec: SpecEntry

    @model_validator(mode="after")
    def _spec_is_known(self) -> "RunRecord":
        """Check that the run has every name of the spec: otherwise its shards could not be counted."""
        for kind, names, known in (
            ("model", [m.id for m in self.spec.models], self.identity.models),
            ("task", [t.name for t in self.spec.tasks], self.n_items),
            ("probe", [p.name for p in self.spec.probes], self.identity.probes),
            ("strategy", self.spec.strategies, self.identity.strategies),
        ):
            if unknown := [name for name in names if name not in known]:
                raise ValueError(f"the spec's {kind} {unknown[0]!r} is not among the run's: {', '.join(known)}")
        return self


class Part(RunObject):
    """One Parquet file of a commit."""

    table: TableName
    key: Text
    rows: NonNegativeInt
    bytes: NonNegativeInt
    sha256: Digest


class ShardEntry(RunObject):
    """Which part of a run an object is about."""

    key: str | None = None
    """The object's own key; null in commits of old runs."""
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
        """The shard's name, made from the other fields."""
        return keys.shard_id(self.model, self.task, self.strategy, self.start, self.stop)

    @property
    def commit_key(self) -> str:
        """The key of the commit of what the object is about."""
        return keys.commit(self.shard, self.probe, self.reader)


class Commit(ShardEntry):
    """A commit marker."""

    attempt: Text
    parts: list[Part]
    statuses: dict[str, NonNegativeInt]
    """Rows of chains or observations by status."""
    began: float | None = None
    """Seconds since the epoch, by the clock of the machine that did it; null in commits of old runs."""
    seconds: float | None = None
    """Duration of the work; probes that ran in common rounds share it. Null in commits of old runs."""
    timed_with: list[str] = Field(default_factory=list)
    """The probes that share the seconds; empty for chains."""
    tokens: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Role -> its engine's prompt tokens, each prompt counted whole, and generated tokens."""

    def part(self, table: TableName) -> Part:
        """Return the part of this table."""
        return next(part for part in self.parts if part.table == table)


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
    """What the report reads of validation.json: its checks."""

    checks: list[CheckEntry]
