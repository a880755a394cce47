"""Items that stand for several alike ones: sums are those of as many items."""

import numpy as np
import polars as pl
import pytest

from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.tally import Crosses
from cotfaith.schemas.tables import table_of

KEY = {"schema_version": 5, "run_id": "r", "model": "m", "task": "t"}
CHAIN = {"strategy": "cot", "chain_index": 0, "step_unit": "sentence", "answer_status": "ok", "variant": "plain"}
COUNTS = {"a": 13, "b": 1, "c": 5, "d": None, "e": 0}
HINTED = {"a": "B", "b": "A", "c": "B", "d": "C", "e": "B"}
"""The answer of each item under a hint that pushes towards B; those that follow it say so if the item is ``a``."""
ANSWERS = {"a": (True, False), "b": (True, True), "c": (None, False), "d": (False, True), "e": (True, True)}
"""Whether each chain of an item is right; null: it failed."""


def item(name, weight=None):
    return KEY | {"item_id": name, "answer_format": "choice", "gold": "A", "difficulty": 1.0, "weight": weight}


def chain(name, index, right):
    answer = {"status": "unparsed"} if right is None else {"status": "ok", "answer": "A", "correct": right}
    return KEY | CHAIN | {"item_id": name, "chain_index": index} | answer


def hinted(name, original, variant="h.wrong"):
    answer = {"answer": HINTED[original], "correct": HINTED[original] == "A", "variant": variant, "intervention": "h"}
    return KEY | CHAIN | answer | {"item_id": name, "status": "ok", "target": "B" if variant == "h.wrong" else None}


def label(name, original):
    about = {"probe": "verbalises", "arm": "relied", "question": "relied", "reader": "j", "reader_role": "judge"}
    said = {"label": original == "a", "status": "ok", "chain_index": 0, "strategy": "cot", "variant": "h.wrong"}
    return KEY | about | said | {"item_id": name, "reference_answer": HINTED[original]}


def estimates(items, chains, observations=()):
    tables = (("items", items), ("chains", chains), ("observations", observations))
    found = aggregate(*(pl.from_arrow(table_of(name, rows)) for name, rows in tables), "r", 0).to_pylist()
    return {(row["variant"], row["metric"], row["method"], row["position"]): row for row in found}


def all_chains(name, original):
    plain = [chain(name, i, right) for i, right in enumerate(ANSWERS[original])]
    return [*plain, hinted(name, original), hinted(name, original, "h.neutral")]


@pytest.fixture(scope="module")
def both():
    """Estimates of weighted items, and those of as many items of their own."""
    weighted = estimates(
        [item(name, count) for name, count in COUNTS.items()],
        [row for name in COUNTS for row in all_chains(name, name)],
        [label(name, name) for name in COUNTS],
    )
    copies = [(f"{name}{copy}", name) for name, n in COUNTS.items() for copy in range(1 if n is None else n)]
    single = estimates(
        [item(copy) for copy, _ in copies],
        [row for copy in copies for row in all_chains(*copy)],
        [label(*copy) for copy in copies],
    )
    return weighted, single


def test_a_weight_is_as_many_items(both):
    weighted, single = both
    assert weighted.keys() == single.keys()
    for key, row in single.items():
        for name, value in row.items():
            if isinstance(value, float):
                assert weighted[key][name] == pytest.approx(value, rel=1e-12), (key, name)
            elif name != "interval":
                assert weighted[key][name] == value, (key, name)


def test_functions_of_several_sums_are_weighted_too(both):
    """Two plain chains of each of 13 items moved to the hint, which says so, and one of each of 5, which does not."""
    names = {name for _, name, *_ in both[0]}
    assert {"hint_faithfulness", "hint_alpha", "silent_influence", "hint_faithfulness_smallest"} <= names
    found = both[0]["h.wrong", "hint_verbalised", "j.relied", None]
    assert found["value"] == pytest.approx(26 / 31)
    assert found["interval"].endswith(", independent trials assumed")


def test_the_right_values(both):
    found = both[0]["plain", "accuracy_cot", None, None]
    assert (found["n_total"], found["n_ok"], found["n_items"]) == (40, 35, 20)
    assert found["value"] == pytest.approx((13 * 1 + 1 * 2 + 5 * 0 + 1 * 1) / 35)
    assert (found["least"], found["most"]) == pytest.approx((16 / 40, 21 / 40))


def test_the_interval_says_what_is_assumed(both):
    weighted, single = both
    assert weighted["plain", "accuracy_cot", None, None]["interval"] == "linearised, independent trials assumed"
    assert single["plain", "accuracy_cot", None, None]["interval"] == "linearised"


def test_weights_of_one_assume_nothing():
    found = estimates([item("a", 1), item("b", 1)], [chain("a", 0, True), chain("b", 0, False)])
    assert found["plain", "accuracy_cot", None, None]["interval"] == "linearised"


def test_cross_products_of_a_curve():
    num, den = np.array([[1.0, 0.0], [2.0, 3.0]]), np.array([[1.0, 1.0], [2.0, 4.0]])
    three, repeated = (
        Crosses.of((0.0, 1.0), num, den).times(3),
        Crosses.of((0.0, 1.0), *(np.repeat(m, 3, axis=0) for m in (num, den))),
    )
    assert three.n_items == repeated.n_items == 6
    for name in ("both", "num2", "cross", "den2"):
        assert (getattr(three, name) == getattr(repeated, name)).all(), name
