"""Counts of where answers move: pairs of chains by hand, their matrices, and what is said of them."""

import polars as pl
import pytest
from estimate_rows import estimate
from scores_by_hand import rows
from variants_by_hand import CORRECT, NEUTRAL, WRONG, all_answered, item, read

from cotfaith.cluster.report.interventions import of_tasks
from cotfaith.cluster.report.matrices import moved_in, switch_matrix
from cotfaith.cluster.report.moves import (
    COUNTS,
    GOLD,
    NONE,
    OTHER,
    SAME,
    TARGET,
    added,
    counted,
    pairs_of_chains,
    readings,
)
from cotfaith.cluster.report.told import floors_told, told
from cotfaith.cluster.stats.aggregate import aggregate


def counts(answers, read=(), items=None, **more):
    found = rows(all_answered(answers), list(read), items or [item(name, **more) for name in answers])
    pairs = pairs_of_chains(found.items, found.chains)
    return counted(pairs, readings(found.chains, found.observations))


def matrix(found):
    one = switch_matrix("m", found.to_dicts())
    cells = {(line, column): cell for line, own in one.lines for column, cell in zip(one.columns, own, strict=True)}
    return one, {place: cell.moved.n for place, cell in cells.items()}, cells


def test_every_pair_of_chains_counts_and_failed_ones_too():
    found = counts(
        {"i": {"plain": "AC-", WRONG: "BB-"}, "j": {"plain": "B", WRONG: "A"}},
        read("i", WRONG, "yn ") + read("i", WRONG, "y", reader="another"),
    )
    moved = moved_in(found.to_dicts())
    assert (moved.n, moved.failed, moved.eligible, moved.to_target) == (10, 5, 4, 4)
    # two plain chains moved to each of both chains: "rules" read both, "another" the first
    assert [moved.read("rules", "present", label) for label in (True, False)] == [2, 2]
    assert [moved.read("another", "present", label) for label in (True, False)] == [2, 0]
    assert found["most"].max() == 9
    one, cells, _ = matrix(found)
    assert (one.target, one.reader) == ("B", "rules")
    assert cells["A", "B"] == cells["C", "B"] == 2
    assert (cells["A", NONE], cells[NONE, "B"], cells[NONE, NONE], cells["B", "A"]) == (1, 2, 1, 1)
    assert sum(cells.values()) == 10


def test_moves_are_those_of_the_estimates():
    answers = {
        f"i{n}": {"plain": "ABC-"[n % 4], NEUTRAL: "A", WRONG: "BBA-"[n % 3], CORRECT: "AC"[n % 2]} for n in range(24)
    }
    readings_ = [row for name in answers for row in read(name, WRONG, "yn"[int(name[1:]) % 2])]
    found = counts(answers, readings_)
    made = rows(all_answered(answers), readings_, [item(name) for name in answers])
    known = aggregate(made.items, made.chains, made.observations, "r", 0).to_pylist()
    rates = {row["variant"]: row for row in known if (row["metric"], row["method"]) == ("switch_to_target", "cot")}
    for variant in (WRONG, CORRECT):
        own = moved_in(found.filter(pl.col("variant") == variant).to_dicts())
        p, n_ok = rates[variant]["value"], rates[variant]["n_ok"]
        assert (own.to_target / own.eligible, own.eligible) == (pytest.approx(p), n_ok)
        assert own.to_target > 0
    (raw,) = (row for row in known if row["metric"] == "hint_verbalised")
    own = moved_in(found.filter(pl.col("variant") == WRONG).to_dicts())
    assert raw["value"] == pytest.approx(own.read("rules", "present", True) / own.to_target)


def test_counts_of_parts_add_up_and_plain_runs_have_none():
    first, second = {"i": {"plain": "A", WRONG: "B"}}, {"j": {"plain": "AA", WRONG: "B"}}
    assert added([counts(first), counts(second)]).equals(counts(first | second))
    none = counts({"i": {"plain": "A"}})
    assert none.is_empty()
    assert none.schema == pl.Schema(COUNTS)


def test_coded_columns_give_the_same():
    answers, said = {"i": {"plain": "A", WRONG: "B"}, "j": {"plain": "AC", WRONG: "BA"}}, read("i", WRONG, "y")
    found = rows(all_answered(answers), said, [item(name) for name in answers])
    text = ("model", "task", "strategy", "variant", "item_id", "answer", "target", "reader", "question")
    coded = [
        table.with_columns(pl.col(name).cast(pl.Categorical) for name in text if name in table.columns)
        for table in (found.items, found.chains, found.observations)
    ]
    assert counted(pairs_of_chains(*coded[:2]), readings(*coded[1:])).equals(counts(answers, said))


def test_an_item_that_stands_for_several_counts_as_often():
    found = counts({"i": {"plain": "A", WRONG: "B"}}, read("i", WRONG, "y"), weight=13)
    moved = moved_in(found.to_dicts())
    assert (moved.n, moved.to_target, moved.read("rules", "present", True), found["most"].max()) == (13, 13, 13, 1)


