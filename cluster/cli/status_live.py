"""What a run's driver does now, for the terminal: lines and a table that fit the width.

In: an ``Alive``. Out: renderables for a rich console. Texts in a status can quote other programs: control characters
are marked, and markup is not interpreted.
"""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cotfaith.cluster.cli.phases import PHASES
from cotfaith.cluster.cli.tables import human_count, new_table
from cotfaith.cluster.durations import clock, duration
from cotfaith.cluster.fleet.alive import Alive
from cotfaith.cluster.terminal import plain_text
from cotfaith.schemas.live_status import LiveStatus, ModelStatus
from cotfaith.schemas.run_objects import Lease

WIDE = 110
"""Columns from which each figure has a column of its own."""
NARROW = 70
"""Columns below which only counts are shown by model."""
MOST_MODELS = 20
MOST_OLDEST = 3
_TROUBLE = ("failed", "preempted", "quarantined")
COUNTS = ("done", "running", "waiting", *_TROUBLE)


def live_part(alive: Alive, width: int) -> RenderableType:
    """Return the lines and the table."""
    lines = [Text(plain_text(line), style="bold yellow" if alive.verdict == "dead" else "") for line in _driver(alive)]
    status = alive.status
    if status is None or alive.verdict == "nobody":
        return Group(*lines)
    return Group(*lines, *(Text(plain_text(line)) for line in _figures(status)), *_tables(status, width))


def _driver(alive: Alive) -> Iterator[str]:
    """Yield who works on the run, or who did and how that ended."""
    lease, status = alive.lease, alive.status
    if lease is None:
        yield "No driver works on it." + ("" if status is None else _ending(status))
    elif alive.verdict == "works":
        yield f"A driver works on it: {lease.name}{_phase(alive.live)}."
    elif alive.verdict == "dead":
        yield f"Its driver is dead: {lease.name}{'' if status is None else f', last heard of at {status.written}'}."
        yield f"To go on: {resume(status)}"
    else:
        yield f"{_subject(lease)} has the run; whether it works is not known yet."
    if status is not None and status.message and alive.verdict != "nobody":
        yield f"Last message: {status.message}"
    if status is not None and alive.verdict == "dead":
        yield "When it was last heard of:"


def _subject(lease: Lease) -> str:
    return f"P{lease.name[1:]}"


def _ending(status: LiveStatus) -> str:
    """Return how the last driver ended."""
    if not status.has_ended:
        return f" The last one ended without a word; it was last heard of at {status.written}. Go on: {resume(status)}"
    why = f": {status.message}" if status.message and status.state != "done" else ""
    again = "" if status.state == "done" else f" To go on: {resume(status)}"
    words = {"done": "did all it had to do", "stopped": "was stopped", "failed": "failed"}[status.state]
    return f" The last one {words} at {status.written}{why}{'.' * (not why.endswith('.'))}{again}"


def resume(status: LiveStatus | None) -> str:
    """Return what to do to go on."""
    return status.resume if status is not None and status.resume else "run its spec again."


def _phase(status: LiveStatus | None) -> str:
    if status is None:
        return ""
    return f", {'draining' if status.state == 'draining' else PHASES.get(status.phase, status.phase)}"


def _figures(status: LiveStatus) -> Iterator[str]:
    """Yield the figures of the whole run."""
    eta = "unknown" if status.eta_s is None else clock(status.eta_s)
    yield (
        f"{status.share:.0%} done, {status.requests_done:,} of about {status.requests:,} requests, "
        f"{clock(status.elapsed_s)} so far, ETA {eta}"
    )
    done, running, waiting, failed, preempted, quarantined = (int(status.sum(name)) for name in COUNTS)
    yield (
        f"Jobs: {done:,} done, {running:,} running, {waiting:,} waiting; attempts: {failed:,} failed, {preempted:,} "
        f"preempted; {quarantined:,} items quarantined; {status.rows_not_ok:,} of {status.rows:,} rows not ok"
    )
    busy = "" if status.busy_share is None else f", busy {status.busy_share:.0%}"
    cost = "" if status.cost is None else f", {status.cost:,.2f} {status.currency or ''}".rstrip()
    counted = any(one.distinct_tokens_per_s is not None for one in status.models)
    distinct = f", {status.sum('distinct_tokens_per_s'):,.0f} distinct/s" if counted else ""
    yield (
        f"Engines: {int(status.sum('engines_up'))} of {int(status.sum('engines_asked'))} up{busy}, "
        f"{status.sum('tokens_per_s'):,.0f} tokens/s{distinct}, {status.engine_hours:.3g} engine-hours{cost}"
    )


def _tables(status: LiveStatus, width: int) -> Iterator[RenderableType]:
    ordered = sorted(status.models, key=lambda one: (-one.running, -one.waiting, one.model))
    if ordered:
        yield _wide(ordered[:MOST_MODELS]) if width >= WIDE else _narrow(ordered[:MOST_MODELS], width)
    if len(ordered) > MOST_MODELS:
        yield Text(f"... and {len(ordered) - MOST_MODELS:,} more: --json")
    for one in status.oldest[:MOST_OLDEST]:
        on = f" on {one.engine}" if one.engine else ""
        yield Text(plain_text(f"Oldest: {one.job}{on}, {duration(one.seconds)}"))


def _wide(found: Sequence[ModelStatus]) -> Table:
    table = new_table("", ["model", "stage"], [*COUNTS, "tokens/s", "distinct/s", "busy", "up"])
    for one in found:
        numbers = [f"{getattr(one, name):,}" for name in COUNTS]
        table.add_row(one.model, one.stage, *numbers, *_rates(one), _up(one))
    return table


def _narrow(found: Sequence[ModelStatus], width: int) -> Table:
    """Return the table with what went wrong in one column, and without rates where they do not fit."""
    small = width < NARROW
    heads = ["done", "running", "waiting"] if small else ["done", "running", "waiting", "tokens/s", "busy", "up"]
    table = new_table("", ["model", "stage"], heads)
    table.add_column("trouble", no_wrap=True)
    for one in found:
        trouble = [f"{human_count(getattr(one, name))} {name}" for name in _TROUBLE if getattr(one, name)]
        tokens, _, busy = _rates(one)
        numbers = [human_count(n) for n in (one.done, one.running, one.waiting)]
        rest = [] if small else [tokens, busy, _up(one)]
        table.add_row(one.model, one.stage, *numbers, *rest, "\n".join(trouble) or "-")
    return table


def _rates(one: ModelStatus) -> tuple[str, str, str]:
    rates = (one.tokens_per_s, one.distinct_tokens_per_s)
    tokens, distinct = ("-" if rate is None else human_count(round(rate)) for rate in rates)
    return tokens, distinct, "-" if one.busy_share is None else f"{one.busy_share:.0%}"


def _up(one: ModelStatus) -> str:
    return f"{one.engines_up}/{one.engines_asked}"
