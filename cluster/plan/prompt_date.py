"""The date for chat templates that ask for one: the same in all prompts of a run, and kept in run.json.

In: a spec and a run's record. Out: a date and time. For a run of an old version, which has no such date, it is the time
of its creation.
"""

from datetime import UTC, datetime

from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.spec import RunSpec


def prompt_date(spec: RunSpec, run: RunRecord | None, planned: datetime | None = None) -> datetime:
    """Return the run's date; if there is no run yet, the planned one, the spec's, or now."""
    recorded = None if run is None else recorded_date(run)
    return recorded or planned or spec.prompts.date or datetime.now(UTC).replace(microsecond=0)


def recorded_date(run: RunRecord) -> datetime:
    """Return the date in run.json, or when the run was made if it holds none.

    Raises:
        RunConflictError: it is not a date.

    """
    text = run.prompt_date or run.created
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise RunConflictError(
            f"The folder's {keys.RUN} has {text!r} for prompt_date; expected a date such as 2026-07-26T12:00:00. "
            "Was it changed by hand? Use another output.path."
        ) from None


def date_changes(spec: RunSpec, run: RunRecord) -> list[str]:
    """Return a line if the spec's date contradicts the run's."""
    wanted, recorded = spec.prompts.date, recorded_date(run)
    if wanted is None or wanted.isoformat() == recorded.isoformat():
        return []
    return [f"prompts.date: the run has {recorded.isoformat()}, the spec {wanted.isoformat()}"]
