"""The scaling sweep, sizes at equal performance, and the performance-faithfulness plane, on rows made by hand."""

import numpy as np
import polars as pl
import pytest
from kept_items import AOC, NO_COT, SIZES, TRAINED, VALUES, alike, entries, kept_items, tasks

from cotfaith.cluster.stats.scaling.comparisons import scaling_rows


def of_kind(rows, kind, metric="aoc"):
    return [row for row in rows if (row["kind"], row["metric"]) == (kind, metric)]


# The sweep.


def test_a_slope_is_the_change_for_ten_times_the_size():
    rows = list(scaling_rows(kept_items(alike(a=0.8, b=0.7, c=0.6, d=0.5), p0=[0.3] * 40), entries()))
    (raw,), (matched,) = of_kind(rows, "size_slope"), of_kind(rows, "size_slope_matched")
    assert raw["value"] == pytest.approx(-0.1)
    assert matched["value"] == pytest.approx(-0.1)
    assert raw["ci_low"] < -0.1 < raw["ci_high"] < 0
    assert raw["p_value"] < 0.05
    assert (raw["family"], raw["n_models"], raw["n_items"], raw["method"]) == ("f", 4, 40, "trapezoid")
    points = of_kind(rows, "size_value")
    assert [(one["model_a"], one["at"], round(one["value"], 9)) for one in points] == [
        ("a", 1e4, 0.8), ("b", 1e5, 0.7), ("c", 1e6, 0.6), ("d", 1e7, 0.5),
    ]  # fmt: skip
    assert not [row for row in rows if row["metric"] == "mistakes_aoc"]


def test_a_value_s_interval_is_within_its_bounds():
    rows = list(scaling_rows(kept_items(alike(a=1, b=1, c=1, d=0), p0=[0.3] * 40), entries()))
    for kind in ("size_value", "size_value_matched"):
        points = {row["model_a"]: row for row in of_kind(rows, kind)}
        assert points["a"]["ci_low"] < 1 == points["a"]["ci_high"]
        assert points["d"]["ci_low"] == 0 < points["d"]["ci_high"]


def test_three_sizes_are_too_few_and_two_models_of_one_size_are_one_size():
    for sizes, said in (
        ({"a": 10, "b": 100, "c": 1000}, "3 of 4"),
        ({"a": 10, "b": 100, "c": 1000, "d": 1000}, "3 of 4"),
        ({"a": 7, "b": 7, "c": 7, "d": 7}, "1 of 4"),
    ):
        rows = list(scaling_rows(kept_items(alike(**dict.fromkeys(sizes, 0.5)), p0=[0.3] * 40), entries(sizes)))
        for kind in ("size_slope", "size_slope_matched"):
            (one,) = of_kind(rows, kind)
            assert one.get("value") is None
            assert one["interval"] == f"too_few_sizes: {said}"
        assert len(of_kind(rows, "size_value")) == len(sizes)


def test_a_model_without_the_metric_is_no_size_and_checkpoints_are_none():
    values = alike(a=0.8, b=0.7, c=0.6, d=0.5)
    values["d"] = {AOC: [None] * 40}
    values["e"] = {AOC: [0.1] * 40}
    rows = list(scaling_rows(kept_items(values, p0=[0.3] * 40), entries(e={"checkpoint_of": "c"})))
    assert of_kind(rows, "size_slope")[0]["interval"] == "too_few_sizes: 3 of 4"


def test_skill_that_grows_with_size_is_told_from_faithfulness():
    """The share of items that are answered from the chain is the same at every size."""
    rng, n = np.random.default_rng(6), 1500
    p0 = {name: rng.beta(1 + m, 3 - 0.6 * m, n) for m, name in enumerate(SIZES)}
    values = {name: {AOC: (rng.random(n) < 0.7 * (1 - own)).astype(float)} for name, own in p0.items()}
    rows = list(scaling_rows(kept_items(values, p0=p0), entries()))
    (raw,), (matched,) = of_kind(rows, "size_slope"), of_kind(rows, "size_slope_matched")
    assert raw["ci_high"] < -0.05
    assert matched["ci_low"] < 0 < matched["ci_high"]
    assert 0.5 < matched["support"] <= 1


