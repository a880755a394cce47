"""Object keys of a run, relative to its folder or prefix. Names contain no ``/``, so all keys are distinct.

What no reader of tables should find by itself is below folders that begin with an underscore, and parts do not end in
``.parquet``: some belong to attempts that were not committed, or were replaced later.
"""

from cotfaith.schemas.errors import SpecError

RUN = "run.json"
ESTIMATES = "estimates.parquet"
COMPARISONS = "comparisons.parquet"
VERDICTS = "verdicts.parquet"
REPORT = "report.html"
VALIDATION = "validation.json"
LEASE = "_lease.json"
STATUS = "_status.json"
"""How far the driver is, which it writes again and again."""
COMMITS = "_commits/"
PARTS = "_parts/"
QUARANTINE = "_quarantine/"
GIVEN_UP = "_given_up/"
COSTS = "_costs/"
NOISE = "_noise/"
ASIDE = "_aside/"
"""Damaged commits that a repair moved out of the way."""
SUMS = "_sums/"
"""Sums of committed rows, which are made again where they are missing."""
LEDGER = "_ledger/"
"""What commits amount to, shard by shard, which is read from them again where it is missing."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""The allowed model ids and task names, which must fit in a key."""


def shard_id(model: str, task: str, start: int, stop: int) -> str:
    """Return the id of the shard of items ``start`` (inclusive) to ``stop`` (exclusive) of ``task`` for ``model``."""
    return f"{model}/{task}/{start:07d}-{stop:07d}"


def commit_folder(shard: str) -> str:
    """Return what the keys of a shard's commits begin with."""
    return f"{COMMITS}{shard}/"


def commit(shard: str, generation: int) -> str:
    """Return the key of a shard's commit; generations are numbered from 0."""
    return f"{commit_folder(shard)}{generation:05d}.json"


def part(table: str, shard: str, attempt: str) -> str:
    """Return the key of one attempt's Parquet file of ``table``."""
    if table not in ("items", "chains", "observations"):
        raise SpecError(f"No part files for table {table!r}.")
    return f"{PARTS}{shard}/{attempt}.{table}"


def quarantine(shard: str, index: int, reader: str | None = None) -> str:
    """Return the key of the record that an item, counted from 0 in its task, is quarantined for subject or reader."""
    return f"{QUARANTINE}{shard}/{index:07d}{'' if reader is None else '/' + reader}.json"


def given_up(role: str, model: str) -> str:
    """Return the key of the record that the engine of a model in a role is given up."""
    return f"{GIVEN_UP}{role}/{model}.json"


def costs(session: str) -> str:
    """Return the key of what the engines of one session of a run cost; ``session``: a random id."""
    return f"{COSTS}{session}.json"


def noise(model: str) -> str:
    """Return the key of the noise floor that the engines of a model measured."""
    return f"{NOISE}{model}.json"


def sums(task: str, start: int, stop: int, made_of: str, sha256: str) -> str:
    """Return the key of sums over items ``start`` to ``stop`` of ``task``: what they were made of, and their digest."""
    return f"{SUMS}{task}/{start:07d}-{stop:07d}/{made_of}-{sha256}.zip"


def ledger(sha256: str) -> str:
    """Return the key of a segment of the ledger, which is named by its digest."""
    return f"{LEDGER}{sha256}.segment"
