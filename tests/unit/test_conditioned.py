"""Models compared where they are equally skilled: by hand, in odd cases, and on a mechanism that is simulated.

The simulation takes seconds: forty pairs of models on a thousand items.
"""

import importlib
from itertools import pairwise
from math import sqrt

import numpy as np
import polars as pl
import pytest

from cotfaith.cluster.cli.comparisons_table import comparisons_table
from cotfaith.cluster.stats.conditioned.comparisons import comparisons_of
from cotfaith.cluster.stats.conditioned.pairs import MATCHED, RAW, STANDARDISED, pairs
from cotfaith.cluster.stats.metrics.conditioned import CONDITIONED, THEME, standardised_estimates
from cotfaith.cluster.stats.metrics.lib.by_item import columns
from cotfaith.cluster.stats.metrics.lib.standardised import Observed, standardised
from cotfaith.cluster.stats.metrics.lib.strata import strata
from cotfaith.cluster.stats.tally import Tally
from cotfaith.cluster.validation.model_checks import SKILL, conditioned_trend_check
from cotfaith.cluster.validation.scored import Scored
from cotfaith.schemas.tables import ESTIMATES

PLACE = {"task": "t", "strategy": "cot", "variant": "plain", "channel": ""}


def kept(**models):
    """What is kept of models: for each, (item, p0, raw reliance) of its items; reliance None: no value."""
    blank = {name: 0.0 for metric in CONDITIONED for name in columns(metric)}
    rows = []
    for model, items in models.items():
        for name, p0, value in items:
            sums = {"raw_reliance_num": value or 0.0, "raw_reliance_den": float(value is not None)}
            skill = p0 if isinstance(p0, tuple) else (p0, None if p0 is None else float(p0 > 0.5))
            about = {"model": model, "item_id": str(name), "p0": skill[0], "y0": skill[1]}
            rows.append(PLACE | about | {"difficulty": None, "n_choices": 4} | blank | sums)
    schema = {"difficulty": pl.Float64, "p0": pl.Float64, "y0": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)


def estimates(**models):
    """(model) -> its standardised raw reliance."""
    found = standardised_estimates(kept(**models))
    return {row["model"]: row for row in found if row["metric"] == "standardised_raw_reliance" and not row["method"]}


def compared(withheld=(), **models):
    """(kind) -> the comparison of raw reliance."""
    head = {"schema_version": 6, "run_id": "r", "task": "t", "strategy": "cot", "metric": "x"}
    counts = {"n_total": 1, "n_ok": 1, "n_items": 1}
    hidden = (
        pl.DataFrame(
            [head | counts | {"model": model, "channel": None, "withheld": "why"} for model in withheld]
        ).to_arrow()
        if withheld
        else ESTIMATES.empty_table()
    )
    rows = comparisons_of({THEME: kept(**models)}, hidden, "r").to_pylist()
    return {row["kind"]: row for row in rows if row["metric"] == "raw_reliance"}


def known(p0, values, start=0):
    return [(start + i, p0, value) for i, value in enumerate(values)]


# Where both do not know the answer, both rely on the chain in 3 of 4 items, where they do in 1 of 4; a knows fewer.
UNSURE, SURE = [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]
LESS = [*known(0.1, UNSURE * 3), *known(0.9, SURE, 12)]
MORE = [*known(0.1, UNSURE), *known(0.9, SURE * 3, 4)]


