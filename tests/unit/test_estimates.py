"""Estimates as typed records."""

from dataclasses import fields

import pyarrow as pa

from cotfaith.cluster.stats.estimates import Estimate, read_estimates
from cotfaith.schemas.tables import ESTIMATES

ROW = {"schema_version": 3, "run_id": "r", "model": "m", "task": "t", "strategy": "cot", "metric": "aoc"} | {
    "n_total": 4,
    "n_ok": 3,
    "n_items": 2,
    "value": 0.5,
}


def test_every_column_is_a_field():
    assert {field.name for field in fields(Estimate)} == {*ESTIMATES.names, "series"}


def test_rows_become_records():
    other = {**ROW, "strategy": "factored"}
    one, two = read_estimates(pa.Table.from_pylist([ROW, other], schema=ESTIMATES))
    assert (one.value, one.n_ok, one.probe, one.series, two.series) == (0.5, 3, None, "m · cot", "m · factored")


def test_a_column_that_an_older_table_lacks_is_null():
    older = pa.Table.from_pylist([ROW], schema=ESTIMATES).drop_columns(["least"])
    assert read_estimates(older)[0].least is None
