"""What the JSON objects of a run's folder hold.

run.json, commits, quarantined items, models that are given up, the lease, validation.json: a run makes all but the last
and writes them; readers get every object typed. Fields are in the order in which they are written. Types are strict:
"16" is not a number. Unknown keys are kept, after the others: a later version may have added them. ``run_folder.py``
reads objects, and describes damaged ones.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from cotfaith.schemas import keys
from cotfaith.schemas.spec import MIN_AGREEMENT, Name
from cotfaith.schemas.variants import PLAIN

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

    def as_json(self, indent: int | None = 1) -> bytes:
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
    parameters: int | None = None
    family: Name | None = None
    checkpoint_of: Name | None = None
    loss: float | None = None


class TaskEntry(RunObject):
    """A task of the spec."""

    name: Name
    generator: str | None = None
    options: Settings = Field(default_factory=dict)
    file: str | None = None
    split: str | None = None
    config: str | None = None
    adapter: str | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    answer_format: str | None = None
    gold_is: str | None = None
    few_shot: Settings | None = None
    n: int | None = None
    """The most items that were asked for."""
    author: str | None = None
    """Whose chains it has; null: all of the file's."""
    models: list[Name] | None = None
    """The subjects that answer it; null: all."""


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
    def output(self) -> Settings:
        """Where the run is and how it is stored; empty if the record lacks it."""
        found = (self.model_extra or {}).get("output")
        return found if isinstance(found, dict) else {}

    @property
    def min_agreement(self) -> float:
        """The share of imported chains that must lead to their recorded answer; the default if the record lacks it."""
        found = self.output.get("min_agreement")
        return float(found) if isinstance(found, int | float) and 0 <= found < 1 else MIN_AGREEMENT

    @property
    def subjects(self) -> list[str]:
        """The ids of the models that are measured."""
        return [model.id for model in self.models if "subject" in model.roles]

    def answers(self, model: str, task: TaskEntry) -> bool:
        """Return whether the subject with this id answers the task."""
        return task.models is None or model in task.models


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
    interventions: dict[str, Settings] = Field(default_factory=dict)
    """"INTERVENTION of TASK" -> its options, and a hash of what it makes of the task's first item; empty if there are
    none."""


