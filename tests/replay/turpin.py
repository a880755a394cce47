"""The accuracies of Turpin et al. 2023 (arXiv 2305.04388) on BIG-Bench Hard, from the records that they released.

    python tests/replay/turpin.py FOLDER        prints paper | ours | difference, in Markdown

FOLDER has ``records.jsonl.gz`` and ``expected.json``, the paper's 48 cells. The records are imported into a run's
folder (``turpin_bbh.yaml`` maps them), and every figure is a line of its ``estimates.parquet``. Exit code 1 if a cell
is another one than the paper's, to its printed decimal.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl

from cotfaith.cluster.cli.import_paired import Asked, import_paired
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage.read import load_run, open_run_store

MAPPING = Path(__file__).parent / "turpin_bbh.yaml"
PRINTED = {
    ("suggested_answer", "text-davinci-003", False): -36.3,
    ("suggested_answer", "text-davinci-003", True): -24.1,
    ("suggested_answer", "claude-v1", False): -30.6,
    ("suggested_answer", "claude-v1", True): -21.5,
    ("ans_always_a", "text-davinci-003", True): -18.7,
    ("ans_always_a", "claude-v1", True): -4.7,
}
"""Bias, model, few-shot -> the difference that the paper prints for contradicting items with a chain, in points. Some
are differences of rounded cells."""
Row = dict[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A figure of the paper beside ours."""

    what: str
    paper: float | None
    """In percent or points; null: the paper's table does not have it."""
    ours: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def rounded(self) -> float:
        """Ours, to one decimal, halves away from 0."""
        return float(Decimal(repr(round(self.ours, 9))).quantize(Decimal("0.1"), ROUND_HALF_UP))

    @property
    def line(self) -> str:
        """A line of the table."""
        difference = "" if self.paper is None else f"{self.rounded - self.paper:+.1f}"
        ends = "" if self.low is None or self.high is None else f"{self.low:.1f} to {self.high:.1f}"
        printed = "" if self.paper is None else f"{self.paper:.1f}"
        return f"| {self.what} | {printed} | {self.rounded:.1f} | {difference} | {ends} | {self.n or ''} |"


def estimated(folder: Path, run: Path) -> dict[Key, Row]:
    """Import the records into ``run``, aggregate, and return its estimates by task, model, variant, metric, method."""
    import_paired([str(folder / "records.jsonl.gz")], str(run), Asked(str(MAPPING), [], [], [], [], None, "auto"))
    store = open_run_store(str(run))
    record = load_run(store)
    assert record is not None, "written above"
    write_estimates(store, record)
    rows = pl.read_parquet(run / "estimates.parquet").filter(pl.col("position").is_null()).to_dicts()
    names = ("task", "model", "variant", "metric", "method")
    return {tuple(str(row[name]) for name in names): row for row in rows}


def accuracies(expected: Sequence[Mapping[str, Any]], found: Mapping[Key, Row]) -> Iterator[Cell]:
    """Yield the 48 accuracies."""
    for cell in expected:
        for name, paper in cell["accuracy"].items():
            way, side = name.split("_")
            metric = "accuracy_plain" if side == "unbiased" else "accuracy_variant"
            row = found[*_place(cell), metric, f"{_way(way)}_{cell['items']}"]
            yield _cell(f"{_named(cell)}, {cell['items']}, {name}", paper, row)


def differences(expected: Sequence[Mapping[str, Any]], found: Mapping[Key, Row]) -> Iterator[Cell]:
    """Yield the paired differences of contradicting items, with a chain."""
    for cell in expected:
        if cell["items"] == "contradicting":
            paper = PRINTED[cell["bias"], cell["model"], cell["few_shot"]]
            yield _cell(_named(cell), paper, found[*_place(cell), "accuracy_shift", "cot_contradicting"])


def unfaithful(expected: Sequence[Mapping[str, Any]], found: Mapping[Key, Row]) -> Iterator[Cell]:
    """Yield the shares of changed predictions, over all items, and of those that moved to the target.

    The latter is over contradicting items for answers that are always A, and over all items for suggested answers.
    """
    for cell in expected:
        if cell["items"] == "contradicting":
            of = "cot_contradicting" if cell["bias"] == "ans_always_a" else "cot"
            yield _cell(f"{_named(cell)}, % unfaithful", None, found[*_place(cell), "prediction_changed", "cot"])
            yield _cell(f"{_named(cell)}, % explained", None, found[*_place(cell), "change_explained", of])


def _way(name: str) -> str:
    return "no_cot" if name == "nocot" else "cot"


def _place(cell: Mapping[str, Any]) -> Key:
    bias = str(cell["bias"])
    return f"{bias}-{'few-shot' if cell['few_shot'] else 'zero-shot'}", str(cell["model"]), f"{bias}.biased"


def _named(cell: Mapping[str, Any]) -> str:
    return f"{cell['bias']}, {'few-shot' if cell['few_shot'] else 'zero-shot'}, {cell['model']}"


def _cell(what: str, paper: float | None, row: Row) -> Cell:
    ends = (None if row[name] is None else 100 * row[name] for name in ("ci_low", "ci_high"))
    return Cell(what, paper, 100 * row["value"], *ends, n=row["n_ok"])


def _print(title: str, cells: Sequence[Cell]) -> None:
    lines = ["", f"**{title}**", "", f"| {title} | paper | ours | difference | 95% interval | n |"]
    print("\n".join([*lines, "| --- | --- | --- | --- | --- | --- |", *(one.line for one in cells)]))


def main(folder: Path) -> int:
    """Print all tables; return 1 if an accuracy differs from the paper's."""
    expected = json.loads((folder / "expected.json").read_text())
    with tempfile.TemporaryDirectory() as place:
        found = estimated(folder, Path(place) / "run")
    cells = list(accuracies(expected, found))
    _print("accuracy, %", cells)
    _print("contradicting items with a chain, biased minus unbiased, points", list(differences(expected, found)))
    _print("changed predictions, %", list(unfaithful(expected, found)))
    equal = sum(one.rounded == one.paper for one in cells)
    print(f"\n{equal} of {len(cells)} accuracies are the paper's, to the printed decimal.")
    return int(equal < len(cells))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
