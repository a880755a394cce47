"""How often judges err, against a truth: each judge's sensitivity and specificity, with intervals.

In: the folder of a finished run with ``verbalises``, ``judged`` or both. The truth about an organism's chain is known
by construction (``workers/organisms/truth.py``). For other models it is a file of labels: CSV with the columns
text_hash, question, label ("yes" or "no"), as ``cotfaith label --export`` writes. Out: a table per question, one line
per judge and model, and one per judge over all models. It takes seconds and no weights.

    python benchmarks/judges.py RUN [--labels FILE] [--before-quotes] [--json FILE]

A reading that failed is neither yes nor no: it is counted beside. With ``--before-quotes`` a yes whose quote is not in
the chain counts as a yes. The AUROC is that of p(yes), which such a yes has as well. Intervals are Clopper-Pearson's
where each item has one chain in the class, and clustered by item otherwise. "At guessing": the lower ends of both do
not add up to more than 1, so that a judge that answers by a coin could have done as well.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from cotfaith.cluster.stats.intervals import Sums, clopper_pearson, interval
from cotfaith.cluster.storage.read import load_run, open_run_store, read_tables
from cotfaith.cluster.validation.auroc import auroc
from cotfaith.schemas.errors import InputError
from cotfaith.workers.organisms.truth import MODEL_TRUTH, said_of_hint

CHAIN = ["model", "task", "item_id", "chain_index", "strategy", "variant"]
CLASS = ["model", "task", "item_id"]
LABELS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Share:
    """A share, with its 95% interval; null if it is of nothing."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        ends = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.2f}{ends} of {self.n}"


@dataclass(frozen=True)
class Errors:
    """How one judge reads one model's chains, for one question."""

    question: str
    reader: str
    model: str
    sensitivity: Share
    """Of the chains whose truth is yes."""
    specificity: Share
    """Of the chains whose truth is no."""
    failed: int
    auroc: Share
    """Of p(yes), over all readings that have it; null without log-probabilities, or with one class."""

    @property
    def guessing(self) -> bool | None:
        """Whether a coin could have done as well; null with one class."""
        ends = self.sensitivity.low, self.specificity.low
        return None if ends[0] is None or ends[1] is None else ends[0] + ends[1] <= 1


def share(right: pl.DataFrame) -> Share:
    """Return the share of right readings; ``right`` has the columns of CLASS, and ``right``."""
    items = right.group_by(CLASS).agg(pl.col("right").sum().alias("right"), pl.len().alias("n"))
    n, found = right.height, int(right["right"].sum())
    if n == 0:
        return Share(0)
    if items.height == n:
        return Share(n, found / n, *clopper_pearson(found, n))
    ends = interval(Sums.of(items["right"].to_numpy(), items["n"].to_numpy()), (0.0, 1.0))
    return Share(n, found / n, ends.low, ends.high)


def truth_of_organisms(chains: pl.DataFrame, sources: dict[str, str]) -> pl.DataFrame:
    """Return CHAIN, question, truth for each readable chain of an organism under a variant with a target."""
    rows = chains.filter(pl.col("target").is_not_null() & (pl.col("status") == "ok")).to_dicts()
    known = [row for row in rows if sources[row["model"]].removeprefix("organism:") in MODEL_TRUTH]
    found = [
        {**{name: row[name] for name in CHAIN}, "question": question, "truth": truth}
        for row in known
        for question, truth in (said_of_hint(row["steps"], row["target"]) or {}).items()
    ]
    if not found:
        raise InputError("The run has no chain of an organism under a variant with a target. Give --labels FILE.")
    return pl.DataFrame(found, schema_overrides={"chain_index": chains.schema["chain_index"]})


def truth_of_labels(path: Path, readings: pl.DataFrame) -> pl.DataFrame:
    """Return CHAIN, question, truth for each reading whose text and question the file labels."""
    labels = pl.read_csv(path, columns=["text_hash", "question", "label"], infer_schema=False)
    unknown = set(labels["label"].str.to_lowercase()) - {*LABELS}
    if unknown:
        raise InputError(
            f"{path}: labels {sorted(unknown)}; expected {sorted(LABELS)}. Leave out what nobody could tell."
        )
    truth = pl.col("label").str.to_lowercase().replace_strict(LABELS, return_dtype=pl.Boolean).alias("truth")
    found = readings.join(labels.select("text_hash", "question", truth), on=["text_hash", "question"])
    if found.is_empty():
        raise InputError(f"{path}: none of its {labels.height} labels is of a text that this run's judges have read.")
    return found.select(*CHAIN, "question", "truth").unique()


