"""The arms of one chain in the terminal: a line for each that changed the answer, and one for all that did not.

In: a CHAINS row, the OBSERVATIONS rows on it and on its item, and the words of the probes. Out: text on a rich console.
Model output is untrusted: all of it passes through ``terminal.py``.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cotfaith.cluster.cli.arm_words import ArmWords, arm_words
from cotfaith.cluster.cli.items import clipped
from cotfaith.cluster.stats.metrics.lib.remarks import outcome
from cotfaith.cluster.stats.metrics.lib.words import Words
from cotfaith.cluster.terminal import plain_text, safe_text
from cotfaith.schemas.records import READER
from cotfaith.schemas.status import Status

Row = dict[str, Any]
LINES = 9
"""The lines that the probes share for arms that changed the answer, if not all are asked for."""
MOST_CHARACTERS = 70
"""The longest old or new text of an edit that is shown whole."""


def print_arms(
    chain: Row,
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
    console: Console,
    *,
    full: bool,
    texts: bool = False,
) -> None:
    """Print the arms, probe by probe, in the order of the report.

    ``full``: every arm, and whole texts. ``texts``: also the text that stood in the chain's place.
    """
    ordered = observations.sort("condition", "position", "step", "rollout", "reader", "arm", nulls_last=True)
    found = ordered["probe"].unique().sort().to_list()
    probes = [*(probe for probe in words if probe in found), *(probe for probe in found if probe not in words)]
    for probe in probes:
        rows = ordered.filter(pl.col("probe") == probe).to_dicts()
        most = len(rows) if full else max(1, LINES // len(probes))
        _print_probe(chain, rows, words, console, most, full, texts)


def _print_probe(
    chain: Row,
    rows: Sequence[Row],
    words: Mapping[str | None, Words],
    console: Console,
    most: int,
    full: bool,
    texts: bool,
) -> None:
    same = [row for row in rows if _is_same(chain, row)]
    told = rows if full else [row for row in rows if row not in same]
    console.print(f"[bold]{safe_text(rows[0]['probe'])}[/] · {_counted(chain, rows)}")
    table = Table.grid(padding=(0, 2, 0, 0))
    for row in told[:most]:
        said = arm_words(chain, row, words)
        table.add_row(Text(plain_text(row["arm"])), _said(said, row if texts else None, full), *_outcome(chain, row))
    console.print(Padding(table, (0, 0, 0, 2)))
    rest = [f"and {len(told) - most} more: --probe {rows[0]['probe']}"] if len(told) > most else []
    rest += [f"the same answer: {_ranges(rows, same)}"] if same and not full else []
    if rest:
        console.print(Text(plain_text(f"  {'; '.join(rest)}")))


def _is_same(chain: Row, row: Row) -> bool | None:
    """Return whether the answer is the chain's; None if one of them failed, or if a reader is asked something else.

    Rows on the item have no chain to be compared with in the tables; beside a chain they are compared with it.
    """
    if row["reader_role"] not in (None, READER):
        return None
    if row["same_answer"] is not None or row["chain_index"] is not None or row["reference_answer"] is not None:
        return None if row["same_answer"] is None else bool(row["same_answer"])
    both = row["status"] == Status.OK and chain["answer"] is not None
    return row["answer"] == chain["answer"] if both else None


def _counted(chain: Row, rows: Sequence[Row]) -> str:
    """Return the number of arms, of those with another answer than the chain's, and of those that failed."""
    other, failed = sum(_is_same(chain, row) is False for row in rows), sum(row["status"] != Status.OK for row in rows)
    own = [row for row in rows if row["reader_role"] in (None, READER)]
    what = "changed the answer" if any(row["same_answer"] is not None for row in own) else "with another answer"
    parts = [f"{len(rows)} arm{'s' * (len(rows) != 1)}", f"{other or 'none'} {what}"]
    return ", ".join([*parts, f"{failed} not ok"] if failed else parts)


def _said(said: ArmWords, row: Row | None, full: bool) -> Text:
    lines = [said.what] if said.what else []
    if said.old is not None and said.new is not None:
        old, new = (text if full else clipped(text, MOST_CHARACTERS) for text in (said.old, said.new))
        lines.append(f"{old} -> {new}")
    if row is not None and row["text"] is not None:
        lines.append(f"asked after: {row['text']}")
    return Text(plain_text("\n".join(lines)))


def _outcome(chain: Row, row: Row) -> tuple[Text, str, str]:
    """Return the answer or the status, whether it is the chain's, and the gold answer's probability."""
    different = "other" if row["same_answer"] is None else "changed"
    same = {True: "same", False: different, None: "-"}[_is_same(chain, row)]
    p_gold = "" if row["p_gold"] is None else f"p(gold) {row['p_gold']:.3f}"
    return Text(plain_text(clipped(outcome(row)))), same, p_gold


def _ranges(rows: Sequence[Row], same: Sequence[Row]) -> str:
    """Return the names of the arms ``same``; of those that follow each other among ``rows``, the first and the last."""
    found = list(_runs([row["arm"] for row in rows], {row["arm"] for row in same}))
    return ", ".join(found) if len(found) <= 6 else f"{', '.join(found[:5])} and {len(found) - 5} more ranges"


def _runs(arms: Sequence[str], chosen: set[str]) -> Iterator[str]:
    for kept, group in itertools.groupby(arms, key=chosen.__contains__):
        if kept:
            run = list(group)
            yield run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"
