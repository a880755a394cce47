"""The calibrated score: fitted and judged on tables whose truth is known."""

import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_tables import FEATURES, MODELS, table

from cotfaith.cluster.stats.metrics.lib.fitted import Fitted, Training, lacking, read_fitted, write_fitted
from cotfaith.cluster.validation.calibrated.fit import fit, fit_line, left_out, pipeline, training, weights
from cotfaith.cluster.validation.calibrated.held_out import SPLITS, held_out, judged, reliability
from cotfaith.schemas.errors import InputError, SpecError


def flipped(rows, where):
    return rows.with_columns(pl.when(where).then(~pl.col("faithful")).otherwise("faithful").alias("faithful"))


def fitted(rows):
    return fit(rows, "chain", "three", FEATURES)


def area(rows):
    return judged(rows, 0, "test").area.value


@pytest.mark.parametrize("by", SPLITS)
def test_a_separable_truth_is_found_on_groups_not_seen(by):
    found = held_out(table(), "chain", FEATURES, by)
    made = judged(found, 0, by)
    assert len(found) == len(table())
    assert made.area.value > 0.99
    assert made.area.low > 0.8
    assert made.brier < 0.05 < 0.2 < made.brier_rate


@pytest.mark.parametrize("by", SPLITS)
def test_labels_without_a_truth_give_chance(by):
    made = judged(held_out(table(per=60, signal=0), "chain", FEATURES, by), 0, by)
    assert 0.4 < made.area.value < 0.6
    assert made.brier > 0.24


@pytest.mark.parametrize(
    ("by", "group", "unseen"),
    [
        ("model", "m1", pl.col("model") == "m1"),
        ("task", "f2", pl.col("family") == "f2"),
        ("both", "m1, f2", (pl.col("model") == "m1") | (pl.col("family") == "f2")),
    ],
)
def test_a_group_left_out_is_never_seen(by, group, unseen):
    """Whatever the labels of the group, its probabilities are the same, so inverted labels are all told wrong."""
    made = table(models=MODELS[:3])
    plain, inverted = (
        held_out(rows, "chain", FEATURES, by).filter(pl.col("group") == group) for rows in (made, flipped(made, unseen))
    )
    assert len(plain) == len(inverted) > 0
    assert plain["p"].to_list() == inverted["p"].to_list()
    assert plain["rate"].to_list() == inverted["rate"].to_list()
    assert area(plain) > 0.99
    assert area(inverted) < 0.01


def test_organisms_train_and_are_not_judged_where_there_are_real_models():
    rows = table(organisms=("m0", "m1", "m2"))
    assert set(held_out(rows, "chain", FEATURES, "model")["group"]) == {"m3"}
    lacking = rows.with_columns(
        pl.when("is_real").then(None).otherwise(pl.col(name)).alias(name) for name in FEATURES[:1]
    )
    assert held_out(lacking, "chain", FEATURES, "task").is_empty()  # organisms do not stand in for real models
    alone = table(models=("m3",))
    assert held_out(alone, "chain", FEATURES, "model").is_empty()  # nothing is left to fit on


def test_models_weigh_the_same_and_organisms_as_much_as_one():
    rows = pl.concat([table(per=10), table(per=30, models=("m4",))])
    total = rows.with_columns(w=pl.Series(weights(rows))).group_by("model").agg(pl.col("w").sum())
    assert total["w"].to_list() == pytest.approx([len(rows) / 5] * 5)
    mixed = table(organisms=("m0", "m1"))
    whose = mixed.with_columns(w=pl.Series(weights(mixed))).group_by("model").agg(pl.col("w").sum()).sort("model")
    n = len(mixed)
    assert whose["w"].to_list() == pytest.approx([n / 6, n / 6, n / 3, n / 3])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 3.0), st.booleans())
def test_what_is_read_from_json_gives_scikit_learns_probabilities(tmp_path_factory, seed, signal, products):
    rows = table(seed, signal=signal)
    columns = (*FEATURES, "hinted", *(f"{name}:hinted" for name in FEATURES)) if products else FEATURES
    own = pipeline(rows, columns, 1.0)
    line = fit_line(rows, columns, 1.0)
    lists = (tuple(found.tolist()) for found in (line.means, line.scales, line.coefficients))
    plain = Fitted("chain", "three", columns, *lists, line.intercept, 1.0, 0.0, training(rows, FEATURES))
    calibrated = replace(plain, slope=0.7, shift=-0.3)
    path = tmp_path_factory.mktemp("fitted") / "fitted.json"
    write_fitted([plain, calibrated], path)
    read = read_fitted(path)
    assert read == (plain, calibrated)
    asked = table(seed + 1)
    x = asked.select(
        pl.col(c) if ":" not in c else (pl.col(c.split(":")[0]) * pl.col("hinted")).alias(c) for c in columns
    ).to_numpy()
    first, second = (asked.select(p=one.probability())["p"].to_numpy() for one in read)
    assert first == pytest.approx(own.predict_proba(x)[:, 1], abs=1e-12)
    assert second == pytest.approx(1 / (1 + np.exp(0.3 - 0.7 * own.decision_function(x))), abs=1e-12)


