"""The chains on which two readers differ: rules, models and people, question by question.

In: a run, what is wanted of it, and readers. Out: a table for a rich console, or plain data. Quotes are untrusted text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import polars as pl
from rich.table import Table

from cotfaith.cluster.cli.consoles import out, print_json
from cotfaith.cluster.cli.items import clipped
from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.labelling.read import read_labels
from cotfaith.cluster.stats.metrics.agreement import paired
from cotfaith.cluster.stats.metrics.lib.judgements import PERSON, judged_by, labelled_by
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.storage.batches import Logs, batches, occurring
from cotfaith.cluster.storage.chosen import Chosen
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import read_ledger, tables_of
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.terminal import safe_text
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import RULES
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.suggest import unknown

_BATCH_ROWS = 50_000
_KEY = ("model", "task", "item_id", "strategy", "variant", "chain_index", "question")
_SAID = {True: "yes", False: "no"}


@dataclass(frozen=True)
class Wanted:
    """Which disagreements are listed."""

    chosen: Chosen
    readers: Sequence[str] = ()
    """One: pairs with this reader; several: pairs of these; none: all pairs."""
    limit: int = 30

    def pairs(self, readers: Sequence[str]) -> list[tuple[str, str]]:
        """Return the pairs of readers that are compared."""
        found = combinations(sorted(readers), 2)
        if len(self.readers) == 1:
            return [pair for pair in found if self.readers[0] in pair]
        return [pair for pair in found if not self.readers or set(pair) <= set(self.readers)]


def list_disagreements(store: Store, run: RunRecord, wanted: Wanted, as_json: bool) -> None:
    """Print the first disagreements; the run's items are read a part at a time, until there are enough.

    Raises:
        SpecError: a reader has read nothing, or the run has only one.

    """
    ledger, labels = read_ledger(store, run), read_labels(store)
    _check(_known(ledger, labels), wanted.readers)
    parts = batches(_of_tasks(ledger, wanted.chosen.tasks), run, _BATCH_ROWS)
    found = (line for logs in parts for line in _differing(store, run, logs, labels, wanted))
    lines = list(islice(found, wanted.limit + 1))
    shown, more = lines[: wanted.limit], len(lines) > wanted.limit
    if as_json:
        print_json({"run_id": run.run_id, "disagreements": shown, "more": more})
    elif not shown:
        out.print("No two readers differ on a chain like that.")
    else:
        out.print(_table(shown))
        if more:
            out.print(f"There are more: --limit {10 * wanted.limit}, or a filter. One item: cotfaith show RUN ITEM")


def _known(ledger: Ledger, labels: pl.DataFrame) -> list[str]:
    """Return the names that a reader can have: rules, the models that read for a probe, and the people."""
    people = labels.select(pl.format(PERSON, "labeller")).to_series()
    models = occurring(ledger)["reader"].drop_nulls().to_list()
    return sorted({RULES, *models, *people.to_list()})


def _check(known: Sequence[str], readers: Sequence[str]) -> None:
    for name in readers:
        if name not in known:
            raise SpecError(f"--reader: {unknown('reader', name, known)}")
    if len(known) < 2:
        raise SpecError(
            "--disagree compares readers of chains, and only rules can have read this run's. Add others: a judge, or "
            "labels (cotfaith label RUN)."
        )


def _of_tasks(ledger: Ledger, tasks: Sequence[str]) -> Ledger:
    return Ledger({shard: log for shard, log in ledger.logs.items() if not tasks or shard.task in tasks})


def _differing(
    store: Store, run: RunRecord, logs: Logs, labels: pl.DataFrame, wanted: Wanted
) -> Iterator[dict[str, Any]]:
    """Yield the disagreements on some items, in the order of the chains."""
    rows = Rows(**tables_of(store, logs, run.run_id))
    read = judged_by(rows)
    every = pl.concat([read, labelled_by(read, labels)]).filter(*_filters(wanted.chosen))
    pairs = [paired(every, *pair) for pair in wanted.pairs(every["reader"].unique().to_list())]
    for differing in [pl.concat(pairs).filter(pl.col("label") != pl.col("label_other"))] if pairs else []:
        yield from map(_as_data, differing.sort(*_KEY, "asked", "reader", "reader_other").iter_rows(named=True))


def _filters(chosen: Chosen) -> list[pl.Expr]:
    names = {"model": chosen.models, "strategy": chosen.strategies, "variant": chosen.variants}
    item = [] if chosen.item is None else [pl.col("item_id") == chosen.item]
    return [pl.col(name).is_in(list(own)) for name, own in names.items() if own] + item or [pl.lit(True)]


def _as_data(row: dict[str, Any]) -> dict[str, Any]:
    readers = [
        {"reader": row[f"reader{end}"], "label": row[f"label{end}"], "quote": row[f"quote{end}"]}
        for end in ("", "_other")
    ]
    about = {name: row[name] for name in _KEY}
    return about | {"hint": row["hint"], "text_hash": row["text_hash"], "readers": readers}


def _table(lines: Sequence[dict[str, Any]]) -> Table:
    """Return a line for each disagreement: its chain, the question, and what each reader says, with its quote."""
    table = new_table("Chains on which readers differ", ["chain", "question", "reader", "says"], [])
    table.add_column("quote", overflow="fold")
    for line in lines:
        chain = " · ".join([line["model"], line["item_id"], line["variant"], f"chain {line['chain_index']}"])
        for n, one in enumerate(line["readers"]):
            head = (chain, f"{line['question']}\n{line['hint']}") if n == 0 else ("", "")
            cells = (*head, one["reader"], _SAID[one["label"]], clipped(one["quote"]))
            table.add_row(*map(safe_text, cells))
    return table
