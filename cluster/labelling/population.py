"""The chains that people label, as texts: those under a variant with a target that have an answer.

In: a store and its run.json. Out: ``Population``: one ``TextUnit`` for each different text under each intervention,
with the strata of its chains. The texts themselves are not kept: a unit names one place where its text is.

A chain switched if its answer is the target, and that of a plain chain of its item is known and is another one
(``cluster/stats/metrics/switches.py``).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import GROUP, ok
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.metrics.lib.switches import eligible, known, switch_rows
from cotfaith.cluster.storage.batches import Tables, batches, each_batch
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.tables import ITEMS

COLUMNS = {
    "items": frozenset(ITEMS.names),
    "chains": frozenset(
        {
            *("run_id", "model", "task", "item_id", "chain_index", "strategy", "variant", "n_steps"),
            *("intervention", "target", "channel", "status", "answer", "correct", "text"),
        }
    ),
    "observations": frozenset(
        {
            *("run_id", "model", "task", "item_id", "chain_index", "strategy", "variant", "channel", "probe", "arm"),
            *("reader", "n_steps", "reference_answer", "status", "question", "label", "text_hash"),
            *("hint_asked", "intervention"),
        }
    ),
}
"""Table -> the columns that are read."""
_CHAIN = [*GROUP, "item_id", "chain_index"]


class Stratum(NamedTuple):
    """The chains that one rate is of, if they switched, or the others of the same group."""

    model: str
    task: str
    strategy: str
    variant: str
    channel: str
    switched: bool


class Place(NamedTuple):
    """One chain."""

    model: str
    task: str
    strategy: str
    variant: str
    item_id: str
    chain_index: int


class UnitKey(NamedTuple):
    """A text under an intervention."""

    text_hash: str
    hint: str


@dataclass
class TextUnit:
    """What is shown once and labelled once."""

    key: UnitKey
    place: Place
    """Where its text is, and the prompt that it is shown with."""
    strata: set[Stratum] = field(default_factory=set)


@dataclass(frozen=True)
class Population:
    """All texts of a run, and how readers answered about them."""

    units: dict[UnitKey, TextUnit]
    answers: dict[tuple[UnitKey, str], set[bool]]
    """(text, question) -> the different answers that readers gave."""
    readers: dict[str, set[str]]
    """Question -> who answered it about any of these texts."""

    def differ(self, key: UnitKey, question: str) -> bool:
        """Return whether readers differ on the text."""
        return len(self.answers.get((key, question), ())) > 1


def hash_of(text: str) -> str:
    """Return the hash by which labels and readings name a text (SHA-256, hex)."""
    return sha256(text.encode()).hexdigest()


def read_population(store: Store, run: RunRecord, ledger: Ledger) -> Population:
    """Return the texts of a run; its shards are read some at a time.

    Raises:
        RunFolderError: as for ``read_tables``.

    """
    found = Population({}, {}, {})
    for chains, readings in each_batch(store, run, batches(ledger, run), _of_batch, COLUMNS):
        _add_chains(found, chains)
        _add_readings(found, readings)
    return found


def _of_batch(tables: Tables) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the chains to label, and the readings of chains, of some items."""
    rows = Rows(**{name: table.with_columns(pl.col(pl.Categorical).cast(pl.String)) for name, table in tables.items()})
    return list(_hashed(_chains(rows))), _readings(rows.observations).to_dicts()


def _chains(rows: Rows) -> pl.DataFrame:
    """Return the chains with an answer under a variant with a target, and whether they switched to it."""
    item = [*GROUP, "item_id"]
    there = pl.col("text", "intervention", "target").is_not_null()
    pushed = rows.chains.filter(there, ok("answer").is_not_null())
    can_move = switch_rows(rows.chains, rows.items).filter(known() & eligible()).select(item).unique()
    marked = pushed.join(can_move.with_columns(can_move=True), on=item, how="left", maintain_order="left")
    switched = pl.col("can_move").fill_null(False) & (pl.col("answer") == pl.col("target"))
    return marked.select(*_CHAIN, "intervention", "text", switched.alias("switched"))


def _readings(observations: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("reader", "question", "text_hash").is_not_null()
    read = observations.filter(known, ok("label").is_not_null())
    hint = pl.coalesce("hint_asked", "intervention").alias("hint")
    return read.select("reader", "question", "text_hash", "label", hint).unique(maintain_order=True)


def _hashed(chains: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for row in chains.iter_rows(named=True):
        yield row | {"text": hash_of(row["text"])}


def _add_chains(found: Population, chains: list[dict[str, Any]]) -> None:
    for row in chains:
        key = UnitKey(row["text"], row["intervention"])
        place = Place(*(row[name] for name in Place._fields))
        unit = found.units.setdefault(key, TextUnit(key, place))
        unit.strata.add(Stratum(*(row[name] for name in Stratum._fields)))


def _add_readings(found: Population, readings: list[dict[str, Any]]) -> None:
    for row in readings:
        about = UnitKey(row["text_hash"], row["hint"]), row["question"]
        found.answers.setdefault(about, set()).add(row["label"])
        found.readers.setdefault(row["question"], set()).add(row["reader"])


def by_stratum(units: list[TextUnit]) -> dict[Stratum, list[TextUnit]]:
    """Return the texts of each stratum, in the order of ``units``."""
    found: defaultdict[Stratum, list[TextUnit]] = defaultdict(list)
    for unit in units:
        for stratum in sorted(unit.strata):
            found[stratum].append(unit)
    return dict(found)
