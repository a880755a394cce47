"""The run spec: what to measure, on which models, tasks and chains, and where results go.

A spec is YAML (or a dict). Unknown keys are errors that name the nearest known key. ``cotfaith schema`` prints the JSON
Schema, with which text editors complete it. Knows nothing about engines, probes, generators or adapters: ``cotfaith
list`` names them.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from cotfaith.schemas.amounts import amount
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.keys import NAME_PATTERN
from cotfaith.schemas.suggest import unknown
from cotfaith.schemas.unshown import without_credentials

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
RoleName = Literal["subject", "editor", "embedder", "judge", "monitor", "observer"]
StrategyName = Literal["cot", "cot_decomposition", "factored_decomposition"]
GoldIs = Literal["auto", "label", "text", "index", "index_from_1"]
Dtype = Literal["float32", "bfloat16", "float16", "auto"]
StepUnit = Literal["sentence", "line", "paragraph"]
MIN_AGREEMENT = 0.8
S = TypeVar("S", bound=BaseModel)


class Section(BaseModel):
    """A part of the spec: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


def _whole_above_one(gpus: float | None) -> float | None:
    if gpus is not None and gpus > 1 and gpus != int(gpus):
        raise ValueError("expected a whole number, or a share of one GPU such as 0.5")
    return gpus


Gpus = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_whole_above_one)]
"""A number of GPUs: whole, or a share of one."""
Cpus = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Parameters = Annotated[int, BeforeValidator(amount, json_schema_input_type=float | str)]
"""A number of parameters: a number, or a text such as 135M."""

Tokens = Annotated[int, BeforeValidator(amount, json_schema_input_type=float | str)]
"""A number of tokens: a number, or a text such as 200K."""

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Money, in the currency of `resources.prices`."""


class Replicas(Section):
    """How many engine actors of a model run at once."""

    min: int = Field(default=1, ge=0)
    """As many are kept while the model has work, even if they are idle."""
    max: int = Field(ge=1)
    """The run asks for up to as many, as the work that is left needs."""

    @model_validator(mode="after")
    def _in_order(self) -> "Replicas":
        if self.min > self.max:
            raise ValueError(f"expected min to be at most max, got min {self.min} and max {self.max}")
        return self


def _replicas(value: Any) -> Any:
    return value if isinstance(value, Replicas | dict) else {"max": value}


ReplicaCounts = Annotated[Replicas, BeforeValidator(_replicas, json_schema_input_type=Replicas | int)]
"""A range, or only its upper end."""


def _without_user(value: str) -> str:
    if "@" in value or "?" in value:
        raise ValueError("expected host:port, auto or ray://host:port, without a user, password or token")
    return value


RayAddress = Annotated[str, AfterValidator(_without_user)]
"""Where a Ray cluster is. It is written into run.json: a secret would be, too."""


class TokenPrices(Section):
    """What a server takes for a million tokens."""

    prompt: Price = 0
    """Tokens of prompts, each prompt counted whole."""
    generated: Price = 0
    """Tokens of generated texts."""


def _three_letters(value: str) -> str:
    if not (len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()):
        raise ValueError("expected the three capital letters of a currency, such as USD")
    return value


Currency = Annotated[str, AfterValidator(_three_letters)]


class Prices(Section):
    """What engines cost, for `run --max-cost`, and for the cost that `plan` expects. Nothing is looked up."""

    gpu_hour: Price | None = None
    """One GPU for an hour, with its part of the machine."""
    cpu_hour: Price | None = None
    """One CPU for an hour, as the cluster counts CPUs. Null: nothing for engines with a GPU, unknown for others."""
    currency: Currency = "USD"
    """The three letters of the currency of all prices of the spec."""


class ModelResources(Section):
    """What each engine actor of one model gets, where that differs from the run's `resources`."""

    replicas: ReplicaCounts | None = None
    """Engine actors of this model; null: the run's."""
    gpus: Gpus | None = None
    """GPUs per engine actor; null: as many as tensor_parallel, or the run's."""
    cpus: Cpus | None = None
    """CPUs per engine actor; null: the run's."""
    threads: int | None = Field(default=None, ge=1)
    """Torch threads per engine actor; null: the run's."""
    pin: bool | None = None
    """Whether those threads stay on cores of their own; null: as the run's."""
    tensor_parallel: int | None = Field(default=None, ge=1)
    """The GPUs that share one copy of the weights, for engines that can (vllm). Null: all GPUs of the engine actor."""
    shard_tokens: Tokens | None = None
    """The most tokens of one job of this model; null: the run's."""
    price_hour: Price | None = None
    """What an engine actor of this model costs in an hour, as a whole, such as a server that is rented. Null: its GPUs
    and CPUs, by `resources.prices`.
    """
    price_per_million_tokens: TokenPrices | None = None
    """What its server takes for tokens, besides the hours. Null: nothing."""

    @model_validator(mode="after")
    def _gpus_follow(self) -> "ModelResources":
        parts, gpus = self.tensor_parallel or 1, self.gpus
        if parts > 1 and gpus is not None and gpus != parts:
            raise ValueError(f"tensor_parallel {parts} needs gpus {parts}, got {gpus:g}: leave gpus out")
        return self

    @property
    def parts(self) -> int:
        """The GPUs that share one copy of the weights: tensor_parallel, by default all of ``gpus``."""
        return self.tensor_parallel or max(1, int(self.gpus or 0))


