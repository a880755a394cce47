"""Sums by item: those of a plain group-by, however the scores' columns are made."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cotfaith.cluster.stats.metrics.lib.effects import effects
from cotfaith.cluster.stats.metrics.lib.frame import GROUP, NAME, SCORE, of_probe

N = 400
KEY = [*GROUP, "item_id", "position"]


def scores(seed: int, **columns: pl.Expr) -> pl.DataFrame:
    """Return scores of two models on up to 30 items, some failed; ``columns`` replace what is drawn."""
    random = np.random.default_rng(seed)
    drawn = pl.DataFrame(
        {
            "model": random.choice(["a", "b"], N),
            "item_id": random.integers(0, 30, N).astype(str),
            "value": random.normal(size=N).round(3),
            "least": random.normal(size=N),
            "n_arms": random.integers(0, 9, N),
            "position": random.choice([0.0, 0.5, 1.0], N),
        }
    )
    failed = pl.int_range(N) % 5 == 0
    made = {
        **{name: pl.lit("x") for name in ("task", "strategy", "variant", "channel", "metric")},
        **{name: pl.lit(None, pl.String) for name in ("probe", "method")},
        "chain_index": pl.lit(0),
        "step": pl.lit(None, pl.Int32),
        "value": pl.when(~failed).then("value"),
        "per": pl.when(~failed).then(1.0),
        "most": pl.lit(None, pl.Float64),
        "n_arms_ok": pl.col("n_arms"),
        "optional": pl.lit(False),
    }
    return drawn.with_columns(**made | columns).with_columns(pl.col("item_id").cast(pl.Categorical)).select(SCORE)


def plain(found: pl.DataFrame) -> pl.DataFrame:
    """Return the sums as their definitions say."""

    def known(name: str) -> pl.Expr:
        return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)

    whole = found.filter(pl.col("step").is_null())
    sums = whole.group_by([*KEY, *NAME], maintain_order=True).agg(
        pl.col("value").sum().alias("numerator"),
        pl.col("per").sum().alias("denominator"),
        (pl.col("value") ** 2).sum().alias("squares"),
        pl.col("value").count().cast(pl.Int64).alias("n_ok"),
        pl.len().cast(pl.Int64).alias("n_total"),
        *(known(name) for name in ("least", "most", "n_arms", "n_arms_ok")),
    )
    optional = whole.group_by(GROUP).agg(pl.col("optional").any())
    return sums.join(optional, on=GROUP)


AT = pl.int_range(N)
CASES = {
    "failed scores": {},
    "no failed scores": {"value": pl.lit(0.5), "per": pl.lit(1.0), "least": pl.lit(0.5), "most": pl.lit(0.5)},
    "zeros and ones": {"value": (AT % 2).cast(pl.Float64), "per": pl.lit(1.0)},
    "no positions": {"position": pl.lit(None, pl.Float64)},
    "some without a position": {"position": pl.when(AT % 3 > 0).then("position")},
    "many positions": {"position": AT.cast(pl.Float64) * 1e6},
    "ratios": {"per": pl.col("value").abs()},
    "some without bounds": {"least": pl.when(AT % 4 > 0).then("least"), "most": pl.when(AT % 2 > 0).then("least")},
    "some without arms": {"n_arms": pl.when(AT % 4 > 0).then("n_arms"), "n_arms_ok": pl.lit(None, pl.Int64)},
    "of steps too": {"step": pl.when(AT % 2 > 0).then(AT).cast(pl.Int32)},
    "some optional": {"optional": (pl.col("model") == "a") & (AT % 2 > 0)},
}


@pytest.mark.parametrize("columns", CASES.values(), ids=CASES)
def test_sums_are_those_of_a_group_by(columns):
    found = scores(1, **columns)
    (one,) = effects([found])
    made = one.frame().with_columns(pl.col("item_id").cast(pl.String))
    expected = plain(found.with_columns(pl.col("item_id").cast(pl.String)))
    assert_frame_equal(made, expected, check_row_order=False, check_column_order=False, abs_tol=1e-12)


def test_scores_of_the_same_and_of_other_rows_follow_one_another():
    """Codes are made once for columns in the same memory, and only for those."""
    found = scores(1)
    moved = found.with_columns(pl.col("item_id").shift(1, fill_value="0"))
    other = found.with_columns(pl.col("value") + 1)
    frames = [found, other, moved, moved.head(9), found.with_columns(model=pl.lit("b")), found]
    for one, frame in zip(effects(frames), frames, strict=True):
        (alone,) = effects([frame.clone()])
        assert one.frame().equals(alone.frame())


def test_no_scores_have_no_effects():
    (one,) = effects([scores(1).clear()])
    assert one.frame().is_empty()


@pytest.mark.parametrize("order", [["a", "a", "b", "b", "c"], ["a", "b", "a", "c", "b"]])
@pytest.mark.parametrize("probe", ["a", "b", "c", "d"])
def test_rows_of_a_probe_are_the_same_whether_they_follow_one_another(order, probe):
    rows = pl.DataFrame({"probe": order, "n": range(5)})
    assert of_probe(rows, probe).equals(rows.filter(pl.col("probe") == probe))