class TestStandardised:
    def test_models_that_differ_in_skill_alone_have_one_value(self):
        found = estimates(a=LESS, b=MORE)
        assert [row["value"] for row in found.values()] == pytest.approx([0.5, 0.5])
        assert {(row["interval"], row["n_ok"], row["n_total"]) for row in found.values()} == {("strata", 16, 16)}
        raw, fair = (compared(a=LESS, b=MORE)[kind] for kind in (RAW, STANDARDISED))
        assert (raw["value"], raw["interval"]) == (pytest.approx(0.25), "paired")
        assert (fair["value"], fair["support"], fair["n_items"]) == (pytest.approx(0, abs=1e-12), 1.0, 16)
        assert fair["ci_low"] < 0 < fair["ci_high"]
        assert fair["p_value"] > 0.9

    def test_the_weights_are_those_of_both_models_rows(self):
        """Pooled: 8 rows at .1 and 4 at .9; a is 1 and 0 there, b is .5 and .5."""
        a = [*known(0.1, [1.0] * 4), *known(0.9, [0.0] * 2, 4)]
        b = [*known(0.1, [1.0, 0.0] * 2), *known(0.9, [1.0, 0.0], 4)]
        found = estimates(a=a, b=b)
        assert (found["a"]["value"], found["b"]["value"]) == (pytest.approx(2 / 3), pytest.approx(0.5))

    def test_a_stratum_that_a_model_does_not_reach_is_dropped_for_all(self):
        a, b = known(0.1, UNSURE), [*known(0.1, UNSURE), *known(0.9, SURE, 4)]
        found, fair = estimates(a=a, b=b), compared(a=a, b=b)[STANDARDISED]
        assert (found["b"]["value"], found["b"]["n_ok"], found["b"]["n_total"]) == (0.75, 4, 8)
        assert (fair["support"], fair["n_items"]) == (pytest.approx(8 / 12), 4)

    def test_one_item_in_a_stratum_is_too_few(self):
        a, b = [*known(0.1, UNSURE), *known(0.9, [1.0], 4)], [*known(0.1, UNSURE), *known(0.9, SURE, 4)]
        assert estimates(a=a, b=b)["a"]["n_ok"] == 4

    def test_no_common_support_is_said(self):
        found = compared(a=known(0.1, UNSURE * 3), b=known(0.9, SURE * 3))
        for kind, why in ((STANDARDISED, "no_common_support"), (MATCHED, "no_matched_items")):
            row = found[kind]
            assert (row["value"], row["ci_low"], row["p_value"], row["interval"]) == (None, None, None, why)
            assert (row["n_items"], row["support"]) == (0, 0.0)
        assert found[RAW]["value"] == 0.5
        assert estimates(a=known(0.1, UNSURE), b=known(0.9, SURE))["a"]["interval"] == "no_common_support"

    def test_all_p0_alike_are_one_stratum(self):
        fair, raw = (compared(a=known(0.25, UNSURE), b=known(0.25, SURE))[kind] for kind in (STANDARDISED, RAW))
        assert (fair["value"], fair["support"]) == (0.5, 1.0)
        assert (fair["ci_low"], fair["ci_high"]) == (raw["ci_low"], raw["ci_high"])

    def test_one_model_is_compared_with_nobody(self):
        found = estimates(a=LESS)["a"]
        assert (found["value"], found["ci_low"], found["interval"]) == (None, None, "one_model")
        assert (found["n_ok"], found["n_total"]) == (0, 0)
        assert compared(a=LESS) == {}

    def test_where_answers_are_sampled_strata_are_of_right_and_wrong_ones(self):
        sampled = [(name, (None, float(p0 > 0.5)), value) for name, p0, value in MORE]
        found = compared(a=LESS, b=sampled)
        assert (found[STANDARDISED]["interval"], found[STANDARDISED]["value"]) == (
            "strata of answers",
            pytest.approx(0, abs=1e-12),
        )

    def test_an_item_of_unknown_skill_is_no_support(self):
        lost = [*LESS, *((100 + i, (None, None), 1.0) for i in range(16))]
        fair = compared(a=lost, b=MORE)[STANDARDISED]
        assert (fair["value"], fair["support"]) == (pytest.approx(0, abs=1e-12), pytest.approx(32 / 48))
        nothing = compared(a=[(i, (None, None), 1.0) for i in range(4)], b=MORE)[STANDARDISED]
        assert (nothing["value"], nothing["interval"]) == (None, "no_answers_without_a_chain")

    def test_a_metric_that_one_model_lacks_is_not_measured(self):
        found = compared(a=known(0.1, [None] * 4), b=MORE)
        assert {(row["value"], row["interval"]) for row in found.values()} == {(None, "not_measured")}

    def test_the_order_of_items_does_not_matter(self):
        assert compared(a=LESS, b=MORE) == compared(b=MORE[::-1], a=LESS[::-1])

    def test_one_item_gives_no_value(self):
        found = compared(a=known(0.1, [1.0]), b=known(0.1, [0.0]))
        assert found[STANDARDISED]["interval"] == found[RAW]["interval"] == "no_common_support"
        assert (found[MATCHED]["value"], found[MATCHED]["ci_low"], found[MATCHED]["p_value"]) == (1.0, None, None)
        assert found[MATCHED]["interval"] == "too_few_items"


