"""The report's pictures, read back as XML: marks at their values, odd values and hostile names."""

from dataclasses import replace

import polars as pl
import pytest
from estimate_rows import estimate
from pictures import Picture

from cotfaith.cluster.colours import COLOURS, ON_DARK
from cotfaith.cluster.report.comparisons import difference_figures, matrix_figure
from cotfaith.cluster.report.curves import MOST_LINES, curve_figure
from cotfaith.cluster.report.document import TEMPLATES
from cotfaith.cluster.report.drawing.axes import count_axis, number_axis, share_axis, size_axis
from cotfaith.cluster.report.drawing.elements import FONT, MOST_TOLD, clipped, short, width_of, words
from cotfaith.cluster.report.drawing.labels import labels
from cotfaith.cluster.report.drawing.looks import SHAPES, key, looks_of, palette
from cotfaith.cluster.report.frontier import frontier_figure
from cotfaith.cluster.report.known import Known
from cotfaith.cluster.report.lengths import length_figures
from cotfaith.cluster.report.paired import paired_figures
from cotfaith.cluster.report.planes import plane_figures
from cotfaith.cluster.stats.metrics.lib.drawings import Curve, Differences, Frontier, Matrix, Paired
from cotfaith.cluster.stats.metrics.lib.words import Dependence

EVIL = "</title></svg><script>alert(1)</script>\"' onload=x \x1b[31m \u202eCBA\n]]>&amp;"
SHARES = Curve("Same", "same", (None,), "kept", "same answer", baseline="level")
NUMBERS = replace(SHARES, baseline=None, share=False)
LONG = "some-organisation/some-model-with-a-very-long-name-72B-Instruct"


def points(*values, model="m", **named):
    """The points of a curve, from position 0; null values stay."""
    return [estimate("same", position=float(at), value=value, model=model, **named) for at, value in enumerate(values)]


def curve(rows, asked=SHARES, models=("m",)):
    figure = curve_figure(Known(rows), looks_of(models), "t", asked, "Same")
    return figure and Picture(figure.svg)


@pytest.mark.parametrize("values", [(0.0, 0.25, 1.0), (0.5,), (0.5, 0.5, 0.5), (-0.4, 1.6)])
@pytest.mark.parametrize("asked", [SHARES, NUMBERS])
def test_points_are_at_their_values(values, asked):
    drawn = curve(points(*values, ci_low=None, ci_high=None), asked)
    assert [spot.y for spot in drawn.spots()] == pytest.approx(values, abs=0.02)
    (line,) = drawn.paths("solid")
    assert [y for _, y in line][: len(values)] == pytest.approx(values, abs=0.02)
    if len(values) > 1:
        assert [spot.x for spot in drawn.spots()] == pytest.approx(range(len(values)), abs=0.02)


def test_all_that_is_drawn_lies_in_the_picture():
    rows = [*points(-3.0, 0.5, 40.0, ci_low=-5.0, ci_high=45.0, band_low=-9.0, band_high=60.0)]
    drawn = curve(rows, NUMBERS)
    for kind in ("solid", "pointwise", "whole"):
        for place in drawn.all(kind):
            numbers = [float(n) for n in place.get("d").replace("M", "").replace("Z", "").replace("L", ",").split(",")]
            assert all(0 <= x <= drawn.width for x in numbers[::2])
            assert all(0 <= y <= drawn.height for y in numbers[1::2])


def test_a_curve_has_bands_and_the_level_that_it_is_compared_with():
    rows = [*points(0.2, 0.6, 0.8, ci_low=0.1, ci_high=0.9, band_low=0.0, band_high=1.0), estimate("level", value=0.3)]
    drawn = curve(rows)
    ((*_, pointwise),), (whole,) = [drawn.paths("pointwise")], drawn.paths("whole")
    assert [y for _, y in pointwise] == pytest.approx([0.1] * 3 + [0.9] * 3, abs=0.01)
    assert [y for _, y in whole] == pytest.approx([0.0] * 3 + [1.0] * 3, abs=0.01)
    (level,) = drawn.paths("level")
    assert [y for _, y in level] == pytest.approx([0.3, 0.3], abs=0.01)
    assert [x for x, _ in level] == pytest.approx([0, 2], abs=0.02)
    assert drawn.spots()[0].hover == "20% at 0: 10% to 90%; 20 of 20 ok, 20 items\nm"


