"""The JSON objects of a run's folder, read and checked.

In: an object's bytes and its key. Out: the typed object, or a ``RunFolderError`` that says which object, what is wrong
and what to do. A folder may have been copied, edited or damaged: nothing in it is trusted.
"""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.live_status import LiveStatus
from cotfaith.schemas.run_objects import (
    CheckEntry,
    Commit,
    GivenUpModel,
    Lease,
    NoiseEntry,
    Quarantined,
    RunObject,
    RunRecord,
    SessionCosts,
    ValidationRecord,
)
from cotfaith.schemas.tables import SCHEMA_VERSION

R = TypeVar("R", bound=RunObject)
MOST_PROBLEMS = 5
"""The most problems in one message."""
_RUN_HINT = "Was it changed by hand, or is it not a run of cotfaith? Use another folder."
_LEASE_HINT = f"If no other driver works on the run, remove {keys.LEASE}, or use --take-over."
_VALIDATION_HINT = f"Remove {keys.VALIDATION}, or rewrite it with: cotfaith validate."


def parse_run(data: bytes) -> RunRecord:
    """Return run.json.

    Raises:
        RunFolderError: it is not a run.json, or its version is too new.

    """
    run = parse_object(RunRecord, data, f"The folder's {keys.RUN}", _RUN_HINT)
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
    commit = parse_object(Commit, data, key, again)
    check_place(commit.key, keys.commit(commit.shard_id, commit.generation), key)
    if problem := _contradiction(commit):
        raise RunFolderError(f"{key}: {problem}. {again}")
    return commit


def parse_quarantined(data: bytes, key: str) -> Quarantined:
    """Return the record of a quarantined item at ``key``; raise ``RunFolderError`` if it is something else."""
    found = parse_object(Quarantined, data, key, f"Remove {key}.")
    check_place(found.key, keys.quarantine(found.shard_id, found.index, found.reader), key)
    return found


def parse_given_up(data: bytes, key: str) -> GivenUpModel:
    """Return the record of a model that is given up at ``key``; raise ``RunFolderError`` if it is something else."""
    found = parse_object(GivenUpModel, data, key, f"Remove {key}.")
    check_place(found.key, keys.given_up(found.role, found.model), key)
    return found


def parse_costs(data: bytes, key: str) -> SessionCosts:
    """Return what a session cost, at ``key``; raise ``RunFolderError`` if it is something else."""
    found = parse_object(SessionCosts, data, key, f"Remove {key}: what that session cost is then not known.")
    check_place(found.key, found.key, key)
    return found


def parse_noise(data: bytes, key: str) -> NoiseEntry:
    """Return a model's noise floor at ``key``; raise ``RunFolderError`` if it is something else."""
    found = parse_object(NoiseEntry, data, key, f"Remove {key}: the next run measures it again.")
    check_place(found.key, keys.noise(found.model), key)
    return found


def parse_lease(data: bytes) -> Lease:
    """Return the lease in ``data``; raise ``RunFolderError`` if it is something else."""
    return parse_object(Lease, data, keys.LEASE, _LEASE_HINT)


def parse_live_status(data: bytes) -> LiveStatus:
    """Return the status in ``data``; raise ``RunFolderError`` if it is something else."""
    return parse_object(LiveStatus, data, keys.STATUS, f"Remove {keys.STATUS}: a driver writes it again.")


def parse_validation(data: bytes) -> list[CheckEntry]:
    """Return the checks in validation.json; raise ``RunFolderError`` if it is something else."""
    return parse_object(ValidationRecord, data, keys.VALIDATION, _VALIDATION_HINT).checks


def parse_object(kind: type[R], data: bytes, what: str, hint: str) -> R:
    """Return the object in ``data``; raise ``RunFolderError`` if it is something else."""
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


def check_place(named: str, own: str, key: str) -> None:
    """Raise unless an object that says ``named`` and describes ``own`` is at ``key``: a copy would count rows twice."""
    if not key == own == named:
        raise RunFolderError(
            f"{key}: its content belongs at {own if named == key else named}. Is it a copy, or was it renamed or "
            f"changed? Counting it would count rows twice. Move {key} out of the folder, or rename it."
        )


def _contradiction(commit: Commit) -> str:
    """Return why a run cannot have written this commit; "" if it can have."""
    if commit.start >= commit.stop:
        return f"it covers items {commit.start} to {commit.stop}"
    if not 0 < len(commit.items) <= commit.stop - commit.start or len(set(commit.items)) < len(commit.items):
        return f"it lists {len(commit.items)} items, {len(set(commit.items))} of them different, of {commit.shard_id}"
    if problem := _piece_problem(commit):
        return problem
    tables = sorted(part.table for part in commit.parts)
    wanted = ["chains", "items"] if commit.pieces[0].probe is None else ["observations"]
    if tables != wanted:
        return f"its parts are {', '.join(tables) or 'none'}, expected {' and '.join(wanted)}"
    for part in commit.parts:
        own = keys.part(part.table, commit.shard_id, commit.attempt)
        if part.key != own:
            return f"its {part.table} are named {part.key!r}, expected {own!r}"
    rows = sum(part.rows for part in commit.parts if part.table != "items")
    counted = sum(sum(counts) for piece in commit.pieces for counts in piece.statuses.values())
    if rows != counted:
        return f"it counts {counted} statuses for {rows} rows"
    return "" if commit.sha256 == commit.digest() else "it is not what was written (its sha256 differs)"


def _piece_problem(commit: Commit) -> str:
    """Return what is wrong with the commit's pieces; "" if nothing is."""
    names, n = [piece.name for piece in commit.pieces], len(commit.items)
    if not names or len(set(names)) < len(names):
        return f"it has {len(names)} pieces, {len(set(names))} of them different"
    if len({(name.probe is None, name.reader) for name in names}) > 1:
        return "it holds chains and rows of probes, or rows of several readers"
    texts = {(one.strategy, one.variant): one.hashes for one in commit.texts}
    if lacking := [name for name in names if len(texts.get((name.strategy, name.variant), ())) != n]:
        return f"it does not name the chains of {' '.join(lacking[0][:2])} of each item"
    for piece in commit.pieces:
        if any(len(counts) != n for counts in piece.statuses.values()) or any(at >= n for at in piece.cut):
            return f"its counts of rows are not those of {n} items"
    return ""