def test_without_answers_without_a_chain_only_what_is_measured_has_a_slope():
    rows = list(scaling_rows(kept_items(alike(a=0.8, b=0.7, c=0.6, d=0.5)), entries()))
    assert of_kind(rows, "size_slope")[0]["value"] == pytest.approx(-0.1)
    (matched,) = of_kind(rows, "size_slope_matched")
    assert (matched.get("value"), matched["interval"]) == (None, "no_answers_without_a_chain")
    assert of_kind(rows, "size_value_matched") == []


def test_skill_that_a_size_does_not_reach_is_left_out_for_all():
    """Half of the items are beyond the largest model's skill: there the others differ, and it does not count."""
    easy, hard = [0.9] * 20, [0.1] * 20
    values = {name: {AOC: [0.5] * 20 + [level] * 20} for name, level in zip("abcd", (0.9, 0.6, 0.3, 0.5), strict=True)}
    p0 = dict.fromkeys("abc", easy + hard) | {"d": [0.9] * 40}
    rows = list(scaling_rows(kept_items(values, p0=p0), entries()))
    (matched,) = of_kind(rows, "size_slope_matched")
    assert matched["value"] == pytest.approx(0)
    assert matched["support"] == pytest.approx(100 / 160)
    assert matched["n_items"] == 40  # the largest model's skill is alike on all of them
    assert [row["value"] for row in of_kind(rows, "size_value_matched")] == pytest.approx([0.5] * 4)


# Equal performance.


def at_loss(values=VALUES, **changes):
    told = {name: one for name, one in (TRAINED | changes).items() if one is not None}
    kept = kept_items(alike(**{name: value for name, value in values.items() if name in told}))
    return of_kind(list(scaling_rows(kept, entries({}, **told))), "iso_performance")


def test_sizes_are_compared_at_equal_loss():
    """Common losses: 2 to 3. Big: .4 at 2, .2 at 3. Small: .5 at 2, .3 at 3, on the line to .1 at 4."""
    rows = at_loss()
    assert [row["at"] for row in rows] == [2.25, 2.5, 2.75]
    assert [row["value"] for row in rows] == pytest.approx([0.35 - 0.45, 0.3 - 0.4, 0.25 - 0.35])
    named = {(row["model_a"], row["model_b"], row["family"], row["n_items"]) for row in rows}
    assert named == {("big", "small", "g", 40)}
    assert all(row["ci_low"] < row["value"] < row["ci_high"] for row in rows)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"small1": None}, "one_checkpoint"),
        (
            {
                "small1": {"checkpoint_of": "small", "loss": 9.0},
                "big1": None,
                "big2": {"checkpoint_of": "big", "loss": 1.5},
            },
            "no_common_range",
        ),
        ({"small1": {"checkpoint_of": "small", "loss": 2.0}}, "no_common_range"),
    ],
)
def test_without_a_common_range_there_is_a_reason(changes, why):
    (row,) = at_loss(**changes)
    assert (row.get("value"), row["interval"]) == (None, why)


def test_two_checkpoints_with_one_loss_count_alike():
    rows = at_loss(VALUES | {"big1": 0.0}, big2={"checkpoint_of": "big", "loss": 3.0})
    assert rows[1]["at"] == 2.5
    assert rows[1]["value"] == pytest.approx((0.9 + 3 * 0.2) / 4 - 0.4)


def test_models_of_two_families_or_without_checkpoints_are_not_compared():
    assert at_loss(small=TRAINED["small"] | {"family": "h"}) == []
    assert at_loss(small1=None, big1=None, big2=None) == []


def test_the_accuracy_stands_in_for_a_loss_that_is_missing():
    accuracy = {"big1": 10, "big2": 20, "big": 30, "small1": 5, "small": 25}
    hits = {name: [1.0] * count + [0.0] * (40 - count) for name, count in accuracy.items()}
    values = {name: {AOC: [value] * 40, NO_COT: hits[name]} for name, value in VALUES.items()}
    told = TRAINED | {"big1": {"checkpoint_of": "big"}}
    rows = list(scaling_rows(kept_items(values), entries({}, **told)))
    assert of_kind(rows, "iso_performance") == []
    found = of_kind(rows, "iso_accuracy")
    assert [row["at"] for row in found] == pytest.approx([0.34375, 0.4375, 0.53125])  # of .25 to .625
    at = found[1]["at"] * 40
    assert found[1]["value"] == pytest.approx((0.2 + 0.2 * (at - 10) / 10) - (0.1 + 0.4 * (at - 5) / 20))