def test_values_positions_and_intervals_that_are_missing_are_left_out():
    rows = [*points(0.2, None, 0.8), estimate("same", value=0.4)]
    rows[0] = replace(rows[0], ci_low=None, ci_high=None)
    drawn = curve(rows)
    assert [(round(spot.x), round(spot.y, 1)) for spot in drawn.spots()] == [(0, 0.2), (2, 0.8)]
    assert not drawn.all("pointwise")
    assert len(drawn.all("whisker")) == 1  # only one point has an interval
    assert curve([]) is None
    assert curve([estimate("same"), *points(None)]) is None


def test_points_of_few_items_are_left_out():
    rows = points(0.2, 0.4, 0.6)
    rows[2] = replace(rows[2], n_items=3)
    assert len(curve(rows).spots()) == 2


def test_many_lines_are_grey_but_the_highest_and_the_lowest():
    models = [f"m{n:03}" for n in range(600)]
    rows = [row for n, model in enumerate(models) for row in points(n / 600, n / 600, model=model)]
    figure = curve_figure(Known(rows), looks_of(models), "t", SHARES, "Same")
    drawn = Picture(figure.svg)
    assert len(drawn.all("grey")) == 598
    assert [one.get("class").split()[-1] for one in drawn.all("thin")[-2:]] == ["c0", "c9"]
    assert not drawn.spots()
    assert sum(text.startswith("m300\n50% at 0: 40% to 60%") for text in drawn.hovers()) == 1
    assert "600 lines" in figure.note
    few = curve_figure(Known(rows[: 2 * MOST_LINES]), looks_of(models[:MOST_LINES]), "t", SHARES, "Same")
    assert (few.note, len(Picture(few.svg).spots())) == ("", 2 * MOST_LINES)


def every_figure(name):
    """A figure of each kind with a hostile name of model and task."""
    looks = looks_of([name, "b"])
    pairs = [("x", None), ("y", None), ("d", "a"), ("d", "b"), ("read", name), ("read", "b")]
    pairs += [("x", "paired"), ("y", "paired")]
    both = [
        replace(estimate(metric, method=method, value=0.5, model=model), task=name)
        for model in (name, "b")
        for metric, method in pairs
    ]
    curves = [replace(row, task=name) for row in points(0.1, 0.2, model=name)]
    chains = pl.DataFrame({"task": [name], "model": [name], "n_steps": [3]})
    frontier, dependences = Frontier("x", name, name), [Dependence("y", None, "d", "d")]
    yield curve_figure(Known(curves), looks, name, SHARES, name)
    yield from paired_figures(Known(both), looks, {name: 0.25}, Paired("x", "y", "paired", ("before", "after"), name))
    yield from difference_figures(Known(both), looks, Differences("d", {"a": "A", "b": "B"}, name))
    yield matrix_figure(Known(both), name, Matrix(("read",), name, name))
    yield frontier_figure(Known(both), looks, {name: 0.25}, name, frontier, dependences)
    yield from length_figures(chains, looks)


def test_a_screen_reader_hears_the_first_values():
    few = Picture(curve_figure(Known(points(0.25, 0.5)), looks_of(["m"]), "t", SHARES, "Same").svg)
    assert few.root.find("title").text == "Same: same answer by kept, t"
    assert few.root.find("desc").text == "m: 25% at 0 to 50% at 1"
    rows = [estimate("read", model=f"m{n}", method="r") for n in range(MOST_TOLD + 2)]
    many = Picture(matrix_figure(Known(rows), "t", Matrix(("read",), "x", "y")).svg)
    assert many.root.find("desc").text.endswith("; and 2 more")