def observed(values_a, values_b, shared):
    n = len(values_a)
    item_R = np.concatenate([np.arange(n), np.arange(n) + (0 if shared else n)])
    skill_R = np.tile(np.linspace(0, 1, n), 2)
    return Observed(np.repeat([0, 1], n), item_R, skill_R, np.concatenate([values_a, values_b]), np.ones(2 * n), 2)


def test_a_difference_is_paired_where_items_are_shared():
    rng = np.random.default_rng(0)
    values = (rng.random(400) < 0.5).astype(float)
    other = np.where(rng.random(400) < 0.9, values, 1 - values)  # the same on nine of ten items
    wide, narrow = (
        np.diff(standardised(observed(values, other, shared)).difference((0.0, 1.0)))[0] for shared in (False, True)
    )
    assert narrow < 0.7 * wide
    alone = sqrt(0.25 / 400)
    assert wide == pytest.approx(2 * 1.96 * sqrt(2) * alone, rel=0.1)


def test_an_interval_has_a_width_where_all_values_are_alike():
    low, high = standardised(observed(np.zeros(40), np.zeros(40), True)).difference((0.0, 1.0))
    assert -0.2 < low < 0 < high < 0.2
    assert standardised(observed(np.zeros(40), np.zeros(40), True)).ends(0, (0.0, 1.0))[0] == 0.0


def test_equal_values_are_in_one_stratum():
    found = strata(np.array([0.1] * 50 + [0.2 + i / 100 for i in range(50)]))
    assert len(set(found[:50])) == 1
    assert len(set(found[50:])) == 10
    assert found[0] not in found[50:]


class TestMatched:
    def test_only_items_of_equal_skill_count_each_once(self):
        a = [(0, 0.10, 1.0), (1, 0.50, 1.0), (2, 0.5, 1.0), (3, 0.9, 0.0)]
        b = [(0, 0.11, 0.0), (1, 0.60, 0.0), (2, 0.5, 1.0), (4, 0.9, 1.0)]
        found = compared(a=a, b=b)[MATCHED]
        assert (found["value"], found["n_items"], found["support"]) == (0.5, 2, pytest.approx(2 / 3))

    def test_models_without_common_items(self):
        found = compared(a=known(0.1, UNSURE), b=known(0.1, UNSURE, 50))
        assert (found[MATCHED]["value"], found[MATCHED]["interval"]) == (None, "no_common_items")
        assert found[STANDARDISED]["value"] == 0.0


def test_what_is_withheld_of_a_model_is_withheld_of_its_comparisons():
    found = compared(withheld=["b"], a=LESS, b=MORE)
    assert {(row["value"], row["ci_high"], row["p_value"], row["interval"]) for row in found.values()} == {
        (None, None, None, "withheld")
    }


def test_an_empty_run_has_no_comparisons():
    assert comparisons_of({}, ESTIMATES.empty_table(), "r").num_rows == 0


def test_the_terminal_shows_each_pair_with_its_reasons():
    """Methods other than the trapezoid, and kinds of other comparisons, are in the file only."""
    rows = comparisons_of({THEME: kept(a=known(0.1, UNSURE * 3), b=known(0.9, SURE * 3))}, ESTIMATES.empty_table(), "r")
    other = [row | {"kind": "size_slope", "model_b": None} for row in rows.to_pylist()]
    table = comparisons_table([*rows.to_pylist(), *other])
    cells = [list(column.cells) for column in table.columns]
    assert [column[0] for column in cells[:3]] == ["a − b", "t", "raw_reliance"]
    assert cells[3][0].startswith("+0.50\n")
    assert [column[0] for column in cells[4:]] == ["no common support", "no matched items", "0%"]
    assert table.row_count == 1
    assert comparisons_table([]).row_count == 0


