import itertools
import re
from dataclasses import replace

import pytest
from scripted import Scripted

from cotfaith.cluster.plan.checks import check_applies
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import CHOICE_LABELS, Answer, Chain, Item, Supplied
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.answer_order import PROBE, Options
from cotfaith.workers.probes.lib.choice_order import Order
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.resolved import resolve
from cotfaith.workers.shard.rows import RowKey, observations_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.answers import is_correct, p_gold
from cotfaith.workers.text.codec import ByteCodec

ITEM = Item("a", "Which is red?", "B", "choice", ("sky", "blood", "grass", "blood orange"))
SHOWN = re.compile(r"^\(([A-Z])\) (.*)$", re.MULTILINE)


def observe(item, engine, answer_by="auto", **options):
    spec = parse_spec(
        {
            "models": [{"id": "m", "engine": "stub"}],
            "tasks": [{"name": "t", "generator": "addition", "answer_by": answer_by}],
            "probes": [{"name": "answer_order", "options": options}],
        }
    )
    work = ShardWork(spec, spec.models[0], spec.tasks[0], "cot", (item,), ByteCodec())
    chain = Chain(item.id, 0, " Hm.", (" Hm.",), Answer(Status.OK, "A"), Status.OK, 4, "stop", 0)
    rows = work.run_probes([chain], ["answer_order"], {"subject": engine})
    return {row.observation.arm: row.observation for row in rows}, rows


def letter(seen):
    """A model that answers with one letter, whatever the choices."""
    return Scripted(lambda prompt: " Hm. Well.", lambda prompt, word: 0.0 if word == seen else -2.0)


def content(text):
    """A model that answers with the choice of this text, whatever its place."""

    def weigh(prompt, word):
        return 0.0 if dict(SHOWN.findall(prompt))[word] == text else -2.0

    return Scripted(lambda prompt: " Hm. Well.", weigh)


def seen(observation):
    return CHOICE_LABELS[observation.shown_choices.index(observation.answer.value)]


def shown(prompt):
    return [choice for _, choice in SHOWN.findall(prompt)]


def test_arms_and_what_they_compare_with():
    rows, _ = observe(ITEM, letter("A"), shuffles=2)
    assert list(rows) == ["none", *(f"{arm} r={r}{cot}" for r in (0, 1) for arm, cot in ARMS)]
    assert [row.rollout for row in rows.values()] == [None, 0, 0, 0, 1, 1, 1]
    for r in (0, 1):
        chain = rows[f"once r={r} cot"]
        assert (chain.text, chain.n_tokens, chain.reference) == (" Hm. Well.", 10, None)
        assert rows[f"once r={r}"].reference == rows[f"twice r={r}"].reference == chain.answer
        assert rows[f"once r={r}"].shown_choices == chain.shown_choices
    assert rows["none"].reference is None


ARMS = (("once", ""), ("twice", ""), ("once", " cot"))


def test_a_model_that_always_says_one_letter():
    rows, _ = observe(ITEM, letter("C"), shuffles=6)
    assert {seen(row) for row in rows.values()} == {"C"}
    for row in rows.values():
        assert row.answer.value == row.shown_choices[2]
    assert len({row.answer.value for row in rows.values()}) > 1


def test_a_model_that_knows_its_choice_says_other_letters():
    rows, _ = observe(ITEM, content("blood"), shuffles=6)
    assert {row.answer.value for row in rows.values()} == {"B"}
    assert len({seen(row) for row in rows.values()}) > 1
    for row in rows.values():
        assert is_correct(ITEM, row.answer)
        assert p_gold(ITEM, row.answer) == pytest.approx(1 / (1 + 3 * 2.718281828**-2))


def test_a_choice_that_begins_like_another_is_told_apart():
    rows, _ = observe(ITEM, content("blood orange"), shuffles=4)
    assert {row.answer.value for row in rows.values()} == {"D"}


def test_generated_answers_are_in_the_items_own_letters_too():
    class Says(Scripted):
        def _generation(self, request):
            self.asks = bytes(request.prompt).decode().endswith("answer is (")
            return super()._generation(request)

    engine = Says(lambda prompt: "B) because" if engine.asks else " Hm. Well.")
    rows, _ = observe(ITEM, engine, answer_by="generate", shuffles=3)
    for row in rows.values():
        own = row.shown_choices[1]
        assert (row.answer.value, row.answer.strict, seen(row)) == (own, own, "B")
        assert row.answer.text == "B) because"
        assert row.answer.candidates == ()


def test_the_prompts_show_the_orders_that_the_rows_state():
    engine = content("sky")
    prompts = []
    weigh = engine.weigh
    engine.weigh = lambda prompt, word: prompts.append(prompt) or weigh(prompt, word)
    rows, _ = observe(ITEM, engine, shuffles=3)
    texts = {tuple(shown(prompt)) for prompt in [*prompts, *engine.prompts]}
    assert texts == {tuple(ITEM.choices[CHOICE_LABELS.index(x)] for x in row.shown_choices) for row in rows.values()}
    for r, prompt in enumerate(engine.prompts):
        assert shown(prompt) == [ITEM.choices[CHOICE_LABELS.index(x)] for x in rows[f"once r={r}"].shown_choices]