def test_hostile_names_are_text():
    figures = list(every_figure(EVIL))
    assert len(figures) == 6
    for figure in figures:
        assert not {"\x1b", "\u202e"} & {*figure.svg}
        assert "<script" not in figure.svg
        drawn = Picture(figure.svg)
        tags = {one.tag for one in drawn.root.iter()}
        assert tags <= {"svg", "title", "desc", "g", "path", "text", "line", "circle", "polygon", "rect"}
        names = {name for one in drawn.root.iter() for name in one.attrib}
        assert not {name for name in names if name.startswith(("on", "href", "style"))}
        assert any("⟨U+202E⟩CBA ]]>&amp;" in text for text in [*drawn.hovers(), drawn.root.find("title").text])


def test_paired_values_are_where_they_are_with_chance():
    asked = Paired("x", "y", "paired", ("before", "after"), "accuracy")
    rows = [
        estimate("x", method="paired", value=0.2, ci_low=None, ci_high=None),
        estimate("y", method="paired", value=0.9, ci_low=0.8, ci_high=0.95),
    ]
    ((figure),) = paired_figures(Known(rows), looks_of(["m"]), {"t": 0.25}, asked)
    drawn = Picture(figure.svg)
    assert [(round(spot.x, 2), spot.filled) for spot in drawn.spots()] == [(0.9, True), (0.2, False)]
    assert drawn.words("name") == ["t"]
    (whisker,) = drawn.paths("whisker")
    assert [x for x, _ in whisker] == pytest.approx([0.8, 0.95], abs=0.01)
    (chance,) = (one for one in drawn.all("chance"))
    assert drawn.x(float(chance.get("x1"))) == pytest.approx(0.25, abs=0.01)
    assert "chance" in drawn.words()
    assert "chance" not in Picture(paired_figures(Known(rows), looks_of(["m"]), {}, asked)[0].svg).words()


def test_with_several_models_each_task_has_a_figure_with_the_same_axis():
    rows = [
        replace(estimate("d", method="a", value=v, model=m), task=t) for m, t, v in (("m", "t", 0.1), ("n", "u", 0.5))
    ]
    figures = difference_figures(Known(rows), looks_of(["m", "n"]), Differences("d", {"a": "A"}, "x"))
    assert [figure.title for figure in figures] == ["t", "u"]
    first, second = (Picture(figure.svg) for figure in figures)
    assert first.words("x-tick") == second.words("x-tick")
    assert [spot.x for one in (first, second) for spot in one.spots()] == pytest.approx([0.1, 0.5], abs=0.01)


def test_a_matrix_has_a_number_in_each_cell_and_a_dash_for_no_value():
    rows = [estimate("read", method="b", value=0.724), estimate("read", method="a", value=None, ci_low=None)]
    drawn = Picture(matrix_figure(Known(rows), "t", Matrix(("read",), "reader", "author")).svg)
    assert drawn.words("name")[:3] == ["m", "a", "b"]
    assert drawn.words("mid") == ["72", "–"]
    assert [float(one.get("fill-opacity")) for one in drawn.all("cell")] == pytest.approx([0.74, 0.06], abs=0.01)


def test_a_frontier_needs_two_points_and_draws_intervals_both_ways():
    asked, known = (
        Frontier("x", "accuracy", "accuracy"),
        [Dependence("gone", None, "-", "-"), Dependence("y", None, "d", "d")],
    )
    rows = [estimate(metric, value=v, model=m) for m, v in (("a", 0.9), ("b", 0.45)) for metric in ("x", "y")]
    drawn = Picture(frontier_figure(Known(rows), looks_of("ab"), {"t": 0.25}, "t", asked, known).svg)
    assert [s.x for s in drawn.spots()] == pytest.approx([0.9, 0.45], abs=0.01)
    assert [s.y for s in drawn.spots()] == pytest.approx([0.9, 0.45], abs=0.01)
    assert len(drawn.all("whisker")) == 4
    assert drawn.words("name") == ["a", "b"]
    assert "chance 25%" in drawn.words()
    assert frontier_figure(Known(rows[:2]), looks_of("ab"), {}, "t", asked, known) is None
    assert frontier_figure(Known(rows), looks_of("ab"), {}, "t", asked, known[:1]) is None