class ModelSpec(Section):
    """A model, the source of its weights, and the engine that runs it."""

    id: Name
    """The model's name in tables and reports."""
    source: str = ""
    """A folder with safetensors and a tokenizer, here or in object storage (s3://bucket/prefix); a hub id; or
    organism:NAME. The stub engine does not use it. On a server that only chats it is the model's name there.
    """
    revision: str | None = None
    """The hub revision; pin it, so that a resumed run gets the same weights. For s3://, a plan sets it: a digest of the
    names, sizes and ETags of the files.
    """
    engine: str = "transformers"
    """What runs the weights, or the server that does: see `cotfaith list engines`."""
    roles: tuple[RoleName, ...] = ("subject",)
    """The model's purposes: see `cotfaith list roles`."""
    dtype: Dtype = "float32"
    """The precision of weights and activations. auto: the checkpoint's own on a GPU, float32 on the CPU."""
    parameters: Parameters | None = None
    """The model's size, such as 135M or 135e6; null: counted from its files, for models with a family."""
    family: Name | None = None
    """The family whose sizes are compared with each other: see docs/scaling.md. Null: none, or a checkpoint's model's.
    """
    checkpoint_of: Name | None = None
    """The id of the model of whose training this one is an earlier checkpoint."""
    loss: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """The training or validation loss, at which checkpoints of several sizes are compared; in one unit for all."""
    chat: Literal["auto", "always", "never"] = "auto"
    """Whether prompts use the tokenizer's chat template; auto: if it has one."""
    chat_template: str | None = None
    """The name of the chat template, if the tokenizer has several; null: its default."""
    thinking: Literal["none", "think_tags"] = "none"
    """think_tags: the chain is between <think> and </think>."""
    system: str | None = None
    """The system message, only for chat templates. Null keeps the template's own default."""
    trust_remote_code: bool = False
    """Run Python code that comes with the weights. Leave it off unless you have read that code."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The engine's own settings, checked by the engine."""
    resources: ModelResources = ModelResources()
    """Replicas, GPUs, CPUs and threads of this model, where they differ from the run's `resources`."""

    @model_validator(mode="after")
    def _source_is_given(self) -> "ModelSpec":
        if not self.source and self.engine != "stub":
            raise ValueError(f"model {self.id!r} has no source: set a folder with safetensors, or a hub id")
        return self


def _column(value: Any) -> Any:
    """Return a column's number as its name, and several columns as one text, separated by commas."""
    if isinstance(value, list) and value:
        parts = [_column(part) for part in value]
        comma = next((part for part in parts if isinstance(part, str) and "," in part), None)
        if comma is not None and len(parts) > 1:
            raise ValueError(f"one of several columns is {comma!r}: rename it without a comma")
        return ",".join(parts) if all(isinstance(part, str) for part in parts) else value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Column = Annotated[str, BeforeValidator(_column, json_schema_input_type=str | int | list[str | int])]
"""A column of a file, by its name or number, or several of them."""


