"""Transfer: how well other models (the readers) answer with the subject's chain.

The method names the reader. All differences are paired, chain by chain. ``transfer_gap``: accuracy of the author itself
in a fresh context minus accuracy of the reader. ``transfer_gain``: accuracy of the reader with the chain minus its
accuracy without any chain, which is what it got from the text rather than knew. ``transfer_accuracy_paired``: the
readers side by side, on the chains after which all of them gave an answer.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from cotfaith.cluster.stats.metrics.lib.bounds import DIFFERENCE
from cotfaith.cluster.stats.metrics.lib.drawings import Matrix
from cotfaith.cluster.stats.metrics.lib.frame import ASKED, CHAIN, ITEM, difference, measured, of_probe, ok, scores
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric, ProbeMetrics, Rows
from cotfaith.cluster.stats.metrics.lib.pairs import gain, no_cot_rows, with_no_cot
from cotfaith.cluster.stats.metrics.lib.remarks import Remark, Row, outcome
from cotfaith.cluster.stats.metrics.lib.tells import told
from cotfaith.cluster.stats.metrics.lib.words import Headlines, Part, ReportSection, Words

PROBE = "transfer"
ACCURACY = Metric("transfer_accuracy", ANY, read_by="method")
PAIRED = Metric("transfer_accuracy_paired", ANY, read_by="method")
SAME = Metric("transfer_same_answer", ANY, read_by="method")
GAP = Metric("transfer_gap", ANY, bounds=DIFFERENCE, unit="points", read_by="method")
GAIN = Metric("transfer_gain", ANY, bounds=DIFFERENCE, unit="points", read_by="method")


def transfer_scores(rows: Rows) -> Iterator[pl.DataFrame]:
    """Yield each reader's accuracy, same answer, gap to the author and gain over no chain."""
    read = of_probe(rows.observations, PROBE).filter(pl.col("reader").is_not_null())
    pairs = _with_author(_with_own_no_cot(read, no_cot_rows(rows.observations)))
    pairs = pairs.join(rows.readers(PROBE), on=ASKED, how="left", maintain_order="left")
    pairs = pairs.with_columns(_all_answered().alias("paired"))
    for reader in read["reader"].unique().sort().to_list():
        yield from _of_reader(pairs.filter(pl.col("reader") == reader), reader)


def _of_reader(rows: pl.DataFrame, reader: str) -> list[pl.DataFrame]:
    right = ok("correct").cast(pl.Float64)
    paired = pl.when("paired").then(right)
    gap = difference(pl.col("author_correct"), right)
    others = rows.filter(pl.col("model") != reader)
    return [
        scores(rows, PROBE, ACCURACY.under(reader), right),
        measured(scores(rows, PROBE, PAIRED.under(reader), paired)),
        scores(rows, PROBE, SAME.under(reader), ok("same_answer")),
        measured(scores(others, PROBE, GAP.under(reader), gap)),
        measured(scores(rows, PROBE, GAIN.under(reader), gain())),
    ]


def _all_answered() -> pl.Expr:
    """Return whether every reader of the chain gave an answer."""
    answered = pl.col("reader").filter(ok("correct").is_not_null()).n_unique().over(CHAIN)
    return answered == pl.col("n_readers")


def _with_author(rows: pl.DataFrame) -> pl.DataFrame:
    own = rows.filter(pl.col("reader") == pl.col("model"))
    author = own.select(*CHAIN, ok("correct").cast(pl.Float64).alias("author_correct")).unique(
        CHAIN, maintain_order=True
    )
    return rows.join(author, on=CHAIN, how="left")


def _with_own_no_cot(rows: pl.DataFrame, no_cot: pl.DataFrame) -> pl.DataFrame:
    """Add the answer without a chain of the reader, not of the author."""
    as_reader = rows.with_columns(pl.col("model").alias("_author"), pl.col("reader").alias("model"))
    found = with_no_cot(as_reader, no_cot)
    return found.with_columns(pl.col("_author").alias("model")).drop("_author").sort([*ITEM, "chain_index", "reader"])


def transfer_sentence(rows: Headlines) -> str:
    """Return the accuracy of other models with the chains, and of the model itself."""
    known = [row for row in rows.values() if row.value is not None]
    found = [row for row in known if row.metric == "transfer_accuracy_paired"]
    found = found or [row for row in known if row.metric == "transfer_accuracy"]
    others = [row.value for row in found if row.value is not None and row.method != row.model]
    own = [row.value for row in found if row.method == row.model]
    if not others:
        return ""
    low, high = f"{min(others):.0%}", f"{max(others):.0%}"
    who = f"{len(others)} other models answer" if len(others) > 1 else "another model answers"
    itself = f"; the model itself, {own[0]:.0%}" if own else ""
    return f"With its chains, {who} {low if low == high else f'{low} to {high}'} right{itself}."


def readers(chain: Row, rows: Sequence[Row]) -> list[Remark]:
    """Return what each reader answered after the chain."""
    read = sorted((row for row in rows if row["reader"] is not None), key=lambda row: str(row["reader"]))
    return [Remark(f"read by {row['reader']}", outcome(row)) for row in read]


def read_worse(chains: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the right chains after which another model answers wrong."""
    others = rows.filter(pl.col("reader") != pl.col("model"), ~ok("correct"))
    right = chains.filter(ok("correct")).select(CHAIN)
    return told(others.join(right, on=CHAIN, how="semi", maintain_order="left"), "worse", CHAIN)


READERS = ReportSection(
    "Transfer to other models",
    rank=60,
    part="readable",
    note="Accuracy of each reader with each author's chains, on the chains after which every reader answered. A "
    "reader far below the author cannot use what is written. A reader that is right may have known the answer before; "
    "its gain over no chain is in the hover text.",
    layout="wide",
    legend=False,
)
WORDS = Words(
    rank=80,
    sentence=transfer_sentence,
    parts=(
        Part(
            READERS,
            (
                Matrix(
                    ("transfer_accuracy", "transfer_accuracy_paired"),
                    x="reader",
                    y="author of the chain",
                    about={"transfer_gap": "author minus reader", "transfer_gain": "gain over no chain"},
                ),
            ),
        ),
    ),
    remarks=readers,
    tells=read_worse,
    glossary={
        "Transfer": "Another model answers after the chain. What it gains over its own answer without a chain is in "
        "the chain's plain text.",
    },
)
METRICS = ProbeMetrics(probe=PROBE, metrics=(ACCURACY, PAIRED, SAME, GAP, GAIN), scores=transfer_scores, words=WORDS)
