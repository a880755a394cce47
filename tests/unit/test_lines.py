"""Straight lines through points, against numpy's interpolation line by line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotfaith.cluster.stats.metrics.lib.lines import Lines

GRID = np.arange(11) / 10
PLACES = st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.9, 1.0])
POINTS = st.lists(st.tuples(PLACES, st.floats(-1, 1)), min_size=1, max_size=6)


def lines_of(points):
    """``points``: line number -> its points, in any order."""
    flat = [(number, x, s) for number, own in points.items() for x, s in own]
    line, x, s = (np.array(column) for column in zip(*flat, strict=True))
    return Lines.of(line.astype(np.int64), x, s)


def in_order(own):
    return (np.array(column) for column in zip(*sorted(own, key=lambda point: point[0]), strict=True))


@given(st.dictionaries(st.integers(0, 9), POINTS, min_size=1), st.lists(PLACES, min_size=1))
def test_areas_and_values_are_those_of_each_line_alone(points, asked):
    found = lines_of(points)
    numbers = sorted(points)
    assert found.numbers.tolist() == numbers
    at, area = found.at(GRID), found.area()
    for row, number in enumerate(numbers):
        x, s = in_order(points[number])
        assert at[row] == pytest.approx(np.interp(GRID, x, s), abs=1e-12)
        level = x[0] * s[0] + (1 - x[-1]) * s[-1]
        assert area[row] == pytest.approx(level + np.trapezoid(s, x), abs=1e-12)
        read = found.read(np.full(len(asked), number), np.array(asked))
        assert read == pytest.approx(np.interp(asked, x, s), abs=1e-12)


def test_a_line_without_points_has_no_values():
    found = lines_of({3: [(0.5, 1.0)]})
    read = found.read(np.array([2, 3, 4]), np.array([0.1, 0.1, 0.9]))
    assert np.isnan(read).tolist() == [True, False, True]
    assert read[1] == 1.0


def test_no_lines():
    none = Lines.of(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    assert none.area().shape == (0,)
    assert none.at(GRID).shape == (0, 11)
    assert np.isnan(none.read(np.array([1]), np.array([0.5]))).all()