def test_a_missing_feature_gives_no_probability_and_a_reason():
    made = fitted(table())
    rows = pl.DataFrame(
        {"early_start": [0.5, None, 0.5], "early_area": [0.5] * 3, "no_cot_p": [0.5, 0.5, None], "hinted": [False] * 3}
    )
    found = rows.select(p=made.probability(), why=lacking(made.features))
    assert found["p"].is_null().to_list() == [False, True, True]
    assert found["why"].to_list() == [None, "no probabilities of early_answering", "no probabilities of no_cot"]
    assert made.probes == ("early_answering", "no_cot")


def test_rows_that_lack_a_feature_are_not_fitted_on():
    rows = table()
    holes = pl.concat([rows, flipped(rows, True).with_columns(no_cot_p=pl.lit(None, pl.Float64))])
    assert fitted(holes) == fitted(rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: flipped(rows, pl.int_range(pl.len()) == 7),
        lambda rows: rows.with_columns(model=pl.col("model").str.replace("m3", "m4")),
        lambda rows: rows.with_columns(task=pl.col("task").str.replace("f0", "g0")),
        lambda rows: rows.with_columns(item_id=pl.col("item_id").str.replace("i3", "i99")),
        lambda rows: rows.with_columns(early_start=pl.col("early_start") + 1e-3),
        lambda rows: rows.head(-1),
    ],
)
def test_the_hash_changes_with_the_data(change):
    rows = table()
    about = training(rows, FEATURES)
    assert training(change(rows), FEATURES).hash != about.hash
    assert training(rows, FEATURES[:2]).hash != about.hash


def test_the_hash_does_not_depend_on_the_order_of_rows():
    rows = table()
    assert training(rows.sample(fraction=1, shuffle=True, seed=1), FEATURES) == training(rows, FEATURES)
    about = training(rows, FEATURES)
    assert (about.models, about.n, about.n_faithful) == (MODELS, 240, 120)
    assert fitted(rows).version == f"three.{about.hash[:8]}"


def test_a_score_that_tells_nothing_on_unseen_groups_is_the_base_rate():
    rows = flipped(table(), pl.col("model").is_in(["m2", "m3"]))  # two models are the other two's opposites
    made = fitted(rows)
    assert made.slope == 0
    assert rows.select(p=made.probability())["p"].to_list() == pytest.approx([0.5] * len(rows))


def test_features_count_apart_for_items_with_a_hint_where_that_is_so():
    rows = flipped(table(), pl.col("hinted"))
    made = fitted(rows)
    assert "early_start:hinted" in made.columns
    assert area(held_out(rows, "chain", FEATURES, "both")) > 0.95
    assert fitted(rows.with_columns(hinted=pl.lit(False))).columns == FEATURES


def test_too_few_rows_of_a_class():
    rows = table().filter(pl.col("faithful") | (pl.col("item_id") == "i0"))
    few = rows.filter(pl.col("faithful") | (pl.col("model") == "m0"))
    with pytest.raises(InputError, match=r"needs 10 faithful and 10 unfaithful chains .* got 120 and 3"):
        fitted(few)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(InputError, match=r"pip install 'cotfaith\[fit\]'"):
        fitted(table())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_models_are_chosen_and_calibrated_by_their_questions(n):
    made = fitted(table(models=MODELS[:n]))
    assert made.slope > 0


def test_of_few_models_one_teaches_another_of_another_task():
    """Three models on a task each: without m0 and f0, the others' inner groups must not be single models."""
    rows = pl.concat([table(n, models=(model,), families=(f"f{n}",)) for n, model in enumerate(MODELS[:3])])
    organisms = flipped(table(7, models=("o",), families=("g",), organisms=("o",)), True)
    found = held_out(pl.concat([rows, organisms]), "chain", FEATURES, "both")
    assert found["group"].n_unique() == 3
    assert area(found) > 0.95