def plane(slope, at, *points, model="m"):
    """The rows of a fitted line and the estimates of its tasks."""
    fit = {"model_a": model, "strategy": "cot", "channel": None, "metric": "aoc", "method": "trapezoid", "at": 0.5}
    rows = [fit | {"kind": kind, "value": value} for kind, value in (("plane_slope", slope), ("plane_at", at))]
    estimates = [
        replace(estimate(metric, method=method, value=value, model=model), task=f"t{n}")
        for n, point in enumerate(points)
        for (metric, method), value in zip((("accuracy_no_cot", None), ("aoc", "trapezoid")), point, strict=True)
    ]
    return rows, estimates


def test_a_plane_has_a_point_for_each_task_and_the_fitted_line():
    rows, estimates = plane(-0.5, 0.4, (0.2, 0.55), (0.5, 0.4), (0.8, 0.25))
    (figure,) = plane_figures(rows, Known(estimates), looks_of(["m"]))
    drawn = Picture(figure.svg)
    assert figure.title == "aoc/trapezoid"
    assert [(round(s.x, 2), round(s.y, 2)) for s in drawn.spots()] == [(0.2, 0.55), (0.5, 0.4), (0.8, 0.25)]
    (line,) = drawn.paths("solid")
    assert [one for place in line for one in place] == pytest.approx([0.2, 0.55, 0.8, 0.25], abs=0.01)
    assert drawn.words("name") == ["t0", "t1", "t2"]
    assert len(drawn.all("whisker")) == 6
    assert plane_figures(rows[:1], Known(estimates), looks_of(["m"])) == []
    assert plane_figures(rows, Known([]), looks_of(["m"])) == []


def test_a_plane_of_several_models_names_the_models():
    points = (0.2, 0.5), (0.5, 0.4), (0.8, 0.3)
    parts = [plane(0.1, 0.4, *points, model=model) for model in ("org/a", "org/b")]
    rows, estimates = ([row for part in parts for row in part[side]] for side in (0, 1))
    (figure,) = plane_figures(rows, Known(estimates), looks_of(["org/a", "org/b"]))
    assert Picture(figure.svg).words("name") == ["a", "b"]


def test_lengths_of_chains():
    chains = pl.DataFrame({"task": ["t"] * 4, "model": ["m"] * 3 + ["n"], "n_steps": [0, 2, 2, None]})
    (figure,) = length_figures(chains, looks_of(["m", "n"]))
    drawn = Picture(figure.svg)
    heights = [drawn.y(float(one.get("y"))) for one in drawn.all("bar")]
    assert heights == pytest.approx([1, 2], abs=0.02)
    assert drawn.hovers() == ["1 chain of 0 steps\nm", "2 chains of 2 steps\nm"]