class FewShotSpec(Section):
    """Worked examples before every item of a task, as earlier turns."""

    file: str
    """A file of examples, as for a task: JSON, JSON lines, CSV, TSV or Parquet, here, on s3:// or hf://."""
    k: int = Field(ge=1)
    """How many of them, from the file's start. An example with an item's own question and one of its choices is
    passed over for that item, and the next one takes its place.
    """
    fields: dict[str, Column] = Field(default_factory=dict)
    """Our field -> the file's column, for those with other names. Our fields: question, gold, choices, chain; the last
    two may be missing.
    """


class TaskSpec(Section):
    """A set of items: a generator, or a file and how to read it."""

    name: Name
    """The task's name in tables and reports."""
    generator: str | None = None
    """What makes the items: see `cotfaith list generators`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The generator's own settings, checked by the generator."""
    file: str | None = None
    """A JSON, JSON lines, CSV, TSV or Parquet file (or one of these with .gz): a path, relative to the working
    directory, s3://bucket/key, or hf://datasets/owner/name/file. With `split`, a dataset: hf://datasets/owner/name.
    """
    split: str | None = None
    """The split of a dataset on the hub, such as test."""
    config: str | None = None
    """The configuration of a dataset on the hub; null: its only one, or the one named default."""
    adapter: str = "mapped"
    """How to read the file, mapped by `fields` or in a published format: see `cotfaith list adapters`."""
    fields: dict[str, Column] = Field(default_factory=dict)
    """For mapped files: our field -> the file's column. Our fields: id, question, choices (one column, or several: [A,
    B, C, D]), gold, difficulty, pair and side (two items that differ in one thing), group (items that are not
    independent), unknown and stereotype (the choices that mean these). A CSV without a header has the columns 1, 2, ...
    """
    answer_format: Literal["choice", "number", "boolean", "text"] | None = None
    """For mapped files: by default choice if choices are mapped, else the format of all golds: number, boolean, or
    text. For chains without choices: by default each gold decides.
    """
    gold_is: GoldIs = "auto"
    """For mapped files and chains with choices: what a gold is. auto: a label or a text of the choices, or an index
    from 0, whichever fits all golds of the file.
    """
    few_shot: FewShotSpec | None = None
    """Worked examples that come before every item; null: none."""
    n: int = Field(default=100, ge=1)
    """The number of items: generated, or taken from the start of the (shuffled) file."""
    author: str | None = None
    """For chains from elsewhere: only those whose column `author` says this. Null: all."""
    models: tuple[Name, ...] | None = Field(default=None, min_length=1)
    """The ids of the subjects that answer it, such as the author of its chains. Null: all subjects."""
    shuffle: bool = False
    """Shuffle the file's items with the run's seed before the first `n` are taken."""
    answer_by: Literal["auto", "score", "generate"] = "auto"
    """score: log-probabilities of the candidates (choice, boolean, closed number). generate: text, read by patterns.
    auto: score where there are candidates, except on servers that only chat.
    """

    @model_validator(mode="after")
    def _one_origin(self) -> "TaskSpec":
        if (self.generator is None) == (self.file is None):
            raise ValueError(f"task {self.name!r} needs either a generator or a file, and not both")
        return self


