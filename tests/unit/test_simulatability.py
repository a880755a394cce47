"""Simulatability: precision, covered share, the baseline without the chain and the gains. Every value by hand."""

import pytest
from estimate_rows import estimate
from scores_by_hand import FAILED, ITEM, chain, rows

from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.stats.metrics import METRICS

HEAD = {"chain_index": 0, "variant": "plain"}
LOST = {"status": "unparsed", "answer": None, "label": None}


def asked(item, which, answer="A", **more):
    """A counterfactual question with the subject's answer; None: it failed."""
    row = {"probe": "counterfactual", "arm": str(which), "rollout": which, "item_id": item, "answer": answer} | HEAD
    return row | (FAILED if answer is None else {}) | more


def read(item, which, with_chain, alone, answer="A", reader="obs"):
    """What an observer says of a question: "r" infers rightly, "w" wrongly, "n" cannot tell, "-" failed."""
    sides = {"chain": with_chain, "question": alone}
    return [_row(item, which, seen, said, answer, reader) for seen, said in sides.items()]


def _row(item, which, seen, said, answer, reader):
    about = {"probe": "simulated", "arm": f"{seen} {which}", "condition": seen, "rollout": which, "item_id": item}
    row = about | HEAD | {"reader": reader, "reader_role": "observer", "question": "?", "correct": None}
    said = {
        "r": {"label": True, "answer": answer, "same_answer": True},
        "w": {"label": True, "answer": "B", "same_answer": False},
        "n": {"label": False, "answer": None, "same_answer": None},
        "-": LOST | {"same_answer": None},
    }[said]
    return row | said


def table(*found):
    flat = [row for one in found for row in (one if isinstance(one, list) else [one])]
    items = sorted({row["item_id"] for row in flat})
    chains = [chain(answer="A", correct=True) | {"item_id": item} for item in items]
    given = rows(chains, flat, [ITEM | {"item_id": item} for item in items])
    made = aggregate(given.items, given.chains, given.observations, "r", 0).to_pylist()
    return {(row["metric"], row["method"]): row for row in made}


def values(made, metric, *methods):
    return [made[f"simulated_{metric}", f"obs.{method}" if method else "obs"]["value"] for method in methods]


def four(*said):
    """Four items, a question each; ``said``: what the observer says with and without the chain."""
    return [row for i, one in enumerate(said) for row in [asked(f"i{i}", 0), *read(f"i{i}", 0, *one)]]


def test_precision_is_over_what_was_inferred_and_the_gain_over_all():
    made = table(four("rn", "rr", "wn", "nw"))
    assert values(made, "covered", "chain", "question") == [3 / 4, 2 / 4]
    assert values(made, "precision", "chain", "question") == [pytest.approx(2 / 3), 1 / 2]
    assert values(made, "gain", "") == [(1 + 0 + 0 + 0) / 4]
    assert values(made, "precision_gain", "") == [0.0], "of the second item alone, inferred both times"
    row = made["simulated_precision", "obs.chain"]
    assert (row["n_total"], row["n_ok"], row["n_arms"], row["n_arms_ok"]) == (4, 4, 3, 3)
    assert row["ci_low"] < 2 / 3 < row["ci_high"] <= 1


def test_a_chain_that_misleads_has_a_negative_gain():
    made = table(four(*["wr", "wr", "wr", "rr"] * 10))
    assert values(made, "gain", "") == [-3 / 4] == values(made, "precision_gain", "")
    assert made["simulated_gain", "obs"]["ci_high"] < 0


def test_without_anything_inferred_precision_is_undefined_and_says_why():
    made = table(four("nn", "nr", "nn", "nn"))
    row = made["simulated_precision", "obs.chain"]
    assert (row["value"], row["ci_low"], row["interval"], row["n_total"]) == (None, None, "nothing_inferred", 4)
    twice = made["simulated_precision_gain", "obs"]
    assert (twice["value"], twice["interval"]) == (None, "nothing_inferred_twice")
    assert values(made, "covered", "chain") == [0.0]
    assert values(made, "gain", "") == [-1 / 4]


