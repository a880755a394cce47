"""The JSON objects of a run's folder: run.json, commits, shards that were given up, validation.json.

In: an object's bytes. Out: the checked object, as plain data, or ``RunFolderError`` that names the object, what is
wrong with it and the way out. A folder may have been copied, edited or damaged, so nothing in it is taken on trust:
types are strict. Keys that are not named here are kept: a later version may have added them.
"""

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError, model_validator
from pydantic_core import ErrorDetails

from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.spec import Name
from cotfaith.schemas.tables import SCHEMA_VERSION

Text = Annotated[str, Field(min_length=1)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
R = TypeVar("R", bound="RunObject")
MOST_PROBLEMS = 5
"""Named in one message."""


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


_RUN_HINT = "Was it changed by hand, or is it not a run of cotfaith? Name another folder."
_VALIDATION_HINT = f"Remove {keys.VALIDATION}, or write it anew with: cotfaith validate."


def parse_run(data: bytes) -> dict[str, Any]:
    """Return run.json.

    Raises:
        RunFolderError: it is no run.json, or one of a later version.

    """
    run, raw = _parse(RunRecord, data, f"The folder's {keys.RUN}", _RUN_HINT)
    if run.schema_version > SCHEMA_VERSION:
        raise RunFolderError(
            f"The folder's {keys.RUN} has schema version {run.schema_version}, and this cotfaith reads up to "
            f"{SCHEMA_VERSION}. Update cotfaith, or name another folder."
        )
    return raw


def parse_commit(data: bytes, key: str) -> dict[str, Any]:
    """Return the commit that lies at ``key``.

    Raises:
        RunFolderError: it is no commit, contradicts itself, or belongs elsewhere (a copy).

    """
    again = f"Remove {key} and run again: what it stood for is then done anew."
    commit, raw = _parse(Commit, data, key, again)
    _check_place(commit, key, keys.commit(commit.shard_id, commit.probe, commit.reader))
    if problem := _contradiction(commit):
        raise RunFolderError(f"{key}: {problem}. {again}")
    return raw


def parse_given_up(data: bytes, key: str) -> dict[str, Any]:
    """Return what was given up, from the object at ``key``; raise ``RunFolderError`` if it is something else."""
    found, raw = _parse(GivenUp, data, key, f"Remove {key}.")
    _check_place(found, key, keys.given_up(found.shard_id, found.probe, found.reader))
    return raw


def parse_validation(data: bytes) -> list[dict[str, Any]]:
    """Return the checks in validation.json; raise ``RunFolderError`` if it is something else."""
    _, raw = _parse(ValidationRecord, data, keys.VALIDATION, _VALIDATION_HINT)
    checks: list[dict[str, Any]] = raw["checks"]
    return checks


def _parse(kind: type[R], data: bytes, what: str, hint: str) -> tuple[R, dict[str, Any]]:
    try:
        return kind.model_validate_json(data), json.loads(data)
    except ValidationError as error:
        raise RunFolderError(f"{what} {_problems(error)}. {hint}") from None
    except (ValueError, RecursionError) as error:  # what one parser takes and the other does not
        raise RunFolderError(f"{what} cannot be read: {type(error).__name__}. {hint}") from None


def _problems(error: ValidationError) -> str:
    """Return what is wrong in words, such as "has no created, identity"."""
    found = error.errors(include_url=False)
    if found[0]["type"] == "json_invalid":
        return f"cannot be read: {found[0]['msg'].removeprefix('Invalid JSON: ')}"
    lacking = sorted(_where(e["loc"]) for e in found if e["type"] == "missing")
    wrong = [_wrong(e) for e in found if e["type"] != "missing"]
    parts = [f"has no {', '.join(lacking)}"] * bool(lacking) + [f"has a wrong value: {text}" for text in wrong]
    more = f" (and {len(parts) - MOST_PROBLEMS} more)" if len(parts) > MOST_PROBLEMS else ""
    return "; ".join(parts[:MOST_PROBLEMS]) + more


def _wrong(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    return f"{_where(error['loc'])}: {error['msg']}, got {_short(error['input'])}"


def _where(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "the whole"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _check_place(found: ShardEntry, key: str, own: str) -> None:
    """Raise unless the object lies where it says that it belongs: a copy would count its rows twice."""
    if found.shard != found.shard_id:
        raise RunFolderError(
            f"{key}: it names the shard {found.shard!r} and describes {found.shard_id!r}. Was it changed by hand? "
            f"Remove {key} and run again."
        )
    named = getattr(found, "key", None)
    if key != own or named not in (None, own):
        raise RunFolderError(
            f"{key}: by its content it belongs at {own if named in (None, own) else named}. Is it a copy, or was it "
            f"renamed? Counting it would count rows twice. Move {key} out of the folder, or rename it."
        )


def _contradiction(commit: Commit) -> str:
    """Return in which way a commit cannot be what a run wrote; "" if it can."""
    tables = [part.table for part in commit.parts]
    wanted = ["chains", "items"] if commit.probe is None else ["observations"]
    if sorted(tables) != wanted:
        return f"its parts are {', '.join(tables) or 'none'}, expected {' and '.join(wanted)}"
    if commit.start >= commit.stop:
        return f"it goes from item {commit.start} to {commit.stop}"
    for part in commit.parts:
        own = keys.part(part.table, commit.model, commit.task, commit.shard, commit.attempt, commit.probe)
        if part.key != own:
            return f"its {part.table} are named {part.key!r}, expected {own!r}"
    rows = sum(part.rows for part in commit.parts if part.table != "items")
    if rows != sum(commit.statuses.values()):
        return f"it counts {sum(commit.statuses.values())} statuses for {rows} rows"
    return ""
