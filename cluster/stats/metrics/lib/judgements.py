"""What judges and people say of the same chains: one row for each chain, question, hint and reader.

In: OBSERVATIONS rows of judges, and people's labels of texts. Out: a frame of judgements. A label belongs to a text, so
it counts for each chain of that text, under its question and its hint. Knows nothing about agreement or rates.
"""

import polars as pl

from cotfaith.cluster.stats.metrics.lib.frame import CHAIN, ok
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.schemas.status import Status

JUDGE = "judge"
PERSON = "{} (person)"
"""The name under which a person is a reader; no model has such a name."""
LABELS = pl.Schema(
    {
        "labeller": pl.String(),
        "text_hash": pl.String(),
        "question": pl.String(),
        "hint_asked": pl.String(),
        "label": pl.Boolean(),
        "probability": pl.Float64(),
    }
)
"""The columns of labels that are read. ``label``: null if the person cannot tell. ``probability``: that the text came
to be labelled; null if it is not known."""
ASKED = [*CHAIN, "question", "asked"]
"""What a judgement is of; ``asked``: the hint, if it is not the variant's own; else ""."""
_TEXT = ["text_hash", "question", "hint"]
UNSURE = "cannot_tell"
"""The status of a person's judgement without a label."""


def n_judges(rows: Rows) -> int:
    """Return how many judges have rows."""
    found = rows.observations
    if "reader_role" not in found.columns:
        return 0
    names = found.lazy().filter(pl.col("reader_role") == JUDGE).select(pl.col("reader").unique()).collect()
    return len(names)


def judged_by(rows: Rows) -> pl.DataFrame:
    """Return the judgements of all judges: ``ASKED``, and these columns.

    ``hint``, ``reader``, ``label``, ``status``, ``quote``, ``text_hash``. ``label`` is null unless the status is ok.
    ``text_hash`` is that of the chain's text, also where a reading failed, if any reading of the chain names it.
    """
    found = rows.observations
    if not {"reader_role", "label"} <= set(found.columns):
        return _nothing()
    own = found.filter((pl.col("reader_role") == JUDGE) & pl.col("chain_index").is_not_null())
    texts = [pl.col(name) if name in own.columns else pl.lit(None).alias(name) for name in ("quote", "text_hash")]
    read = own.select(
        pl.col(*CHAIN[:-1], "question", "reader", "status").cast(pl.String),
        pl.col("chain_index"),
        pl.col("hint_asked").cast(pl.String).fill_null("").alias("asked"),
        pl.coalesce(pl.col("hint_asked", "intervention").cast(pl.String)).alias("hint"),
        ok("label").cast(pl.Boolean).alias("label"),
        *(text.cast(pl.String) for text in texts),
    ).unique([*ASKED, "reader"], keep="first", maintain_order=True)
    return read.with_columns(pl.col("text_hash").drop_nulls().first().over(CHAIN)).select(_nothing().columns)


def labelled_by(read: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return people's judgements of the chains that judges were asked about, with the columns of ``judged_by``."""
    texts = read.filter(pl.col("text_hash").is_not_null()).select(*ASKED, "hint", "text_hash").unique(ASKED)
    said = labels.rename({"hint_asked": "hint"}).select("labeller", *_TEXT, "label").unique(["labeller", *_TEXT])
    status = pl.when(pl.col("label").is_null()).then(pl.lit(UNSURE)).otherwise(pl.lit(str(Status.OK)))
    reader = pl.format(PERSON, "labeller")
    quote = pl.lit(None, dtype=pl.String).alias("quote")
    found = texts.join(said, on=_TEXT, how="inner").with_columns(status.alias("status"), reader.alias("reader"), quote)
    return found.select(read.columns).sort([*ASKED, "reader"])


def truths(labels: pl.DataFrame) -> pl.DataFrame:
    """Return ``truth`` and ``probability`` by text_hash, question and hint, of the labels that corrections rest on.

    Most people's label is the truth; where people are divided, or cannot tell, there is none. A label counts only if
    the probability that its text came to be labelled is known. If several people had the text, the largest holds.
    """
    known = labels.filter(pl.col("label").is_not_null() & pl.col("probability").is_not_null())
    share = pl.col("label").cast(pl.Float64).mean()
    truth = pl.when(share != 0.5).then(share > 0.5).alias("truth")
    found = known.rename({"hint_asked": "hint"}).group_by(_TEXT).agg(truth, pl.col("probability").max())
    return found.filter(pl.col("truth").is_not_null()).sort(_TEXT)


def _nothing() -> pl.DataFrame:
    names = [*ASKED, "hint", "reader", "label", "status", "quote", "text_hash"]
    others = {"chain_index": pl.Int32(), "label": pl.Boolean()}
    return pl.DataFrame(schema={name: others.get(name, pl.String()) for name in names})
