"""A fitted score: the probability that a chain, or a step, is faithful, from the shapes of its answers.

In: the file ``fitted.json`` beside this module, written by ``benchmarks/above_the_record.py``, and features of
``shapes.py``. Out: probabilities; null where a feature that the score reads is missing. The model is a logistic
regression on standardised columns, and a line through its logit that calibrates it:

    z = intercept + sum over columns of coefficient (value - mean) / scale
    P(faithful) = 1 / (1 + exp(-(slope z + shift)))

A column is a feature, ``hinted`` (1 or 0), or "feature:hinted", their product. Fitting needs scikit-learn
(``cluster/validation/calibrated/``); this needs none. Knows nothing about labels.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cotfaith.cluster.stats.metrics.lib.metric import Level
from cotfaith.cluster.stats.metrics.lib.shapes import HINTED, probe_of
from cotfaith.schemas.errors import SpecError

PACKAGED = Path(__file__).with_name("fitted.json")
FORMAT = 1
"""The version of the file's layout."""
PRODUCT = f":{HINTED}"


@dataclass(frozen=True)
class Training:
    """What a score was fitted on."""

    hash: str
    """sha256 (hex) of the rows: models, tasks, chains, labels and features."""
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    n: int
    """Labelled chains, or steps."""
    n_faithful: int
    n_real: int
    """Those of real models; the others are of organisms."""


@dataclass(frozen=True)
class Fitted:
    """One score."""

    level: Level
    name: str
    """Which probes it reads, such as "prefixes"."""
    columns: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    slope: float
    """Of the calibrating line; 0 if the score told nothing on groups that it had not seen."""
    shift: float
    training: Training

    @property
    def version(self) -> str:
        """Its name and the start of its training data's hash: the method of its metric."""
        return f"{self.name}.{self.training.hash[:8]}"

    @property
    def features(self) -> tuple[str, ...]:
        """The features that it reads, each once."""
        return tuple(dict.fromkeys(name for c in self.columns if (name := c.removesuffix(PRODUCT)) != HINTED))

    @property
    def probes(self) -> tuple[str, ...]:
        """The probes whose rows it reads."""
        return tuple(dict.fromkeys(probe_of(name) for name in self.features))

    def probability(self) -> pl.Expr:
        """Return P(faithful) of a row of shapes; null if a feature is missing."""
        values = (
            coefficient * (value_of(name) - mean) / scale
            for name, mean, scale, coefficient in zip(
                self.columns, self.means, self.scales, self.coefficients, strict=True
            )
        )
        z = sum(values, start=pl.lit(self.intercept))
        return 1 / (1 + (-(self.slope * z + self.shift)).exp())


def value_of(column: str) -> pl.Expr:
    """Return a column of a score from the columns of shapes."""
    hinted = pl.col(HINTED).cast(pl.Float64)
    if column == HINTED:
        return hinted
    return pl.col(column.removesuffix(PRODUCT)) * hinted if column.endswith(PRODUCT) else pl.col(column)


def lacking(features: Sequence[str]) -> pl.Expr:
    """Return why a row of shapes has no score: the first probe without probabilities; null if it has one."""
    whys = [pl.when(pl.col(name).is_null()).then(pl.lit(f"no probabilities of {probe_of(name)}")) for name in features]
    return pl.coalesce(*whys)


def read_fitted(path: Path = PACKAGED) -> tuple[Fitted, ...]:
    """Return the scores of a file.

    Raises:
        SpecError: the file is not one of scores, or is of another layout.

    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise SpecError(f"{path}: got format {found['format']!r}, expected {FORMAT}. Fit the scores again.")
        return tuple(_read(one) for one in found["scores"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise SpecError(f"{path} holds no fitted scores ({error!r}). Fit the scores again.") from None


def _read(one: dict[str, Any]) -> Fitted:
    made = Fitted(**_tuples(one) | {"training": Training(**_tuples(one["training"]))})
    sizes = {len(made.columns), len(made.means), len(made.scales), len(made.coefficients)}
    if len(sizes) > 1:
        raise SpecError(f"A fitted score {made.name!r} has lists of different lengths: {sorted(sizes)}.")
    return made


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def write_fitted(scores: Sequence[Fitted], path: Path) -> None:
    """Write the scores to a file."""
    text = json.dumps({"format": FORMAT, "scores": [asdict(one) for one in scores]}, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
