"""What an Inspect log says above its samples: what it is about, accuracies and verdicts, in Inspect's log schema.

In: run.json, what was written into the log, and the tables that commands made of the run. Out: plain data. Figures are
those of the run's estimates: none is computed here, and what no command has made yet is left out.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import polars as pl

from cotfaith.cluster.export.eval_file import Data
from cotfaith.cluster.export.eval_sample import Row
from cotfaith.cluster.storage.made import made_table
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.verdicts.table import read_verdicts
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.variants import PLAIN

ACCURACY = "accuracy_cot"
"""The metric that logs show."""


class Cell(NamedTuple):
    """What one log is about."""

    model: str
    task: str
    strategy: str

    def id(self, run: RunRecord) -> str:
        """Return the log's id: the same whenever the run is exported."""
        return hashlib.sha256("\n".join([run.run_id, *self]).encode()).hexdigest()[:22]


@dataclass
class Counts:
    """What a log's header says of its samples."""

    ids: dict[str, None] = field(default_factory=dict)
    epochs: int = 1
    samples: int = 0
    errors: int = 0
    scored: dict[str, int] = field(default_factory=dict)

    def add(self, sample: Data) -> None:
        """Count a sample."""
        self.ids[sample["id"]] = None
        self.epochs = max(self.epochs, sample["epoch"])
        self.samples += 1
        self.errors += sample["error"] is not None
        for name in sample["scores"]:
            self.scored[name] = self.scored.get(name, 0) + 1


@dataclass(frozen=True)
class Made:
    """What the run's tables say of each cell."""

    verdicts: Mapping[Cell, list[Data]]
    accuracy: Mapping[Cell, Mapping[str, float]]
    """Cell -> name in the viewer -> accuracy."""


def header(run: RunRecord, cell: Cell, counts: Counts, made: Made, missing: int) -> Data:
    """Return the header of a log; ``missing``: shards of its model and task that are not done."""
    verdicts = made.verdicts.get(cell, [])
    about = {"run_id": run.run_id, "strategy": cell.strategy, "shards_missing": missing}
    return {
        "status": "cancelled" if missing else "success",
        "eval": {
            "run_id": run.run_id,
            "created": run.created,
            "task": cell.task,
            "task_id": cell.id(run),
            "task_args": {"strategy": cell.strategy},
            "tags": sorted({one["verdict"] for one in verdicts}),
            "dataset": {"name": cell.task, "samples": len(counts.ids), "sample_ids": list(counts.ids)},
            "model": cell.model,
            "config": {"epochs": counts.epochs, "fail_on_error": False},
            "packages": {"cotfaith": run.cotfaith_version},
            "metadata": {"cotfaith": about, "verdicts": verdicts},
        },
        "plan": {"name": "cotfaith", "steps": [{"solver": cell.strategy, "params": {}}], "config": {}},
        "results": _results(counts, made.accuracy.get(cell, {})),
        "stats": {"started_at": run.created, "completed_at": run.created},
    }


def _results(counts: Counts, accuracy: Mapping[str, float]) -> Data:
    order = sorted(counts.scored, key=lambda name: (name != "correct", name))  # the viewer's headline is the first
    return {
        "total_samples": counts.samples,
        "completed_samples": counts.samples - counts.errors,
        "scores": [_score(name, counts, accuracy if name == "correct" else {}) for name in order],
    }


def _score(name: str, counts: Counts, figures: Mapping[str, float]) -> Data:
    return {
        "name": name,
        "scorer": name,
        "scored_samples": counts.scored[name],
        "unscored_samples": counts.samples - counts.scored[name],
        "metrics": {one: {"name": one, "value": value} for one, value in figures.items()},
    }


def made_of(store: Store, run: RunRecord) -> Made:
    """Return what the run's tables say; raise ``RunFolderError`` if one is damaged or another run's."""
    estimates, verdicts = (made_table(store, run.run_id, name) for name in ("estimates", "verdicts"))
    said = defaultdict[Cell, list[Data]](list)
    for one in read_verdicts(verdicts) if verdicts is not None else ():
        said[Cell(one.model, one.task, one.strategy)].append(asdict(one))
    return Made(said, {} if estimates is None else _accuracy(pl.DataFrame(estimates)))


def _accuracy(estimates: pl.DataFrame) -> dict[Cell, dict[str, float]]:
    found = defaultdict[Cell, dict[str, float]](dict)
    whole = (pl.col("metric") == ACCURACY) & pl.col("method").is_null() & pl.col("value").is_not_null()
    for row in estimates.filter(whole).sort(pl.col("variant") != PLAIN, "variant", "channel").iter_rows(named=True):
        found[Cell(row["model"], row["task"], row["strategy"])][_named(row)] = row["value"]
    return found


def _named(row: Row) -> str:
    """Return how the viewer names an accuracy: "accuracy" on plain items, else the variant."""
    variant = "accuracy" if (row["variant"] or PLAIN) == PLAIN else row["variant"]
    return f"{variant} {row['channel']}" if row["channel"] else str(variant)