def with_p_yes(readings: pl.DataFrame) -> pl.DataFrame:
    """Add ``p_yes``: the score, also of a yes that failed for its quote."""
    places = readings["candidates"].list.len() == 2
    weights = [pl.col("candidate_logprobs").list.get(place, null_on_oob=True).exp() for place in (0, 1)]
    unsupported = (pl.col("status") == "unsupported") & places
    own = pl.when(unsupported).then(weights[0] / (weights[0] + weights[1]))
    return readings.with_columns(pl.coalesce("score", own).alias("p_yes"))


def before_quotes(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the readings; a yes whose quote is not in the chain is a yes."""
    unsupported = pl.col("status") == "unsupported"
    return readings.with_columns(
        pl.when(unsupported).then(pl.lit(True)).otherwise("label").alias("label"),
        pl.when(unsupported).then(pl.lit("ok")).otherwise("status").alias("status"),
    )


def errors(readings: pl.DataFrame, truth: pl.DataFrame) -> Iterator[Errors]:
    """Yield the errors of each judge, model by model and over all models, for each question."""
    both = readings.join(truth, on=[*CHAIN, "question"])
    for (question, reader), part in both.group_by("question", "reader", maintain_order=True):
        models = sorted(set(part["model"]))
        for model in [*models, "all"] if len(models) > 1 else models:
            yield _errors(str(question), str(reader), model, part if model == "all" else part.filter(model=model))


def _errors(question: str, reader: str, model: str, part: pl.DataFrame) -> Errors:
    read = part.filter(pl.col("status") == "ok").with_columns((pl.col("label") == pl.col("truth")).alias("right"))
    scored = part.filter(pl.col("p_yes").is_not_null())
    area = auroc(scored["p_yes"].to_list(), scored["truth"].to_list(), scored["item_id"].to_list(), seed=0)
    yes, no = share(read.filter("truth")), share(read.filter(~pl.col("truth")))
    return Errors(
        question,
        reader,
        model,
        yes,
        no,
        part.height - read.height,
        Share(scored.height, area.value, area.low, area.high),
    )


def table(found: Iterable[Errors]) -> str:
    """Return the table in Markdown."""
    head = "| question | judge | model | sensitivity | specificity | failed | AUROC of p(yes) | |\n"
    lines = [head + "| --- " * 8 + "|"]
    for one in found:
        said = "at guessing" if one.guessing else ""
        cells = one.question, one.reader, one.model, one.sensitivity, one.specificity, one.failed, one.auroc, said
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def of_run(folder: str, labels: Path | None, quotes: bool = True) -> list[Errors]:
    """Return the errors of all judges of a run, in the order question, judge, model."""
    store = open_run_store(folder)
    run, tables = load_run(store), read_tables(store)
    if run is None:
        raise InputError(f"{folder}: no run is here.")
    readings = tables["observations"].filter((pl.col("reader_role") == "judge") & pl.col("target").is_not_null())
    if readings.is_empty():
        raise InputError(
            f"{folder}: no judge has read its chains. Add the probe verbalises or judged, and run it again."
        )
    sources = {model.id: str(model.source) for model in run.spec.models}
    truth = truth_of_labels(labels, readings) if labels else truth_of_organisms(tables["chains"], sources)
    order = {name: place for place, name in enumerate(("present", "relied", "checked"))}
    readings = with_p_yes(readings)
    found = errors(readings if quotes else before_quotes(readings), truth)
    return sorted(found, key=lambda one: (order.get(one.question, 9), one.reader, one.model == "all"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder or address of a finished run")
    parser.add_argument("--labels", type=Path, help="CSV with text_hash, question, label")
    parser.add_argument("--before-quotes", action="store_true", help="count each yes, whatever the judge quotes")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    found = of_run(chosen.run, chosen.labels, not chosen.before_quotes)
    print(table(found))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
