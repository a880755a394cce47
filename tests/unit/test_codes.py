"""Codes of rows: equal for equal rows and only for those."""

import numpy as np
import polars as pl
import pytest

from cotfaith.cluster.storage.codes import dense_codes, first_rows, numbers, row_codes

COLUMNS = ["model", "item", "index"]
N = 500


def rows(kind: pl.DataType | type[pl.DataType], *, nulls: bool, wide: bool) -> pl.DataFrame:
    random = np.random.default_rng(4)
    draws = {name: random.integers(0, n, N).tolist() for name, n in zip(COLUMNS, (3, 40, 5), strict=True)}
    found = pl.DataFrame(draws).with_columns(pl.col("model", "item").cast(pl.String).cast(kind))
    if wide:
        found = found.with_columns(pl.col("index").cast(pl.Int64) * 2**40)
    return found.with_columns(pl.when(pl.int_range(N) % 7 > 0).then(pl.all())) if nulls else found


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum([str(n) for n in range(40)])], ids=str)
@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_codes_are_equal_where_rows_are(kind, nulls, wide):
    found = rows(kind, nulls=nulls, wide=wide)
    expected = found.select(pl.struct(pl.all()).rank("dense")).to_series().to_list()
    codes, size = row_codes(numbers(found, COLUMNS))
    assert len({*zip(codes.tolist(), expected, strict=True)}) == len({*codes.tolist()}) == len({*expected})
    assert 0 <= codes.min() <= codes.max() < size


def test_dense_codes_count_rows_as_they_appear():
    found = rows(pl.Categorical, nulls=True, wide=False)
    codes, n = dense_codes(numbers(found, COLUMNS))
    different = found.unique(maintain_order=True)
    assert n == len(different)
    assert found[first_rows(codes, n)].equals(different)
    assert different[codes].equals(found)


def test_many_columns_of_many_values_do_not_overflow():
    values = pl.DataFrame({f"c{k}": np.random.default_rng(k).permutation(N) for k in range(12)})  # N**12 > 2**63
    codes, _ = row_codes(numbers(pl.concat([values, values]), values.columns))
    assert codes[:N].tolist() == codes[N:].tolist()
    assert len({*codes.tolist()}) == N


@pytest.mark.parametrize("values", [[], [None, None], ["a"], ["a", None]])
def test_few_rows(values):
    columns = numbers(pl.DataFrame({"a": pl.Series(values, dtype=pl.String)}), ["a"])
    codes, n = dense_codes(columns)
    assert codes.tolist() == [list(dict.fromkeys(values)).index(value) for value in values]
    assert n == len(set(values))