def test_the_error_of_the_accuracy_widens_the_interval():
    """The same accuracies as losses, which are taken as known, leave a narrower interval."""
    accuracy = {"big1": 10, "big2": 20, "big": 30, "small1": 5, "small": 25}
    rng = np.random.default_rng(7)
    hits = {name: rng.permutation([1.0] * count + [0.0] * (40 - count)) for name, count in accuracy.items()}
    values = {name: {AOC: [value] * 40, NO_COT: hits[name]} for name, value in VALUES.items()}
    bare = {name: {key: one for key, one in told.items() if key != "loss"} for name, told in TRAINED.items()}
    known = {name: told | {"loss": accuracy[name] / 40} for name, told in bare.items()}
    (estimated, exact) = (
        of_kind(list(scaling_rows(kept_items(values), entries({}, **told))), kind)[1]
        for told, kind in ((bare, "iso_accuracy"), (known, "iso_performance"))
    )
    assert estimated["value"] == pytest.approx(exact["value"])
    assert estimated["ci_high"] - estimated["ci_low"] > 1.2 * (exact["ci_high"] - exact["ci_low"])


# The plane.


def plane_of(points, **more):
    return list(scaling_rows(pl.concat(tasks(points, **more)), []))


def test_a_line_is_fitted_through_the_tasks():
    rows = plane_of([(0.2, 0.8), (0.4, 0.65), (0.6, 0.55), (0.8, 0.4)])
    (slope,), (at,) = of_kind(rows, "plane_slope"), of_kind(rows, "plane_at")
    assert slope["value"] == pytest.approx(-0.65)
    assert slope["ci_low"] < -0.65 < slope["ci_high"]
    assert (slope["task"], slope["model_a"], slope["n_items"], slope["interval"]) == (None, "m", 400, "t")
    assert (at["at"], at["value"]) == (pytest.approx(0.5), pytest.approx(0.6))
    without = of_kind(rows, "plane_slope_without")
    assert [row["task"] for row in without] == ["t0", "t1", "t2", "t3"]
    assert without[0]["value"] == pytest.approx(np.polyfit([0.4, 0.6, 0.8], [0.65, 0.55, 0.4], 1)[0])


def test_tasks_on_one_line_still_have_the_error_of_their_items():
    few, many = (of_kind(plane_of([(0.2, 0.8), (0.5, 0.5), (0.8, 0.2)], n=n), "plane_slope")[0] for n in (20, 2000))
    assert few["value"] == pytest.approx(-1)
    assert few["ci_high"] - few["ci_low"] > 3 * (many["ci_high"] - many["ci_low"]) > 0


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ([(0.2, 0.8)], "too_few_tasks: 1 of 3"),
        ([(0.2, 0.8), (0.4, 0.6)], "too_few_tasks: 2 of 3"),
        ([(0.4, 0.8), (0.4, 0.6), (0.4, 0.7)], "performance_alike"),
    ],
)
def test_without_a_line_there_is_a_reason(points, why):
    rows = plane_of(points)
    (slope,) = of_kind(rows, "plane_slope")
    assert (slope.get("value"), slope["interval"]) == (None, why)
    assert of_kind(rows, "plane_at") == of_kind(rows, "plane_slope_without") == []


def test_the_reference_is_that_of_all_models():
    parts = tasks([(0.2, 0.8), (0.4, 0.6), (0.6, 0.4)])
    other = [part.with_columns(pl.lit("n").alias("model")) for part in tasks([(0.6, 0.8), (0.8, 0.6), (1.0, 0.4)])]
    rows = list(scaling_rows(pl.concat([*parts, *other]), []))
    found = {row["model_a"]: row for row in of_kind(rows, "plane_at")}
    assert [row["at"] for row in found.values()] == pytest.approx([0.6, 0.6])
    assert found["m"]["value"] == pytest.approx(0.4)
    assert found["n"]["value"] == pytest.approx(0.8)


def test_an_empty_run_has_no_rows():
    assert list(scaling_rows(kept_items({"a": {AOC: [0.1]}}).clear(), entries())) == []
