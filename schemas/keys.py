"""Object keys of a run, relative to its folder or prefix."""

from cotfaith.schemas.errors import SpecError

RUN = "run.json"
ESTIMATES = "estimates.parquet"
REPORT = "report.html"
VALIDATION = "validation.json"
COMMITS = "_commits/"
GIVEN_UP = "_given_up/"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""The allowed model ids and task names, which must fit in a key."""


def shard_id(model: str, task: str, strategy: str, start: int, stop: int) -> str:
    """Return the id of the shard of items ``start`` (inclusive) to ``stop`` (exclusive) of ``task`` for ``model``."""
    return f"{model}~{task}~{strategy}~{start:07d}-{stop:07d}"


def commit(shard: str, probe: str | None = None, reader: str | None = None) -> str:
    """Return the key of the commit marker of a shard's chains, of a probe on them, or of a reader's part of that probe.

    Names contain neither ``~`` nor ``/``, so all these keys are distinct. Folders keep file names short.
    """
    return COMMITS + _name(shard, probe, reader)


def given_up(shard: str, probe: str | None = None, reader: str | None = None) -> str:
    """Return the key of the record that a shard, or a reader's part of it, failed every attempt."""
    return GIVEN_UP + _name(shard, probe, reader)


def _name(shard: str, probe: str | None, reader: str | None) -> str:
    if probe is None:
        return f"{shard}.json"
    return f"{shard}.{probe}.json" if reader is None else f"{shard}.{probe}/{reader}.json"


def part(table: str, model: str, task: str, shard: str, attempt: str, probe: str | None = None) -> str:
    """Return the key of one attempt's Parquet file of ``table``."""
    if table not in ("items", "chains", "observations"):
        raise SpecError(f"No part files for table {table!r}.")
    folder = f"{table}/model={model}/task={task}/"
    if probe is not None:
        folder += f"probe={probe}/"
    return f"{folder}{shard}-{attempt}.parquet"