def test_long_chains_share_bars_and_many_models_have_lines():
    chains = pl.DataFrame({"task": "t", "model": [f"m{n % 9}" for n in range(900)], "n_steps": range(900)})
    drawn = Picture(length_figures(chains, looks_of([f"m{n}" for n in range(9)]))[0].svg)
    assert not drawn.all("bar")
    assert len(drawn.all("thin")) == 9
    counts = [int(word.split()[0]) for text in drawn.hovers() for word in text.split("\n")[1:]]
    assert sum(counts) == 900
    assert any("chains of 0 to 22 steps" in text for text in drawn.hovers())


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (share_axis("", []), ["0%", "50%", "100%"]),
        (share_axis("", [1.8, None, float("nan")]), ["0%", "50%", "100%", "150%"]),
        (number_axis("", []), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (number_axis("", [7]), ["4", "6", "8", "10"]),
        (number_axis("", [0, 1e6]), ["0", "200,000", "400,000", "600,000", "800,000", "1,000,000"]),
        (number_axis("", [-0.011, 0.012], "+%"), ["-1.0%", "-0.5%", "0.0%", "+0.5%", "+1.0%"]),
        (count_axis("", 0), ["0", "1"]),
        (count_axis("", 9), ["0", "2", "4", "6", "8"]),
        (size_axis("", [135e6, 1.7e9, 950]), ["950", "135M", "1.7B"]),
    ],
)
def test_ticks(axis, expected):
    assert [label for _, label in axis.ticks] == expected
    assert all(-1e-9 <= axis.place(value) <= 1 + 1e-9 for value, _ in axis.ticks)


def test_long_names_are_clipped_and_whole_in_the_hover_text():
    drawn = words((0, 0), LONG, 150)
    assert drawn.text.startswith("some-organ")
    assert "…" in drawn.text
    assert drawn.text.endswith("Instruct")
    assert width_of(drawn.text) <= 150
    assert drawn.find("title").text == LONG
    assert clipped("short", 150) == "short"
    assert len(clipped("漢字" * 20, 100)) < 10


def test_owners_are_left_out_of_names_that_are_told_apart_without_them():
    assert short(["a/b/m-1", "c/m-2 · cot", "x"]) == {"a/b/m-1": "m-1", "c/m-2 · cot": "m-2 · cot", "x": "x"}
    assert short(["a/m", "b/m"]) == {"a/m": "a/m", "b/m": "b/m"}
    assert short(["<b>x</b>", "a/", "/", ""]) == {name: name for name in ("<b>x</b>", "a/", "/", "")}
    drawn = words((0, 0), "m", 150, "a/m")
    assert (drawn.text, drawn.find("title").text) == ("m", "a/m")


def test_names_cover_neither_points_nor_one_another():
    places = [((50.0 + 3 * n, 60.0), f"model {n}") for n in range(12)]
    found = labels(places, (0, 0, 300, 120))
    shifts = {"first": 0, "mid": 0.5, "last": 1}
    wide = [(width_of(t.text), shifts[t.get("class").split()[-1]]) for t in found]
    boxes = [(float(t.get("x")) - a * w, float(t.get("y")), w) for t, (w, a) in zip(found, wide, strict=True)]
    assert 2 < len(found) < 12
    for i, (x, y, wide) in enumerate(boxes):
        assert x >= 0
        assert x + wide <= 300
        assert all(x + wide <= a or a + b <= x or abs(y - c) > 12 for a, c, b in boxes[:i])
    assert len(labels([((10.0, 60.0), "a"), ((200.0, 60.0), "b")], (0, 0, 300, 120))) == 2


def test_the_styles_know_each_mark():
    css = (TEMPLATES / "figures.css").read_text(encoding="utf-8")
    assert f"font-size: {FONT}px" in css
    drawn = [Picture(figure.svg) for figure in every_figure("a")]
    used = {name for one in drawn for part in one.root.iter() for name in part.get("class", "").split()}
    unstyled = {"axes", "x-tick", "y-tick", "first"}
    assert {name for name in used - unstyled if f".{name}" not in css + palette()} == set()
    assert {"dot", "ring", "whisker", "bar", "cell", "chance", "joined", "solid", "name", "label"} <= used


def test_seventy_series_differ_in_colour_or_shape():
    looks = looks_of([str(n) for n in range(70)])
    assert len({*looks.values()}) == 70
    assert len(COLOURS) == len(ON_DARK) == palette().count("--c:#") / 2
    assert len(SHAPES) == 7
    assert '<polygon points="' in key(looks["1"])
