"""Parts of a long benchmark within a time limit. The most important come first, and none is lost when another fails.

In: parts in order, each with the seconds that it should take. Out: a record for each from the start, kept up to date,
so that what is saved is whole whenever the process ends. Knows nothing about what the parts do.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OK, UNEQUAL, FAILED, SKIPPED, WAITING = "ok", "unequal", "failed", "skipped", "waiting"
PATIENCE = 3.0
"""A part may take this many times its estimate: one that hangs must not take the others' time."""

Record = dict[str, Any]
"""status, reason (null: ok), seconds (null: it did not run), estimate_s, result (null: none)."""


class PartError(Exception):
    """A part failed; ``partial``: the numbers that it had by then."""

    def __init__(self, reason: str, partial: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.partial = partial


@dataclass(frozen=True)
class Part:
    """A piece of the work."""

    name: str
    estimate_s: float
    run: Callable[[float], Mapping[str, Any]]
    """The seconds that it may take -> its numbers. "equal": false says that results differ by more than they may."""
    needs: str | None = None
    """The part without whose success this one is skipped."""


def run_parts(
    parts: Sequence[Part],
    minutes: float,
    save: Callable[[Mapping[str, Record]], None],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Record]:
    """Run the parts in order while there is time; ``save`` gets the records before the first and after each."""
    end = clock() + 60 * minutes
    records = {part.name: _record(part, WAITING, "not reached") for part in parts}
    save(records)
    for part in parts:
        left_s = end - clock()
        if why := _unfit(part, left_s, records):
            records[part.name] = _record(part, SKIPPED, why)
        else:
            start = clock()
            record = _done(part, min(left_s, PATIENCE * part.estimate_s))
            records[part.name] = {**record, "seconds": clock() - start}
        save(records)
    return records


def passed(records: Mapping[str, Record], required: Sequence[str]) -> bool:
    """Return whether nothing failed or differed, and none of the ``required`` parts was skipped."""
    sound = all(record["status"] in (OK, SKIPPED) for record in records.values())
    return sound and all(records[name]["status"] == OK for name in required)


def _unfit(part: Part, left_s: float, records: Mapping[str, Record]) -> str | None:
    if part.needs and records[part.needs]["status"] != OK:
        return f"needs {part.needs}, which is {records[part.needs]['status']}"
    if left_s < part.estimate_s:
        return f"{max(0.0, left_s):.0f} s left, about {part.estimate_s:.0f} s needed"
    return None


def _done(part: Part, limit_s: float) -> Record:
    """Run a part. Whatever it raises is data: the other parts go on."""
    try:
        result = part.run(limit_s)
    except PartError as error:
        return _record(part, FAILED, str(error), error.partial)
    except Exception as error:
        print(f"{part.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return _record(part, FAILED, f"{type(error).__name__}: {error}")
    if not result.get("equal", True):
        return _record(part, UNEQUAL, "results differ by more than they may", result)
    return _record(part, OK, None, result)


def _record(part: Part, status: str, reason: str | None, result: Mapping[str, Any] | None = None) -> Record:
    return {
        "status": status,
        "reason": reason,
        "seconds": None,
        "estimate_s": part.estimate_s,
        "result": dict(result) if result is not None else None,
    }
