"""Pairs of items: mapped fields, the pair's check, shuffles and cuts, and the generators of pairs."""

import json
import re
import warnings
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest

from cotfaith.schemas.errors import SpecError, TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.shard.rows import RowKey, item_from_row, items_table
from cotfaith.workers.tasks import fingerprint, load_task
from cotfaith.workers.tasks.entities import Entities, Entity, Margin
from cotfaith.workers.tasks.generators.two_contexts import SCENES
from cotfaith.workers.tasks.pairs import check_pairs, together
from cotfaith.workers.tasks.unknown_option import is_unknown

FIELDS = {"question": "q", "gold": "a", "pair": "p", "side": "s", "group": "g"}


def record(at, pair=None, side=None, group=None):
    return {"q": f"Is {at} odd?", "a": "yes", "p": pair, "s": side, "g": group}


def load(tmp_path, rows, name="f.jsonl", fields=FIELDS, n=100, seed=0, **more):
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return load_task(TaskSpec(name="t", file=str(path), fields=fields, n=n, **more), seed)


FAR = [record(0, "a", "x"), record(1, "b", 1), record(2), record(3, "b", 2), record(4, "a", "y", "g")]
"""Sides that are far apart in the file, and an item without a pair."""


class TestMapped:
    def test_the_sides_of_a_pair_follow_each_other_and_ids_stay(self, tmp_path):
        items = load(tmp_path, FAR)
        assert [item.id[-1] for item in items] == ["0", "4", "1", "3", "2"]
        assert [(item.pair, item.side, item.group) for item in items] == [
            *[("a", "x", None), ("a", "y", "g"), ("b", "1", None), ("b", "2", None), (None, None, None)]
        ]

    def test_a_shuffle_moves_pairs_and_without_pairs_it_is_as_it_was(self, tmp_path):
        shuffled = load(tmp_path, FAR, shuffle=True, seed=3)
        assert sorted(item.id for item in shuffled) == [f"t-00000{i}" for i in range(5)]
        at = {item.id[-1]: place for place, item in enumerate(shuffled)}
        assert (at["4"] - at["0"], at["3"] - at["1"]) == (1, 1)
        orders = {tuple(item.id for item in load(tmp_path, FAR, shuffle=True, seed=seed)) for seed in range(9)}
        assert len(orders) > 3

    def test_a_larger_n_adds_items_at_the_end(self, tmp_path):
        with pytest.warns(UserWarning, match=r"its 3 items end within pair 'b', .* Set n: 4"):
            three = load(tmp_path, FAR, n=3)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert load(tmp_path, FAR, n=4)[:3] == three

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([record(0, "a", "x"), record(1)], r"pair 'a': expected two items with different sides, got 1: item 't-0"),
            (
                [record(0, "a", "x"), record(1, "a", "x")],
                r"pair 'a': .* got 2: .* side 'x', item 't-000001' as side 'x'",
            ),
            ([record(i, "a", s) for i, s in enumerate("xyz")], r"pair 'a': .* got 3: .* Fix the pair's records"),
            ([record(0, "a"), record(1)], r"item 't-000000': it has a pair \('a'\) and no side"),
            ([record(0), record(1, side="x")], r"item 't-000001': it has a side \('x'\) and no pair"),
            ([record(0, {"a": 1}, "x"), record(1)], r"record 0 .*field 'p' is an object, expected a text or a number"),
            ([record(0, "a", ["x"]), record(1)], r"record 0 .*field 's' is a list of texts"),
        ],
    )
    def test_refused(self, tmp_path, rows, message):
        with pytest.raises(TaskError, match=message):
            load(tmp_path, rows)

    @pytest.mark.parametrize("lone", ["pair", "side"])
    def test_one_field_without_the_other(self, tmp_path, lone):
        fields = {name: column for name, column in FIELDS.items() if name == lone or name in ("question", "gold")}
        with pytest.raises(SpecError, match="pairs need both fields, pair and side"):
            load(tmp_path, FAR, fields=fields)

    def test_missing_words_of_csv_are_no_pair(self, tmp_path):
        path = tmp_path / "f.csv"
        path.write_text("q,a,p,s\nIs 1?,yes,7,l\nIs 2?,no,7,r\nIs 3?,no,N/A,\n")
        fields = {name: FIELDS[name] for name in ("question", "gold", "pair", "side")}
        items = load_task(TaskSpec(name="t", file=str(path), fields=fields), 0)
        assert [(item.pair, item.side) for item in items] == [("7", "l"), ("7", "r"), (None, None)]


CHOICES = {"question": "q", "gold": "a", "choices": "c", "pair": "p", "side": "s", "unknown": "u", "stereotype": "t"}


def chosen(side, **more):
    return {"q": f"{side}?", "a": "B", "c": ["x", "y", "z"], "p": "p", "s": side, "u": "B", "t": "z"} | more