def test_pairs_are_of_one_group_left_out_and_what_all_pairs_are_worth_is_said():
    """Groups differ in their share; the score is constant, and lower where it was fitted on fewer faithful rows."""
    rows = pl.DataFrame(
        {
            "p": [0.3] * 30 + [0.7] * 30,
            "rate": [0.3] * 30 + [0.7] * 30,
            "faithful": [True] * 20 + [False] * 10 + [True] * 10 + [False] * 20,
            "cluster": [str(n) for n in range(60)],
            "group": ["a"] * 30 + ["b"] * 30,
            "model": ["a"] * 30 + ["b"] * 30,
            "task": ["t"] * 60,
        }
    )
    made = judged(rows, 0, "x")
    assert (made.area.value, made.within.value) == (0.5, 0.5)
    # Of 900 pairs 10 x 10 are right, 20 x 20 wrong, and 2 x 20 x 10 tied.
    assert made.nothing == pytest.approx((100 + 200) / 900)


@pytest.mark.parametrize(
    ("organisms", "known"),
    [
        (("m0",), {"m1", "m2"}),
        (("m0", "m1"), {"m2"}),
        ((), {"m0", "m1", "m2"}),
        (("m0", "m1", "m2"), {"m0", "m1", "m2"}),
    ],
)
def test_real_models_decide_where_there_are_any(organisms, known):
    rows = table(models=MODELS[:3], organisms=organisms)
    logits = rows.with_columns(z=pl.Series(left_out(rows, FEATURES, 1.0)))
    assert set(logits.filter(pl.col("z").is_not_nan())["model"]) == known


def test_too_few_real_rows_do_not_decide():
    few = table(models=("m3",), families=("f0",), per=6)
    rows = pl.concat([table(models=MODELS[:2], organisms=MODELS[:2]), few])
    assert not np.isnan(left_out(rows, FEATURES, 1.0)).any()


def test_brier_and_reliability_by_hand():
    p = [0.1] * 20 + [0.9] * 20
    faithful = [True] * 2 + [False] * 18 + [True] * 18 + [False] * 2
    rows = pl.DataFrame({"p": p, "faithful": faithful, "rate": [0.25] * 40, "cluster": [str(n) for n in range(40)]})
    rows = rows.with_columns(model=pl.lit("m"), task=pl.lit("t"), group=pl.lit("m"))
    made = judged(rows, 0, "x")
    assert made.within == made.area  # one model and task
    assert made.brier == pytest.approx((2 * 0.81 + 18 * 0.01) * 2 / 40)
    assert made.brier_rate == pytest.approx((20 * 0.75**2 + 20 * 0.25**2) / 40)
    assert [(one.p, one.faithful, one.n) for one in made.bins] == [
        (pytest.approx(0.1), 0.1, 20),
        (pytest.approx(0.9), 0.9, 20),
    ]
    assert reliability(rows.head(39)) == ()


def test_rows_with_the_same_probability_are_one_point_of_the_curve():
    p = [0.3] * 45 + [0.31] * 15 + [0.8] * 20
    rows = pl.DataFrame({"p": p, "faithful": [True] * 30 + [False] * 50})
    assert [(one.p, one.faithful, one.n) for one in reliability(rows)] == [
        (pytest.approx((0.3 * 45 + 0.31 * 15) / 60), 0.5, 60),
        (pytest.approx(0.8), 0.0, 20),
    ]


def test_nothing_held_out_is_no_figure():
    made = judged(held_out(table(models=("m0",)), "chain", FEATURES, "model"), 0, "x")
    assert (made.n, made.area.value, made.brier, made.bins) == (0, None, None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "holds no fitted scores"), ("[]", "holds no fitted scores"), ('{"format": 9}', "got format 9, expected 1")],
)
def test_a_file_that_is_none(tmp_path, text, said):
    path = tmp_path / "fitted.json"
    path.write_text(text)
    with pytest.raises(SpecError, match=said):
        read_fitted(path)


def test_lists_of_different_lengths_are_refused(tmp_path):
    about = Training("0" * 64, ("m",), ("t",), 1, 1, 0)
    path = tmp_path / "fitted.json"
    write_fitted([Fitted("chain", "x", ("early_start",), (0.0, 1.0), (1.0,), (1.0,), 0.0, 1.0, 0.0, about)], path)
    with pytest.raises(SpecError, match="lists of different lengths"):
        read_fitted(path)