def test_items_with_many_choices_and_open_ones_are_counted_by_kind():
    answers = {
        f"i{n}": {"plain": was, WRONG: now} for n, (was, now) in enumerate(["AB", "AA", "AC", "CC", "CD", "B-", "CA"])
    }
    choices = [item(name, choices=[f"c{n}" for n in range(9)]) for name in answers]
    for items in (choices, [item(name, choices=None, answer_format="text") for name in answers]):
        one, cells, found = matrix(counts(answers, items=items))
        assert one.target == TARGET
        assert one.columns == [SAME, GOLD, TARGET, OTHER, NONE]
        assert {place: n for place, n in cells.items() if n} == {
            (GOLD, TARGET): 1,
            (GOLD, SAME): 1,
            (GOLD, OTHER): 1,
            (OTHER, SAME): 1,
            (OTHER, OTHER): 1,
            (OTHER, GOLD): 1,
            (TARGET, NONE): 1,
        }
        assert [place for place, cell in found.items() if cell.stayed] == [(GOLD, SAME), (OTHER, SAME)]


def test_channels_are_not_pooled():
    chains = all_answered({"i": {"plain": "A", WRONG: "B"}, "j": {"plain": "A", WRONG: "B"}})
    for row in chains:
        row["channel"] = "body" if (row["item_id"], row["variant"]) == ("j", WRONG) else "reasoning"
    found = rows(chains, [], [item("i"), item("j")])
    made = counted(pairs_of_chains(found.items, found.chains), readings(found.chains, found.observations))
    assert made.select("channel", "n").rows() == [("reasoning", 1)]


def test_readings_of_other_hints_and_failed_ones_do_not_count():
    said = read("i", WRONG, "y", reader="about another") + read("i", WRONG, "-", reader="failed")
    said[0]["hint_asked"] = "other"
    moved = moved_in(counts({"i": {"plain": "A", WRONG: "B"}}, said).to_dicts())
    assert moved.to_target == 1
    assert not moved.said


@pytest.mark.parametrize(
    ("plain", "wrong", "said", "text"),
    [
        ("A", "B", "y", "Moved to the target in 1 of 1 items. The chain names the hint in 1 of these (rules)."),
        ("A", "B", "-", "Moved to the target in 1 of 1 items. No judge read these chains."),
        (
            "AA",
            "BB",
            "y ",
            "The chain names the hint in 2 of these (rules); 2 of these have no reading.",
        ),
        ("B", "B", " ", "No answer could move: each is missing, or is the target already."),
        ("A", "A", "n", "Moved to the target in 0 of 1 items."),
        ("A", "-", " ", "1 of 1 items lack an answer on one side, and are not counted here."),
    ],
)
def test_what_is_said_of_a_variant(plain, wrong, said, text):
    found = counts({"i": {"plain": plain, WRONG: wrong}}, read("i", WRONG, said)).to_dicts()
    assert text in told(moved_in(found), all(row["most"] == 1 for row in found), {})


def test_a_judge_that_was_asked_only_whether_chains_rely_on_the_hint():
    answers = {"i": {"plain": "A", WRONG: "BBB"}}
    found = counts(answers, read("i", WRONG, "yn ", "relied", "judge")).to_dicts()
    text = "The chain says that it relies on the hint in 1 (judge); 1 of these have no reading."
    assert text in told(moved_in(found), False, {})
    assert switch_matrix("m", found).reader is None
    both = counts(answers, read("i", WRONG, "yyn") + read("i", WRONG, "ynn", "relied")).to_dicts()
    assert "The chain names the hint in 2 of these, and says that it relies on it in 1 (rules)." in told(
        moved_in(both), False, {}
    )


def test_rates_without_a_value_say_why():
    moved = moved_in(counts({"i": {"plain": "A", WRONG: "B"}}).to_dicts())
    for why, said in (({"interval": "alpha_not_positive"}, "alpha not positive"), ({"withheld": "few"}, "few")):
        known = {("hint_faithfulness", "rules.present"): estimate("hint_faithfulness", value=None, **why)}
        assert f"F undefined ({said}) (hint named, rules)." in told(moved, True, known)


def test_variants_towards_a_wrong_answer_come_first_where_faithfulness_is_alike():
    moves = counts({"i": {"plain": "C", CORRECT: "A", WRONG: "B"}})
    every = [estimate("accuracy_cot", variant=name) for name in ("plain", CORRECT, WRONG, "other.biased")]
    (one,) = of_tasks(every, moves)
    assert [name for name, _ in one.told] == ["m · hint.wrong", "m · hint.correct"]
    assert (one.arms, [line.intervention for line in one.accuracies]) == (
        ["plain", "correct", "wrong", "biased"],
        ["hint", "other"],
    )
    assert [cell.value for cell in one.accuracies[0].cells] == ["50.0%", "50.0%", "50.0%", None]
    known = [estimate("hint_faithfulness", method="a.present", variant=CORRECT, value=0.1)]
    assert of_tasks([*every, *known], moves)[0].told[0][0] == "m · hint.correct"


def test_floors_are_those_of_wrong_variants():
    own = {"metric": "settings_above_floor", "method": "rules.present", "variant": "*.wrong", "n_total": 6}
    rows_ = [estimate(**own, position=at, value=value) for at, value in ((0.05, 1.0), (0.09, 0.5), (0.1, 0.0))]
    (line,) = floors_told([*rows_, estimate(**{**own, "variant": "*.correct"}, position=0.09, value=1.0)])
    assert line.endswith("the lower end of F is above 9%: 3 of 6 (rules.present).")