class ItemRange(RunObject):
    """Items that a task got at one time; later ones follow."""

    start: NonNegativeInt
    stop: NonNegativeInt
    shard_size: PositiveInt
    items: str
    """Fingerprint of these items."""

    @property
    def n_shards(self) -> int:
        """The number of its shards."""
        return -(-(self.stop - self.start) // self.shard_size)

    def shards(self) -> list[tuple[int, int]]:
        """Return (start, stop) of the range's shards."""
        return [(at, min(at + self.shard_size, self.stop)) for at in range(self.start, self.stop, self.shard_size)]

    def has_shard(self, start: int, stop: int) -> bool:
        """Return whether it has the shard of items ``start`` to ``stop``."""
        begins = self.start <= start < self.stop and (start - self.start) % self.shard_size == 0
        return begins and stop == min(start + self.shard_size, self.stop)


class ImportedFile(RunObject):
    """A file of records of an experiment that others ran."""

    file: str
    sha256: Digest
    records: NonNegativeInt


class ImportedRecords(RunObject):
    """What a run's rows were read from, if no model of this run made them."""

    files: list[ImportedFile]
    mapping: Settings
    """How the records were read."""


class SerialDepth(RunObject):
    """The most operations in a row that a model can do before it writes a token: an upper bound."""

    operations: PositiveInt | None = None
    """Null: not known, and ``why`` says why."""
    positions: PositiveInt | None = None
    """The most tokens, of prompt and text, that the bound holds for."""
    layers: PositiveInt | None = None
    recurrent_layers: NonNegativeInt | None = None
    why: str | None = None


class RunRecord(RunObject):
    """run.json."""

    schema_version: PositiveInt = 1
    run_id: Text
    created: str
    cotfaith_version: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    prompt_date: str | None = None
    """The date that chat templates get; null in runs of old versions, for which ``created`` is used."""
    identity: Identity
    ranges: dict[Name, list[ItemRange]]
    """Task -> its items, in order; a task grows by further ranges."""
    max_tokens: PositiveInt | None = None
    """The limit of a chain's length. A larger one renews the chains that the old one cut."""
    readers: dict[str, list[str]] = Field(default_factory=dict)
    """Probe -> its readers."""
    task_readers: dict[str, dict[Name, list[str]]] = Field(default_factory=dict)
    """Probe -> task -> its readers, for the tasks whose chains not all readers read."""
    others_only: list[str] = Field(default_factory=list)
    """The probes whose readers do not read their own chains."""
    imported: ImportedRecords | None = None
    """Null: the run's models made its rows. Else its spec only names models and tasks, and nothing can be added."""
    variants: list[Text] = Field(default_factory=list)
    """The variants that the last spec asks for, the plain one among them; empty: only that."""
    probe_variants: dict[str, list[Text]] = Field(default_factory=dict)
    """Probe -> the variants that it runs on; probes that are not named run on the plain one."""
    serial_depth: dict[Name, SerialDepth] = Field(default_factory=dict)
    """Model -> its opaque serial depth; runs of old versions have none."""
    spec: SpecEntry

    @property
    def n_items(self) -> dict[str, int]:
        """Task -> number of its items."""
        return {task: found[-1].stop if found else 0 for task, found in self.ranges.items()}

    def shards(self, task: str) -> list[tuple[int, int]]:
        """Return (start, stop) of the task's shards, which are the same for each model."""
        return [shard for one in self.ranges.get(task, []) for shard in one.shards()]

    def readers_of(self, probe: str, task: str, model: str | None = None) -> list[str]:
        """Return the models that read the chains of ``model`` (null: of any) on the task; empty: it has no readers."""
        found = self.task_readers.get(probe, {}).get(task, self.readers.get(probe, []))
        return [one for one in found if one != model] if probe in self.others_only else found

    def variants_of(self, probe: str | None) -> list[str]:
        """Return the variants that the probe runs on, or that have chains (null)."""
        return (self.variants if probe is None else self.probe_variants.get(probe)) or [PLAIN]

    def n_shards(self, task: str) -> int:
        """Return how many shards the task has: counted without a list, because a damaged record may say any number."""
        return sum(one.n_shards for one in self.ranges.get(task, []))

    def has_shard(self, task: str, start: int, stop: int) -> bool:
        """Return whether items ``start`` to ``stop`` are a shard of the task."""
        return any(one.has_shard(start, stop) for one in self.ranges.get(task, []))

    @model_validator(mode="before")
    @classmethod
    def _from_old(cls, data: Any) -> Any:
        """Read a run of an old version, which had one range of items a task, and one shard size."""
        if not isinstance(data, dict) or "ranges" in data or "n_items" not in data:
            return data
        rest = {name: value for name, value in data.items() if name not in ("n_items", "shard_size")}
        if "shard_size" not in data or not isinstance(data["n_items"], dict):
            return data
        size, counts = data["shard_size"], data["n_items"]
        one = {task: [{"start": 0, "stop": n, "shard_size": size, "items": ""}] for task, n in counts.items()}
        return rest | {"ranges": one}

    @model_validator(mode="after")
    def _ranges_follow(self) -> "RunRecord":
        """Check that each range begins where the one before it ends."""
        for task, found in self.ranges.items():
            ends = [0, *(one.stop for one in found)]
            if any(one.start != end or one.stop < one.start for one, end in zip(found, ends, strict=False)):
                raise ValueError(f"the ranges of task {task!r} do not follow each other from 0")
        return self

    @model_validator(mode="after")
    def _spec_is_known(self) -> "RunRecord":
        """Check that the run has every name of the spec: otherwise its shards could not be counted."""
        for kind, names, known in (
            ("model", [m.id for m in self.spec.models], self.identity.models),
            ("task", [t.name for t in self.spec.tasks], self.ranges),
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
    """Which part of a run an object is about: a range of items of one task for one model."""

    model: Name
    task: Name
    start: NonNegativeInt
    stop: PositiveInt

    @property
    def shard_id(self) -> str:
        """The shard's name."""
        return keys.shard_id(self.model, self.task, self.start, self.stop)


class PieceName(NamedTuple):
    """One kind of rows of an item: its chains of a strategy and variant, or what a probe found on them."""

    strategy: str
    variant: str = PLAIN
    probe: str | None = None
    """Null: the chains themselves."""
    reader: str | None = None
    """Who answered in the subject's place; null: the subject did."""

    @property
    def chains(self) -> "PieceName":
        """The piece of the chains that it rests on."""
        return PieceName(self.strategy, self.variant)


class Piece(RunObject):
    """The rows of one piece in a commit."""

    strategy: Name
    variant: Text = PLAIN
    probe: Name | None = None
    reader: Name | None = None
    statuses: dict[str, list[NonNegativeInt]]
    """Status -> rows of each of the commit's items."""
    cut: list[NonNegativeInt] = Field(default_factory=list)
    """Places, among the commit's items, of those with a text that the limit of tokens cut."""

    @property
    def name(self) -> PieceName:
        """Its name."""
        return PieceName(self.strategy, self.variant, self.probe, self.reader)


class ChainTexts(RunObject):
    """The chains of one strategy and variant that a commit made, or that its probes' rows rest on."""

    strategy: Name
    variant: Text = PLAIN
    hashes: list[list[str]]
    """For each of the commit's items, a hash of each of its chains: text, steps, answer, status and length."""


class Commit(ShardEntry):
    """A commit: rows of some items of a shard. Its key ends in its generation."""

    key: Text
    generation: NonNegativeInt
    attempt: Name
    items: list[Text]
    """Ids, in the task's order."""
    pieces: list[Piece]
    """Each holds rows of all the items."""
    texts: list[ChainTexts]
    parts: list[Part]
    max_tokens: PositiveInt | None = None
    """The limit of a chain's length; null in commits of old runs."""
    began: float | None = None
    """Seconds since the epoch, by the clock of the machine that did it; null in commits of old runs."""
    seconds: float | None = None
    """Duration of the work; probes that ran in common rounds share it. Null in commits of old runs."""
    timed_with: list[str] = Field(default_factory=list)
    """The probes that share the seconds; empty for chains."""
    tokens: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """Role -> its engine's prompt tokens, each prompt counted whole, and generated tokens."""
    sha256: Digest | None = None
    """The digest of all other fields; null in commits of old runs."""

    def sealed(self) -> "Commit":
        """Return the commit with its digest."""
        return self.model_copy(update={"sha256": self.digest()})

    def digest(self) -> str:
        """Return the sha256 (hex) of all other fields as JSON, keys in order."""
        data = {name: value for name, value in self.data().items() if name != "sha256"}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    @property
    def reader(self) -> str | None:
        """The model that answered in the subject's place; all pieces have the same."""
        return self.pieces[0].reader if self.pieces else None

    def part(self, table: TableName) -> Part:
        """Return the part of this table."""
        return next(part for part in self.parts if part.table == table)


Stage = Literal["chains", "probes"]
"""What is done of an item: first its chains, then the probes on them."""


class Quarantined(ShardEntry):
    """An item that failed every attempt alone: it ended its engine, or the task that worked on it."""

    key: Text
    item: Text
    index: NonNegativeInt
    """Its place in the task."""
    reader: Name | None = None
    stage: Stage = "chains"
    """What failed. If that is the probes, chains of the item are still made when they are missing or cut."""
    reason: str
    attempts: PositiveInt
    at: str

    @property
    def name(self) -> str:
        """Its name in messages."""
        by = "" if self.reader is None else f" read by {self.reader}"
        return f"{self.model} / {self.task} / {self.item}{by}"


class GivenUpModel(RunObject):
    """A model whose engine could not be made or kept up, in the last run that tried."""

    key: Text
    role: Name
    """subject for one that answers, else the helper's role."""
    model: Name
    reason: str
    lacking: list[Name]
    """The subjects that lack rows for it."""
    at: str

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{'model' if self.role == 'subject' else self.role} {self.model}"


class ProcessEntry(RunObject):
    """A process, told apart from all others, also from later ones with the same number."""

    host: Text
    pid: PositiveInt
    boot_id: str | None = None
    """Differs for each start of a machine; null where the system has none."""
    pid_namespace: str | None = None
    """The container, if any, that ``pid`` counts in; null where the system has none."""
    start_ticks: NonNegativeInt | None = None
    """When the process started, in clock ticks since the machine did; null where the system does not say."""


class Lease(RunObject):
    """_lease.json: the driver that works on the run. It is advice: no commit rests on it."""

    holder: Text
    """A random id, new for each driver."""
    process: ProcessEntry
    since: str
    """By the holder's clock, for people, as ``until``."""
    until: str
    """When the lease ends unless it is renewed."""
    renewals: NonNegativeInt

    @property
    def name(self) -> str:
        """The holder's name in messages."""
        return f"process {self.process.pid} on {self.process.host}, since {self.since}"


class EngineCosts(RunObject):
    """What the engines of one model took in a session: from their place on a node until they were gone."""

    model: Name
    hours: float
    """Hours of all its engine actors together, as the two below."""
    gpu_hours: float
    cpu_hours: float
    prompt_tokens: NonNegativeInt
    """Each prompt counted whole."""
    generated_tokens: NonNegativeInt
    cost: float | None
    """By the prices of the session's spec; null: they did not say."""


class SessionCosts(RunObject):
    """What one session of a run cost: from a driver's start to its end."""

    key: Text
    since: str
    """By the driver's clock, for people, as ``until``."""
    until: str
    """When this was written."""
    currency: Text
    engines: list[EngineCosts]

    @property
    def cost(self) -> float | None:
        """What all its engines cost; None if none of them has a price."""
        known = [one.cost for one in self.engines if one.cost is not None]
        return sum(known) if known else None


class NoiseEntry(RunObject):
    """A model's noise floor: by how many nats the log-probabilities of one request differ in other company.

    Each engine measures its own when it has loaded, and judges near ties by it (``workers/actor/noise.py``). This is
    the largest of all engines that worked on the run, on whatever machines.
    """

    key: Text
    model: Name
    engine: str
    dtype: str
    """As the spec has it; a server may compute in another one."""
    nats: float | None
    """Null: no engine could measure it."""
    assumed: float | None
    """The resolution of scores in nats that was assumed, by their precision; null: nothing was scored."""
    prompts: NonNegativeInt
    """The prompts that were measured; 0 beside a floor of 0: scores are exact by construction."""
    error: str | None
    """Why it could not be measured."""
    at: str

    @property
    def is_above(self) -> bool:
        """Whether the floor is above what was assumed, so that more answers are near ties."""
        return self.nats is not None and self.assumed is not None and self.nats > self.assumed

    @property
    def text(self) -> str:
        """The figure and what it rests on."""
        if self.nats is None:
            return f"not measured ({self.error})"
        if not self.prompts:
            return f"0 nats ({self.engine}: exact by construction)"
        more = f": more than the {self.assumed:.2g} of its precision, so answers that close are near ties"
        about = f"{self.nats:.2g} nats ({self.engine}, {self.dtype}, {self.prompts} prompts)"
        return about + (more if self.is_above else "")


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