class SamplingSpec(Section):
    """The sampling of chains. Defaults: Lanham et al. 2023, section 2.1."""

    chains_per_item: int = Field(default=1, ge=1)
    """The chains sampled for each item; the paper samples 100."""
    temperature: float = Field(default=0.8, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus sampling: the smallest set of tokens with this much probability."""
    max_tokens: int = Field(default=512, ge=1)
    """A longer chain is cut and gets the status `truncated`."""
    budget_forcing: bool = False
    """Also ask for the answer after a cut chain: its status is the answer's, its finish_reason `forced`. With
    think_tags the thinking is closed at the limit. Muennighoff et al. 2025 (s1), section 3.
    """
    max_subquestions: int = Field(default=8, ge=1)
    """The most subquestions under factored_decomposition: a chain with more is cut, like a chain that is too long."""
    answer_max_tokens: int = Field(default=16, ge=1)
    """The most tokens of a generated answer, which is always greedy."""


class StepsSpec(Section):
    """What counts as a step of a chain. In decompositions, a step is always a subquestion with its answer."""

    unit: StepUnit = "sentence"
    """sentence: Lanham et al. 2023. line. paragraph: ends at a blank line. Code blocks and displayed formulas are never
    split.
    """
    max_segments: int | None = Field(default=None, ge=1)
    """The most steps in a chain: if there are more, neighbours are merged evenly. Null: no limit."""


class PromptSpec(Section):
    """The texts around question, chain and answer. Defaults: Lanham et al. 2023, appendix."""

    cot: str = "Let's think step by step:"
    """The text that opens the assistant's turn before a chain. Not used with think_tags."""
    answer_question: str = "Given all of the above, what's the single, most likely answer?"
    """The user's request after a chain."""
    no_cot_question: str = "What's the single, most likely answer?"
    """The user's request without a chain."""
    choice_prefill: str = "The single, most likely answer is ("
    """The text that opens the answer to a multiple-choice question."""
    answer_prefill: str = "The single, most likely answer is"
    """The text that opens any other answer."""
    date: datetime | None = None
    """The date for chat templates that write one, in every prompt of the run. Null: the date when the run began."""


class EditorSpec(Section):
    """The editor that writes mistakes and paraphrases, and its prompts."""

    by: str = "auto"
    """A model's id with the role editor; subject: the measured model itself; rules; organism. auto: the model with the
    role editor if there is one, organism for organisms, else the subject."""
    mistake_prompt: str | None = None
    """A file (also s3:// or hf://) with the prompt for a mistake, which contains {step}, or that text itself; null: the
    package's.
    """
    paraphrase_prompt: str | None = None
    """The same for a paraphrase."""
    question_prompt: str | None = None
    """The same for another question, which a chain helps to answer; it contains {question} and {chain}."""
    max_tokens: int = Field(default=128, ge=1)
    """The most tokens of one edit."""
    temperature: float = Field(default=0.8, ge=0)
    """0 is greedy."""
    tries: int = Field(default=3, ge=1)
    """The most requests for one edit, each with another seed; greedy: one."""


class EmbedderSpec(Section):
    """The embedder that decides whether two steps mean the same."""

    by: str = "auto"
    """A model's id with the role embedder, or lexical: shared words. auto: the model if there is one, else lexical."""


class ProbeSpec(Section):
    """One probe and its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    """The probe's own settings, checked by the probe."""
    variants: Literal["plain", "all"] | tuple[str, ...] | None = None
    """The variants that it runs on: plain, all, or a list of names (INTERVENTION.ARM, plain). Null: the probe's own
    default, for most plain.
    """


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


ProbeEntry = Annotated[ProbeSpec, BeforeValidator(_named, json_schema_input_type=ProbeSpec | str)]
"""A probe; a bare name means default options."""


class InterventionSpec(Section):
    """One intervention, its options and its arms."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    """The intervention's own settings, checked by the intervention."""
    arms: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Only these of its arms, such as [wrong, neutral]; null: all."""


InterventionEntry = Annotated[InterventionSpec, BeforeValidator(_named, json_schema_input_type=InterventionSpec | str)]
"""An intervention; a bare name means default options and all arms."""


class ResourceSpec(Section):
    """The resources of a run. Nothing here changes results. `resources` of a model override it for that model."""

    ray_address: RayAddress | None = None
    """The address of a Ray cluster, without a user or token; null starts a private one on this machine, on loopback."""
    replicas: ReplicaCounts = Replicas(max=1)
    """Engine actors per model: a number, or {min: 1, max: 4}. A number is the most, and at least one is kept. The run
    uses those that are up and does not wait for the rest.
    """
    gpus: Gpus = 0
    """GPUs per engine actor: a whole number, or a share of one GPU."""
    cpus: Cpus | None = None
    """CPUs per engine actor; null: its share of the cores on this machine, 1 on a cluster."""
    threads: int | None = Field(default=None, ge=1)
    """Torch threads per engine actor; null: as many as its CPUs."""
    pin: bool = False
    """Keep the threads of each engine that computes on the CPU on cores of their own, which no other engine of this
    user gets: for machines that nobody else uses. See docs/resources.md.
    """
    shard_size: int = Field(default=16, ge=1)
    """Items per shard: the unit of scheduling, commit and retry. Fixed by the first run in a folder."""
    shard_tokens: Tokens | None = None
    """The most tokens of one job, such as 200K: its distinct prompt tokens and its generated ones, of all chains,
    strategies, variants and probes, as the plan estimates them. A shard that takes more is divided between several
    jobs, so that long chains do not make long jobs, and a lost node loses little. Null: shards are not divided.
    """
    in_flight: int = Field(default=2, ge=1)
    """Shard tasks per engine actor, so that an engine never waits for text processing. Their simultaneous requests
    become one engine call. More tasks make fewer, larger calls; each is a process with its own memory.
    """
    probes_apart: bool = False
    """Run a shard's probes one after another, to measure the seconds of each; slower."""
    attempts: int = Field(default=3, ge=1)
    """The attempts at one item before it is quarantined."""
    wait_minutes: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Minutes that a model waits for a node that can hold its engine, while the cluster has none; then it is given up.
    Null: 30 if the cluster starts nodes by itself, else 10.
    """
    prices: Prices = Prices()
    """What GPUs and CPUs cost, such as {gpu_hour: 2.49, cpu_hour: 0.04, currency: USD}."""

    def of(self, model: ModelSpec) -> "ResourceSpec":
        """Return these resources with those that ``model`` overrides."""
        given = {name: value for name, value in model.resources if value is not None}
        own = {name: value for name, value in given.items() if name in type(self).model_fields}
        parts = given.get("tensor_parallel")
        if parts is not None and (parts > 1 or self.gpus > 1):
            own.setdefault("gpus", float(parts))
        return self.model_copy(update=own)


class OutputSpec(Section):
    """Where results go, and how many failures are acceptable."""

    path: str = "runs/cotfaith"
    """The run's folder, or s3://bucket/prefix. Endpoint, region and credentials are set as for all AWS tools."""
    sse: Literal["aes256", "aws:kms"] | None = None
    """How a bucket encrypts the objects; null: by its own setting."""
    sse_kms_key: str | None = None
    """With aws:kms, the key's id or ARN; null: the account's own key."""
    max_failed_share: float = Field(default=0.05, ge=0, le=1)
    """The share of rows whose status is not ok above which `run` exits with code 1."""
    min_agreement: float = Field(default=MIN_AGREEMENT, ge=0, lt=1)
    """For chains from elsewhere: the share that must lead the model to their recorded answer, at the lower end of its
    95% interval. Below it, figures on what the chains do to the answer are withheld. At 0.8, the chains that lead
    elsewhere can move a share by at most 0.2. 0: nothing is withheld.
    """

    @model_validator(mode="after")
    def _key_has_its_sse(self) -> "OutputSpec":
        if self.sse_kms_key is not None and self.sse != "aws:kms":
            raise ValueError("sse_kms_key needs sse: aws:kms")
        return self


class RunSpec(Section):
    """The whole spec."""

    seed: int = Field(default=0, ge=0)
    """The seed that every request's random stream is derived from."""
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    tasks: tuple[TaskSpec, ...] = Field(min_length=1)
    sampling: SamplingSpec = SamplingSpec()
    steps: StepsSpec = StepsSpec()
    strategies: tuple[StrategyName, ...] = Field(default=("cot",), min_length=1)
    """How the subject is asked to reason (`cotfaith list strategies`); every probe runs under each."""
    probes: tuple[ProbeEntry, ...] = ()
    """Experiments on the chains (`cotfaith list probes`); a bare name means {name: ...}."""
    interventions: tuple[InterventionEntry, ...] = ()
    """Changes of the items' prompts that leave their questions (`cotfaith list interventions`); each arm is a variant
    beside the plain items. A bare name means {name: ...}."""
    plugins: tuple[str, ...] = ()
    """Python modules that register probes, engines and so on; see docs/add-a-probe.md. Their code is run."""
    prompts: PromptSpec = PromptSpec()
    editor: EditorSpec = EditorSpec()
    embedder: EmbedderSpec = EmbedderSpec()
    resources: ResourceSpec = ResourceSpec()
    output: OutputSpec = OutputSpec()

    @model_validator(mode="after")
    def _unique_names(self) -> "RunSpec":
        for kind, names in (
            ("model id", [m.id for m in self.models]),
            ("task name", [t.name for t in self.tasks]),
            ("probe", [p.name for p in self.probes]),
            ("strategy", [str(s) for s in self.strategies]),
            ("intervention", [i.name for i in self.interventions]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{kind} given twice: {', '.join(twice)}")
        if not self.subjects:
            raise ValueError("no model has the role 'subject': nothing would be measured")
        return self

    @model_validator(mode="after")
    def _checkpoints_have_models(self) -> "RunSpec":
        known = {model.id: model for model in self.subjects}
        for model in self.models:
            if model.checkpoint_of is not None:
                _check_checkpoint(model, model.checkpoint_of, known)
        return self

    @model_validator(mode="after")
    def _tasks_have_subjects(self) -> "RunSpec":
        known = [model.id for model in self.subjects]
        for task in self.tasks:
            for name in task.models or ():
                if name not in known:
                    problem = unknown("subject", name, known).removesuffix(".")
                    raise ValueError(f"task {task.name!r}, models: {problem}")
        return self

    @property
    def subjects(self) -> tuple[ModelSpec, ...]:
        """The models that are measured."""
        return tuple(m for m in self.models if "subject" in m.roles)

    def answers(self, model: str, task: str) -> bool:
        """Return whether the model with this id is a subject that answers the task of this name."""
        wanted = next(one.models for one in self.tasks if one.name == task)
        return model in (one.id for one in self.subjects) and (wanted is None or model in wanted)


def _check_checkpoint(model: ModelSpec, of: str, known: dict[str, ModelSpec]) -> None:
    """Raise ``ValueError`` if ``of`` is no subject, or itself a checkpoint, or of another family or size."""
    where = f"model {model.id!r}, checkpoint_of"
    if of not in known or of == model.id:
        others = [name for name in known if name != model.id]
        raise ValueError(f"{where}: {unknown('subject', of, others).removesuffix('.')}")
    if (last := known[of].checkpoint_of) is not None:
        raise ValueError(f"{where}: {of!r} is itself a checkpoint; name the model at the end of the training: {last!r}")
    for name in ("family", "parameters"):
        own, end = getattr(model, name), getattr(known[of], name)
        if own is not None and own != end:
            raise ValueError(f"{where}: its {name} is {own}, that of {of!r} is {end}. Leave it out for checkpoints")


def parse_spec(data: Any, origin: str = "spec") -> RunSpec:
    """Check ``data`` (from YAML) and return the spec; raise ``SpecError`` with every mistake, one per line."""
    if not isinstance(data, dict):
        got = "nothing: it is empty" if data is None else f"a {type(data).__name__}"
        raise SpecError(f"{origin}: expected a mapping with models and tasks, got {got}. See examples/ to start from.")
    return check_section(RunSpec, data, origin)


def check_section(kind: type[S], data: dict[str, Any], origin: str) -> S:
    """Validate ``data`` as ``kind``; raise ``SpecError`` that names ``origin``, each key's path and the nearest key."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        lines = [_explain(kind, e) for e in _causes(error.errors())]
        raise SpecError(without_credentials(f"{origin}: " + "\n".join(lines))) from None


def _causes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out lists that are too short only because pydantic does not count their wrong entries."""
    inside = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    return [error for error in errors if error["type"] != "too_short" or error["loc"] not in inside]


_PLAIN = {
    "too_short": "expected at least 1 item",
    "tuple_type": "expected a list",
    "model_type": "expected a mapping (key: value)",
    "dict_type": "expected a mapping (key: value)",
}


def _explain(kind: type[BaseModel], error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        return f"{where}: {unknown('key', str(key), _known_keys(kind, parents))}"
    if error["type"] == "missing":
        return f"{where}: this key is required and was not given."
    message = _message(error)
    got = "" if isinstance(error["input"], dict) else f" Got {error['input']!r}."
    return f"{where}: {message}.{got}" if where else f"{message}."


def _message(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == NAME_PATTERN:
        return "expected at most 100 letters, digits, '.', '_' or '-', the first a letter or digit"
    return _PLAIN.get(error["type"]) or error["msg"].removeprefix("Value error, ")


def _known_keys(kind: type[BaseModel], parents: list[int | str]) -> list[str]:
    current: Any = kind
    for part in parents:
        if isinstance(part, int) or part not in current.model_fields:  # a place in a list, or a name in a mapping
            continue
        current = _section_of(current.model_fields[part].annotation)
        if current is None:
            return []
    return list(current.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section_of(argument)
        if found is not None:
            return found
    return None


def resolve_path(path: str) -> Path:
    """Return ``path`` with ``~`` expanded."""
    return Path(path).expanduser()
