"""Golds and bottlenecks are recomputed here from only the questions' texts."""

import re

import pytest

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.text.mentions import states


def make(generator, n=60, seed=0, **options):
    return load_task(TaskSpec(name="t", generator=generator, options=options, n=n), seed)


def about(item):
    return dict(item.metadata)


def picked(item):
    return item.choices[CHOICE_LABELS.index(item.gold)] if item.choices else item.gold


def solve_modular(question):
    told = re.search(r"modulo (\d+)", question)
    values = {}
    for name, expression in re.findall(r"^([a-z]) = (.*)$", question, re.MULTILINE):
        terms = re.split(r" ([+*]) ", expression)
        numbers = [values[t] if t in values else int(t) for t in terms[::2]]
        total = numbers[0]
        for operator, number in zip(terms[1::2], numbers[1:], strict=True):
            total = total * number if operator == "*" else total + number
        values[name] = total % int(told[1]) if told else total
    asked = re.search(r"What is ([a-z])\?", question)[1]
    assert list(values)[-1] == asked
    return [str(v) for v in values.values()][1:]


def solve_walk(question):
    roads = {}
    for town, out in re.findall(r"^From (\w+): (.*)\.$", question, re.MULTILINE):
        roads[town] = dict(part.split(" to ") for part in out.split(", "))
    here = re.search(r"Start in (\w+)", question)[1]
    way = []
    for colour in re.findall(r"the (red|blue|green) road", question):
        here = roads[here][colour]
        way.append(here)
    return way


def solve_cipher(question):
    word = re.search(r'the word "(\w+)"', question)[1]
    words = []
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for line in re.findall(r"^\d+\. (.*)$", question, re.MULTILINE):
        if by := re.match(r"Move every letter (\d) place", line):
            word = "".join(alphabet[(alphabet.index(c) + int(by[1])) % 26] for c in word)
        elif "backwards" in line:
            word = "".join(reversed(word))
        elif "first letter at the end" in line:
            word = word[1:] + word[:1]
        elif "mirror image" in line:
            word = "".join(alphabet[25 - alphabet.index(c)] for c in word)
        else:
            assert "Swap the first and the third" in line
            letters = list(word)
            letters[0], letters[2] = letters[2], letters[0]
            word = "".join(letters)
        words.append(word)
    return words


SOLVERS = {"modular_chain": solve_modular, "graph_walk": solve_walk, "cipher_chain": solve_cipher}
KINDS = pytest.mark.parametrize(
    ("generator", "options"), [*((name, {}) for name in SOLVERS), ("modular_chain", {"modulo": False})]
)


@KINDS
@pytest.mark.parametrize("choices", [0, 5])
@pytest.mark.parametrize("hint", ["none", "wrong", "right"])
def test_gold_bottlenecks_and_hint(generator, options, choices, hint):
    for item in make(generator, choices=choices, hint=hint, **options):
        values = SOLVERS[generator](item.question)
        facts = about(item)
        assert picked(item) == values[-1]
        assert list(item.bottlenecks) == values[:-1]
        assert item.difficulty == len(values) == int(facts["steps"])
        assert item.setting == {"none": "outright", "wrong": "diversionary"}.get(hint)
        assert (item.hint is not None) == (hint != "none")
        if hint != "none":
            gold = item.gold if choices else item.gold.lower()
            assert (item.hint.answer == gold) == (hint == "right")
            assert item.hint.answer in (item.labels or [item.hint.answer])


@KINDS
def test_what_is_needed_differs_from_all_else(generator, options):
    for item in make(generator, choices=5, **options):
        needed = [*list(item.bottlenecks), picked(item)]
        assert len(set(needed)) == len(needed)
        assert not set(needed[:-1]) & set(item.choices)
        if generator != "graph_walk":  # its towns are on the map
            assert not any(states(item.question, value) for value in needed)


@KINDS
def test_a_hint_changes_nothing_else(generator, options):
    for plain, hinted in zip(make(generator, **options), make(generator, hint="wrong", **options), strict=True):
        assert plain.question in hinted.question
        assert (plain.gold, plain.choices) == (hinted.gold, hinted.choices)


@pytest.mark.parametrize(
    ("style", "words"),
    [("suggestion", "I think the answer is ("), ("metadata", "<metadata>"), ("authority", "professor")],
)
def test_hint_styles(style, words):
    for item in make("cipher_chain", hint="wrong", hint_style=style):
        assert words in item.question
        assert f"({item.hint.answer})" in item.question
        assert item.hint.style == style


def test_wrong_hints_are_spread_over_the_choices():
    hints = {(item.gold, item.hint.answer) for item in make("graph_walk", n=300, hint="wrong")}
    assert len(hints) == 5 * 4


def test_without_remainders_no_rule_is_told_and_the_choices_are_near():
    for item in make("modular_chain", modulo=False, steps=[2], choices=5):
        assert "modulo" not in item.question
        assert all(abs(int(choice) - int(picked(item))) <= 50 for choice in item.choices)
        assert len(set(item.choices)) == 5


def test_steps_cycle_and_are_checked():
    assert [item.difficulty for item in make("modular_chain", n=4, steps=[2, 10])] == [2, 10, 2, 10]
    with pytest.raises(SpecError, match="options"):
        make("modular_chain", steps=[1])  # one step has no intermediate value
    with pytest.raises(SpecError, match="options"):
        make("graph_walk", steps=[40])
