"""The JSON objects of a run's folder, read and checked.

In: an object's bytes and its key. Out: the typed object, or a ``RunFolderError`` that says which object, what is wrong
and what to do. A folder may have been copied, edited or damaged: nothing in it is trusted.
"""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_objects import CheckEntry, Commit, GivenUp, RunObject, RunRecord, ShardEntry, ValidationRecord
from cotfaith.schemas.tables import SCHEMA_VERSION

R = TypeVar("R", bound=RunObject)
MOST_PROBLEMS = 5
"""The most problems in one message."""
_RUN_HINT = "Was it changed by hand, or is it not a run of cotfaith? Use another folder."
_VALIDATION_HINT = f"Remove {keys.VALIDATION}, or rewrite it with: cotfaith validate."


def parse_run(data: bytes) -> RunRecord:
    """Return run.json.

    Raises:
        RunFolderError: it is not a run.json, or its version is too new.

    """
    run = _parse(RunRecord, data, f"The folder's {keys.RUN}", _RUN_HINT)
    if run.schema_version > SCHEMA_VERSION:
        raise RunFolderError(
            f"The folder's {keys.RUN} has schema version {run.schema_version}, and this cotfaith reads up to "
            f"{SCHEMA_VERSION}. Update cotfaith, or use another folder."
        )
    return run


def parse_commit(data: bytes, key: str) -> Commit:
    """Return the commit at ``key``.

    Raises:
        RunFolderError: it is not a commit, contradicts itself, or belongs to another key (a copy).

    """
    again = f"Remove {key} and run again: its work is then repeated."
    commit = _parse(Commit, data, key, again)
    _check_place(commit, key, keys.commit(commit.shard_id, commit.probe, commit.reader))
    if problem := _contradiction(commit):
        raise RunFolderError(f"{key}: {problem}. {again}")
    return commit


def parse_given_up(data: bytes, key: str) -> GivenUp:
    """Return the record of what was given up at ``key``; raise ``RunFolderError`` if it is something else."""
    found = _parse(GivenUp, data, key, f"Remove {key}.")
    _check_place(found, key, keys.given_up(found.shard_id, found.probe, found.reader))
    return found


def parse_validation(data: bytes) -> list[CheckEntry]:
    """Return the checks in validation.json; raise ``RunFolderError`` if it is something else."""
    return _parse(ValidationRecord, data, keys.VALIDATION, _VALIDATION_HINT).checks


def _parse(kind: type[R], data: bytes, what: str, hint: str) -> R:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise RunFolderError(f"{what} {_problems(error)}. {hint}") from None


def _problems(error: ValidationError) -> str:
    """Return the problems in words, such as "has no created, identity"."""
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
    """Raise unless the object is at the key that it names: a copy would count its rows twice."""
    if found.shard != found.shard_id:
        raise RunFolderError(
            f"{key}: it names the shard {found.shard!r} but describes {found.shard_id!r}. Was it changed by hand? "
            f"Remove {key} and run again."
        )
    named = own if found.key is None else found.key
    if not key == own == named:
        raise RunFolderError(
            f"{key}: its content belongs at {named}. Is it a copy, or was it "
            f"renamed? Counting it would count rows twice. Move {key} out of the folder, or rename it."
        )


def _contradiction(commit: Commit) -> str:
    """Return why a run cannot have written this commit; "" if it can have."""
    tables = [part.table for part in commit.parts]
    wanted = ["chains", "items"] if commit.probe is None else ["observations"]
    if sorted(tables) != wanted:
        return f"its parts are {', '.join(tables) or 'none'}, expected {' and '.join(wanted)}"
    if commit.start >= commit.stop:
        return f"it covers items {commit.start} to {commit.stop}"
    for part in commit.parts:
        own = keys.part(part.table, commit.model, commit.task, commit.shard, commit.attempt, commit.probe)
        if part.key != own:
            return f"its {part.table} are named {part.key!r}, expected {own!r}"
    rows = sum(part.rows for part in commit.parts if part.table != "items")
    if rows != sum(commit.statuses.values()):
        return f"it counts {sum(commit.statuses.values())} statuses for {rows} rows"
    return ""