class TestLevelWithSkill:
    """The check of ``validate``: organisms that rely on their chains where they do not know the answer."""

    def check(self, unsure, scored=True):
        """``unsure``: each organism's soft reliance where it does not know the answer."""
        items = {
            name: [*known(0.1, [value] * (80 - 20 * m)), *known(0.99, [0.0] * (20 + 20 * m), 80 - 20 * m)]
            for m, (name, value) in enumerate(zip(SKILL, unsure, strict=True))
        }
        soft = {f"raw_reliance_{part}": f"raw_reliance/soft_{part}" for part in ("num", "den")}
        frame = kept(**items).drop(soft.values()).rename(soft)
        total = Tally(kept={THEME: frame} if scored else {})
        return conditioned_trend_check(Scored({}, {}, {}, total), {name: name for name in SKILL})

    def test_organisms_of_equal_reliance_pass(self):
        found = self.check([0.9] * 4)
        assert (found.result, found.value) == ("passed", pytest.approx(0, abs=1e-12))
        assert found.note.startswith("reliance at skill 0, .25, .5, .75: 0.45, 0.45, 0.45, 0.45; 100%")

    def test_a_trend_fails(self):
        assert self.check([0.9, 0.7, 0.5, 0.3]).result == "failed"

    def test_without_answers_without_a_chain_it_is_not_measured(self):
        assert self.check([0.9] * 4, scored=False).result == "not measured"


class TestConfound:
    """``benchmarks/confound.py`` at a size that takes seconds."""

    N = 40
    MOST = 0.05 + 4 * sqrt(0.05 * 0.95 / N)

    @pytest.fixture
    def confound(self, repo, monkeypatch):
        monkeypatch.syspath_prepend(repo / "benchmarks")
        return importlib.import_module("confound")

    def shares(self, confound, case, metrics):
        found = confound.rejected(confound.CASES[case], 1000, self.N, metrics=metrics)
        return {key: count / self.N for key, count in found.items()}

    def test_skill_alone_moves_raw_figures_only(self, confound):
        metrics = ("raw_reliance", "aoc/soft")
        found = self.shares(confound, "equally faithful: other skill", metrics)
        for metric in metrics:
            assert found[metric, RAW] > 0.9
            assert found.get((metric, STANDARDISED), 0) <= self.MOST
            assert found.get((metric, MATCHED), 0) <= self.MOST

    def test_faithfulness_moves_standardised_figures_too(self, confound):
        found = self.shares(confound, "faithful on 50% and 60%: other skill", ("mistakes_aoc",))
        assert found["mistakes_aoc", STANDARDISED] > 0.8

    def test_accuracy_with_a_chain_moves_reliance_but_not_what_mistakes_change(self, confound):
        case = "equally faithful: other accuracy with a chain"
        found = self.shares(confound, case, ("raw_reliance", "mistakes_aoc"))
        assert found["raw_reliance", STANDARDISED] > 0.8
        assert found.get(("mistakes_aoc", STANDARDISED), 0) <= self.MOST


def test_of_many_models_each_is_compared_with_the_next_in_skill():
    skill = {f"m{at}": 0.05 + 0.1 * (at * 4 % 9) for at in range(9)}
    rows = [{"model": name, "p0": value, "y0": None} for name, value in skill.items()]
    items = pl.DataFrame(rows, schema={"model": pl.String, "p0": pl.Float64, "y0": pl.Float64})
    by_skill = sorted(skill, key=skill.__getitem__)
    expected = {frozenset(two) for two in pairwise(by_skill)}
    assert len(pairs(items)) == 8
    assert {frozenset(two) for two in pairs(items)} == expected
    assert pairs(items) == sorted(pairs(items))
    few = items.filter(pl.col("model") != "m8")
    assert len(pairs(few)) == 28
    assert all(a < b for a, b in [*pairs(few), *pairs(items)])