class TestMappedChoices:
    def test_unknown_and_stereotype_are_read_as_golds_are(self, tmp_path):
        one, two = load(tmp_path, [chosen("l"), chosen("r", u="(c)", t=None)], fields=CHOICES)
        assert ((one.unknown, one.stereotype), (two.unknown, two.stereotype)) == (("B", "C"), ("C", None))
        numbers = [chosen(side, a=at, u=2, t=0) for side, at in (("l", 0), ("r", 1))]
        one, two = load(tmp_path, numbers, fields=CHOICES, gold_is="index")
        assert (one.gold, one.unknown, one.stereotype, two.gold) == ("A", "C", "A", "B")

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"u": "w"}, r"record 1 .*field 'u': .*'w'"),
            ({"t": ["x"]}, r"record 1 .*field 't' is a list of texts"),
            ({"t": "B"}, "its unknown and its stereotype are the same choice, 'B'"),
        ],
    )
    def test_refused(self, tmp_path, more, message):
        with pytest.raises(TaskError, match=message):
            load(tmp_path, [chosen("l"), chosen("r", **more)], fields=CHOICES)

    def test_only_choices_have_them(self, tmp_path):
        with pytest.raises(SpecError, match="fields: unknown names a choice, but the answer format is boolean"):
            load(tmp_path, [record(0) | {"u": "yes"}], fields={"question": "q", "gold": "a", "unknown": "u"})


def test_a_pair_s_name_is_no_item_s_id():
    """An item whose id is the name of a pair is on its own."""
    items = [Item(i, "?", "1", "number") for i in ("a", "b", "c")]
    paired = [replace(items[0], pair="b", side="1"), items[1], replace(items[2], pair="b", side="2")]
    check_pairs("t", paired)
    assert [item.id for item in together(paired)] == ["a", "c", "b"]


def test_rows_and_fingerprints_hold_what_pairs_need():
    item = Item("i", "?", "C", "choice", ("x", "y", "Unknown"), pair="p", side="s", unknown="C", stereotype="A")
    assert item_from_row(items_table(RowKey("r", "m", "t"), [item]).to_pylist()[0]) == item
    assert len({fingerprint([replace(item, **{name: None})]) for name in ("unknown", "stereotype", "pair")}) == 3


def generated(n=40, seed=0, generator="two_contexts", **options):
    return load_task(TaskSpec(name="t", generator=generator, options=options, n=n), seed)


def swapped(text, one, other):
    return text.replace(one, "\0").replace(other, one).replace("\0", other)


class TestTwoContexts:
    def test_a_pair_differs_in_the_evidence_only(self):
        items = generated()
        for first, second in zip(items[::2], items[1::2], strict=True):
            assert (first.pair, first.side, second.side) == (second.pair, "first", "second")
            assert (first.choices, first.gold, first.unknown) == (second.choices, second.gold, second.unknown)
            assert first.question != second.question
            things = [choice.lower() for choice in first.choices if not is_unknown(choice)]
            other = swapped(first.question.lower(), *things)
            told = [text.lower().split(". ", 2)[2] for text in (other, second.question)]  # behind the opening
            assert told[0] == told[1]
            assert first.question.split(". ")[:2] == second.question.split(". ")[:2]

    def test_gold_is_unknown_at_every_place_and_difficulty_the_clues(self):
        items = generated(120, clues=[1, 3])
        assert {item.gold for item in items} == set("ABC")
        assert all(is_unknown(item.choices[CHOICE_LABELS.index(item.gold)]) for item in items)
        assert Counter(item.difficulty for item in items) == {1.0: 60, 3.0: 60}
        assert all(item.stereotype is None for item in items)

    def test_every_clue_names_both_things(self):
        assert all({"{one}", "{other}"} <= set(re.findall(r"{\w+}", clue)) for one in SCENES for clue in one.clues)

    @pytest.mark.parametrize("clues", [[0], [5], []])
    def test_bad_options(self, clues):
        with pytest.raises(SpecError, match="task 't', options: clues"):
            generated(clues=clues)


TABLE = "name,size\nA,10\nB,20\nC,21\nD,40\n"
OPTIONS = {"name": "name", "value": "size", "property": "size", "margin": 0.1}
OPTIONS |= {"greater": "Is {x} larger than {y}?", "less": "Is {x} smaller than {y}?"}


def compared(tmp_path, table=TABLE, n=100, seed=0, **options):
    path = tmp_path / "table.csv"
    path.write_text(table)
    return generated(n, seed, "paired_comparison", **OPTIONS | {"file": str(path)} | options)


SIZES = {"A": 10, "B": 20, "C": 21, "D": 40}