def test_an_observer_that_fails_has_no_value_and_never_no():
    made = table(four("-n", "rn", "n-", "--"))
    for metric, method, value, ok in (
        ("covered", "obs.chain", 1 / 2, 2),
        ("covered", "obs.question", 0.0, 2),
        ("precision", "obs.chain", 1.0, 2),
        ("gain", "obs", 1.0, 1),
    ):
        row = made[f"simulated_{metric}", method]
        assert (row["value"], row["n_ok"], row["n_total"]) == (value, ok, 4), metric
    covered = made["simulated_covered", "obs.chain"]
    assert (covered["least"], covered["most"]) == (1 / 4, 3 / 4)
    lost = table(four("--", "--"))["simulated_precision", "obs.chain"]
    assert (lost["value"], lost["interval"]) == (None, "too_few_items"), "the rows failed: nobody knows what it infers"


def test_the_subjects_answers_are_those_of_the_questions():
    """An answer that is another one by now, or failed, has no prediction, whatever the observer's row says."""
    made = table(asked("a", 0, "B"), read("a", 0, "r", "n"), asked("b", 0, None), read("b", 0, "r", "n"), four("rn"))
    assert made["simulated_precision", "obs.chain"]["value"] == 1.0
    assert made["simulated_precision", "obs.chain"]["n_ok"] == 1
    assert made["simulated_gain", "obs"]["n_ok"] == 1


def test_questions_of_one_item_count_as_one_item():
    one = [row for i in range(4) for row in [asked("a", i), *read("a", i, "r", "n")]]
    other = [asked("b", 0), *read("b", 0, "w", "n")]
    row = table(one, other)["simulated_precision", "obs.chain"]
    assert (row["value"], row["n_ok"], row["n_items"]) == (4 / 5, 5, 2)


def test_observers_are_told_apart():
    made = table(four("rn", "rn"), read("i0", 0, "n", "n", reader="x.y"), read("i1", 0, "w", "n", reader="x.y"))
    assert made["simulated_precision", "obs.chain"]["value"] == 1.0
    assert made["simulated_precision", "x.y.chain"]["value"] == 0.0
    assert made["simulated_covered", "x.y.chain"]["value"] == 1 / 2


def test_how_often_the_answer_changes():
    made = table(asked("a", 0, "A"), asked("a", 1, "B"), asked("b", 0, None), read("a", 0, "r", "n"))
    row = made["counterfactual_changed", None]
    assert (row["value"], row["n_ok"], row["n_total"]) == (1 / 2, 2, 3)


def headlines(**found):
    return {f"simulated_{name}": estimate(f"simulated_{name}", **row) for name, row in found.items()}


def test_the_sentence_says_both_and_the_gain():
    rows_ = [
        estimate("simulated_covered", method="obs.chain", value=0.9),
        estimate("simulated_precision", method="obs.chain", value=0.8, ci_low=0.7, ci_high=0.9),
        estimate("simulated_covered", method="obs.question", value=0.5),
        estimate("simulated_precision", method="obs.question", value=None),
        estimate("simulated_gain", method="obs", value=0.3, ci_low=0.1, ci_high=0.5),
    ]
    said = METRICS["simulated"].words.sentence({f"{row.metric}/{row.method}": row for row in rows_})
    assert said == (
        "From its chains, obs infers 90% (80% [70% to 90%] of them rightly) of its answers to other questions. From "
        "the question alone, 50%. The chain adds +30 points [10 to 50]."
    )
    assert METRICS["simulated"].words.sentence({}) == ""


def test_remarks_say_what_was_asked_and_predicted():
    found = [
        dict.fromkeys(("question", "answer", "label", "status", "condition", "reader"), None) | row
        for row in (read("a", 0, "r", "n") + read("a", 1, "-", "n"))
    ]
    found = [row | {"status": row["status"] or "ok"} for row in found]
    remarks = METRICS["simulated"].words.remarks({}, found)
    assert [one.outcome for one in remarks] == ["A", "no", "unparsed", "no"]
    assert [one.what for one in remarks] == [
        "obs infers from the chain, rightly: ?",
        "obs cannot tell from the question alone: ?",
        "obs fails on the chain: ?",
        "obs cannot tell from the question alone: ?",
    ]