def test_orders_differ_from_each_other_and_from_the_items_own():
    for n in (2, 3, 4):
        for i in range(30):
            item = replace(ITEM, id=str(i), choices=ITEM.choices[:n])
            rows, _ = observe(item, letter("A"))
            own, once, twice = (rows[arm].shown_choices for arm in ("none", "once r=0", "twice r=0"))
            assert own == tuple(CHOICE_LABELS[:n])
            assert once not in (own, twice)
            assert (twice == own) == (n == 2)
            assert [rows[arm].shown_choices != own for arm in ("none", "once r=0", "twice r=0")] == [False, True, n > 2]


def test_all_orders_are_drawn():
    item = replace(ITEM, choices=ITEM.choices[:3])
    rows, _ = observe(item, letter("A"), shuffles=60)
    drawn = {row.shown_choices for arm, row in rows.items() if arm.startswith("once")}
    assert drawn == {*itertools.permutations("ABC")} - {("A", "B", "C")}


def test_two_choices_of_the_same_text_stay_two():
    item = replace(ITEM, choices=("red", "red", "blue"))
    rows, _ = observe(item, letter("A"), shuffles=4)
    assert all(sorted(row.shown_choices) == ["A", "B", "C"] for row in rows.values())
    assert all(row.answer.value == row.shown_choices[0] for row in rows.values())


def test_shuffles_do_not_depend_on_their_number():
    few, _ = observe(ITEM, letter("A"), shuffles=1)
    many, _ = observe(ITEM, letter("A"), shuffles=4)
    assert {arm: many[arm] for arm in few} == few


def test_without_chains_only_the_normaliser_is_asked_for():
    engine = letter("A")
    rows, _ = observe(ITEM, engine, with_chain=False)
    assert list(rows) == ["none", "once r=0", "twice r=0"]
    assert engine.prompts == []
    assert all(row.reference is None for row in rows.values())


def test_an_item_that_comes_with_its_chain_gets_no_other():
    rows, _ = observe(replace(ITEM, supplied=Supplied((" Hm.",))), letter("A"))
    assert list(rows) == ["none", "once r=0", "twice r=0"]


@pytest.mark.parametrize(("text", "status"), [("", Status.EMPTY_CHAIN), ("and so on " * 60, Status.TRUNCATED)])
def test_a_chain_that_fails_is_a_row_and_nothing_is_compared_with_it(text, status):
    engine = Scripted(lambda prompt: text)
    rows, observations = observe(ITEM, engine)
    assert rows["once r=0 cot"].answer.status is status
    assert rows["once r=0"].answer.status is Status.OK
    table = observations_table(RowKey("r", "m", "t"), observations).to_pylist()
    assert [row["same_answer"] for row in table] == [None] * 4
    assert [row["status"] for row in table] == ["ok", "ok", "ok", status]


def test_what_is_stored():
    _, observations = observe(ITEM, content("grass"))
    table = observations_table(RowKey("r", "m", "t"), observations).to_pylist()
    assert [row["same_answer"] for row in table] == [None, True, True, None]
    for row in table:
        assert (row["answer"], row["edit"], row["chain_index"], row["position"]) == ("C", None, None, None)
        assert (row["shown_choices"] != list("ABCD")) == (row["condition"] != "none")
        assert row["candidates"] == row["shown_choices"]


@pytest.mark.parametrize(
    "item",
    [
        Item("n", "How much?", "4", "number"),
        Item("c", "How much?", "4", "number", ("3", "4")),
        Item("b", "Is it?", "true", "boolean", ("Yes", "No")),
        Item("o", "Which?", "A", "choice", ("this one",)),
    ],
)
def test_items_without_an_order_of_choices_have_no_rows(item):
    engine = letter("A")
    assert observe(item, engine) == ({}, [])
    assert engine.rounds == []


def test_a_spec_without_an_item_that_it_applies_to_is_refused():
    tasks = [{"name": "sums", "generator": "addition"}]
    spec = parse_spec({"models": [{"id": "m", "engine": "stub"}], "tasks": tasks, "probes": ["answer_order"]})
    number = Item("n", "How much?", "4", "number")
    with pytest.raises(SpecError, match="'answer_order' applies to none of the items of sums"):
        check_applies(resolve(spec), {"t": [number]})
    check_applies(resolve(spec), {"t": [number, ITEM]})


@pytest.mark.parametrize("options", [Options(), Options(shuffles=3), Options(shuffles=2, with_chain=False)])
def test_the_plan_knows_the_arms(options):
    rows, _ = observe(ITEM, letter("A"), **options.model_dump())
    arms = PROBE.arms(Shape(chains=1, steps=2, tokens=10), options)
    assert len(arms) == len(rows)
    assert sum(arm.generated for arm in arms) == 10 * options.shuffles * options.with_chain


def test_orders_translate_there_and_back():
    order = Order((2, 0, 1))
    item = replace(ITEM, choices=ITEM.choices[:3])
    there = order.shown(item)
    assert (there.choices, there.gold) == (("grass", "sky", "blood"), "C")
    back = order.own_letters(Answer(Status.OK, "C", "C", None, candidates=("A", "B", "C")))
    assert (back.value, back.strict, back.loose, back.candidates) == ("B", "B", None, ("C", "A", "B"))