class TestComparisons:
    def test_both_orders_and_both_comparisons_of_every_pair_but_near_ties(self, tmp_path):
        """Six pairs, of which B and C are within a tenth of each other."""
        with pytest.warns(
            UserWarning, match="n is 100, but .* has only 5 pairs beyond the margin, which give 20 items"
        ):
            items = compared(tmp_path)
        asked = Counter(re.findall(r"Is (\w) (\w+) than (\w)\?", item.question)[0] for item in items)
        pairs = ["AB", "AC", "AD", "BD", "CD"]
        assert asked == {
            (x, word, y): 1 for x, y in [*pairs, *(p[::-1] for p in pairs)] for word in ("larger", "smaller")
        }
        for item in items:
            x, word, y = re.findall(r"Is (\w) (\w+) than (\w)\?", item.question)[0]
            assert item.gold == str((SIZES[x] > SIZES[y]) == (word == "larger")).lower()
            assert item.group == {"larger": "size greater", "smaller": "size less"}[word]
            assert item.difficulty == pytest.approx(1 - abs(SIZES[x] - SIZES[y]) / 30)
        for one, other in zip(items[::2], items[1::2], strict=True):
            assert (one.pair, one.side, other.side) == (other.pair, "forward", "reversed")
            assert {one.gold, other.gold} == {"true", "false"}
        check_pairs("t", items)

    def test_a_larger_n_goes_on_and_another_seed_draws_others(self, tmp_path):
        assert compared(tmp_path, n=8) == compared(tmp_path, n=16)[:8]
        assert len({tuple(item.question for item in compared(tmp_path, n=4, seed=seed)) for seed in range(20)}) > 5

    @pytest.mark.parametrize(
        ("margin", "kind", "pairs"),
        [(0, "relative", 6), (0.5, "relative", 2), (0.49, "relative", 4), (1, "absolute", 5), (0.99, "absolute", 6)],
    )
    def test_margins_are_exact(self, tmp_path, margin, kind, pairs):
        """A pair whose values differ by the margin is a near tie: 20 of 40 is half; C minus B is 1."""
        with pytest.warns(UserWarning, match=f"only {pairs} pairs"):
            assert len(compared(tmp_path, margin=margin, margin_is=kind)) == 4 * pairs

    def test_one_comparison(self, tmp_path):
        items = compared(tmp_path, n=4, comparisons=["less"])
        assert {item.group for item in items} == {"size less"}
        assert len({item.pair for item in items}) == 2

    def test_rows_that_cannot_be_used_are_counted_by_reason(self, tmp_path):
        rows = "E,\nF,12 km\nG,nan\n,5\nA,10\na,10.0\nH,1\nH,2\nI,1e999\n"
        message = (
            r"9 of 13 rows left out: 2 without a value in 'size'; 2 whose 'size' is no number; "
            r"1 without a text in 'name'; 2 that repeat another; 2 of entities with several values\."
        )
        with pytest.warns(UserWarning, match=message):
            items = compared(tmp_path, TABLE + rows, n=20)
        assert {name for item in items for name in re.findall(r"\b[A-Z]\b", item.question)} == set("ABCD")

    def test_names_with_braces_or_a_question_mark_are_put_in_as_they_are(self, tmp_path):
        items = compared(tmp_path, "name,size\n{y},1\n{x} a  b,5\n", n=2, comparisons=["greater"])
        assert {item.question for item in items} == {"Is {y} larger than {x} a b?", "Is {x} a b larger than {y}?"}

    def test_negative_and_equal_values(self, tmp_path):
        items = compared(tmp_path, "name,size\nA,-3\nB,-3\nC,-1.5\nD,0\n", n=20, margin=0)
        asked = {frozenset(re.findall(r"\b[A-Z]\b", item.question)) for item in items}
        assert asked == {frozenset(pair) for pair in ("AC", "AD", "BC", "BD", "CD")}

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"name": "river"}, TaskError, r"there is no column 'river'; it has the columns"),
            (
                {"margin": 100, "margin_is": "absolute"},
                TaskError,
                r"none of the pairs of its 4 entities .*100, absolute",
            ),
            ({"margin": 1.5}, SpecError, "a relative margin is a share below 1"),
            ({"margin": -1}, SpecError, "options: margin"),
            ({"greater": "Is it larger?"}, SpecError, r"greater: .*a question with \{x\} and \{y\}"),
            ({"less": "Is {x} less than {x}?"}, SpecError, r"less: .*each once"),
            ({"comparisons": ["less", "less"]}, SpecError, "names a comparison twice"),
            ({"comparisons": ["more"]}, SpecError, "options: comparisons"),
            ({"file": "/nowhere.csv"}, TaskError, "there is no such file"),
        ],
    )
    def test_refused(self, tmp_path, options, error, message):
        with pytest.raises(error, match=message):
            compared(tmp_path, **options)

    def test_a_table_of_one_entity(self, tmp_path):
        with pytest.raises(TaskError, match="none of the pairs of its 1 entities"):
            compared(tmp_path, "name,size\nA,1\n")


def test_every_pair_is_drawn_once_and_all_are_beyond_the_margin():
    values = [Fraction(v) for v in (*range(-9, 12), 3, 40)]
    rows = sorted((Entity(f"e{i}", v) for i, v in enumerate(values)), key=lambda one: one.value)
    for margin in (
        Margin(Fraction(0), "relative"),
        Margin(Fraction(1, 3), "relative"),
        Margin(Fraction(4), "absolute"),
    ):
        table = Entities(rows, margin)
        expected = {
            frozenset((a.name, b.name)) for a in rows for b in rows if a.value < b.value and margin.is_passed(a, b)
        }
        drawn = list(table.draw(Random(0)))
        assert len(drawn) == table.n_pairs == len(expected)
        assert {frozenset((a.name, b.name)) for a, b in drawn} == expected
        assert all(low.value < high.value for low, high in drawn)
