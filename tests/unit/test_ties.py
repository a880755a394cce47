"""Exact and near ties of scored answers: the winner, the rule, and the row's columns."""

import itertools
import pickle
import re
from collections import Counter
from dataclasses import replace

import pytest
from scripted import Scripted

from cotfaith.cluster.storage.parts import in_schema
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.precision import (
    ASSUMED_STEP,
    FLOAT32_RESOLUTION,
    bfloat16_step,
    resolution_without_logits,
)
from cotfaith.workers.engines.protocol import Scores
from cotfaith.workers.shard.rows import RowKey, chains_from_table, chains_table, observations_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.answers import scored_answer
from cotfaith.workers.text.codec import ByteCodec
from cotfaith.workers.text.ties import decide, ranks

SHOWN = re.compile(r"^\(([A-Z])\) (.*)$", re.MULTILINE)
TEXTS = ("red", "green", "blue", "black")


def item(number=0, choices=TEXTS):
    return Item(f"i{number}", "Which is it?", "A", "choice", tuple(choices))


def work(items, seed=0, model="m", task="t", probes=("no_cot",), strategy="cot", **spec):
    parsed = parse_spec(
        {
            "seed": seed,
            "models": [{"id": model, "engine": "stub"}],
            "tasks": [{"name": task, "generator": "addition", "answer_by": "score"}],
            "probes": list(probes),
            **spec,
        }
    )
    return ShardWork(parsed, parsed.models[0], parsed.tasks[0], strategy, tuple(items), ByteCodec())


def unsure(weigh=lambda prompt, word: -1.0):
    """An engine that finds all candidates equally likely."""
    return Scripted(lambda prompt: " Hm. Well. So be it.", weigh)


def observe(items, engine=None, **kwargs):
    """Return chains and observations of a run on ``engine``."""
    shard = work(items, **kwargs)
    engines = {"subject": engine or unsure()}
    chains = shard.sample_chains(engines)
    return shard, chains, shard.run_probes(chains, [p.name for p in shard.spec.probes], engines)


def chosen(answer, of):
    return of.choices[CHOICE_LABELS.index(answer.value)]


def test_the_likeliest_wins_whatever_the_permutation():
    for rank in itertools.permutations(range(3)):
        assert decide((-3.0, -1.0, -2.0), rank, 1e-3).place == 1


def test_a_tie_goes_to_the_lowest_rank_among_those_that_tie():
    assert decide((-1.0, -1.0, -2.0), (5, 3, 1), 1e-3).place == 1
    assert decide((-1.0, -2.0, -1.0), (5, 3, 7), 1e-3).place == 0
    assert decide((-1.0, -1.0, -1.0), (5, 3, 1), 1e-3).place == 2


def test_what_a_decision_says_of_its_gap():
    tie = decide((-1.0, -1.0, -2.0), (0, 1, 2), 1e-3)
    assert (tie.tied, tie.gap, tie.near_tie) == (True, 0.0, True)
    near = decide((-1.0, -1.0005), (0, 1), 1e-3)
    assert (near.tied, near.gap, near.near_tie) == (False, pytest.approx(0.0005), True)
    clear = decide((-1.0, -1.5, -1.2), (0, 1, 2), 1e-3)
    assert (clear.tied, clear.gap, clear.near_tie) == (False, pytest.approx(0.2), False)
    only = decide((-1.0,), (0,), 1e-3)
    assert (only.place, only.tied, only.gap, only.near_tie) == (0, False, None, False)


def test_the_order_in_which_tokens_are_summed_makes_no_winner():
    forwards, backwards = 0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1
    assert forwards != backwards
    assert decide((-forwards, -backwards), (1, 0), 1e-3).tied
    assert not decide((-1.0, -1.0 - 6e-8), (1, 0), 1e-3).tied  # float32 distinguishes these


def test_a_gap_of_just_the_resolution_is_no_near_tie():
    assert not decide((-1.0, -1.125), (0, 1), 0.125).near_tie
    assert decide((-1.0, -1.124), (0, 1), 0.125).near_tie


@pytest.mark.parametrize(
    ("value", "step"),
    [
        (16.0, 0.125),
        (31.9, 0.125),
        (32.0, 0.25),
        (-20.5, 0.125),
        (8.0, 0.0625),
        (1.0, 2**-7),
        (0.0, FLOAT32_RESOLUTION),
        (0.01, FLOAT32_RESOLUTION),
        (float("inf"), FLOAT32_RESOLUTION),
    ],
)
def test_a_step_of_bfloat16(value, step):
    assert bfloat16_step(value) == step


def test_the_resolution_where_no_logit_is_known():
    assert resolution_without_logits("float32") == FLOAT32_RESOLUTION == 1e-3
    assert resolution_without_logits("bfloat16") == resolution_without_logits("float16") == ASSUMED_STEP == 0.125


def test_scores_are_tuples_that_keep_their_resolution_between_processes():
    scores = Scores((-1.0, -2.0), 0.25)
    copy = pickle.loads(pickle.dumps(scores))
    assert (copy, copy.resolution, isinstance(copy, Scores)) == ((-1.0, -2.0), 0.25, True)
    assert Scores((-1.0,)).resolution == FLOAT32_RESOLUTION


def test_an_answer_takes_the_resolution_of_its_scores():
    assert scored_answer("AB", Scores((-1.0, -1.1), 0.125)).near_tie is True
    assert scored_answer("AB", Scores((-1.0, -1.1))).near_tie is False
    assert scored_answer("AB", (-1.0, -1.1)).near_tie is False  # a third-party engine


def test_an_answer_that_failed_says_nothing_of_ties():
    answer = scored_answer("AB", (0.0, float("nan")))
    assert (answer.status, answer.tied, answer.gap, answer.near_tie) == (Status.ENGINE_ERROR, None, None, None)


@pytest.mark.parametrize("choices", [TEXTS, ("yes", "no"), ("1", "2", "3"), ("x",) * 2 + ("y",), tuple("abcdefghij")])
def test_however_choices_are_shuffled_the_same_text_wins(choices):
    for number in range(20):
        texts = set()
        for order in itertools.islice(itertools.permutations(choices), 24):
            _, (chain,), _ = observe([item(number, order)])
            assert chain.answer.tied
            texts.add(chosen(chain.answer, item(number, order)))
        assert len(texts) == 1


def test_all_arms_models_strategies_and_shuffles_break_a_tie_alike():
    probes = ["no_cot", "early_answering", "filler_tokens", {"name": "answer_order", "options": {"shuffles": 4}}]
    for number in range(8):
        found = set()
        for model, strategy in (("m", "cot"), ("n", "cot"), ("m", "cot_decomposition")):
            _, chains, rows = observe([item(number)], model=model, strategy=strategy, probes=probes)
            answers = [chain.answer for chain in chains] + [row.observation.answer for row in rows]
            assert all(answer.tied for answer in answers)
            assert len(answers) > 15
            found |= {answer.value for answer in answers}
        assert len(found) == 1


def test_in_a_shuffled_arm_the_winner_is_the_same_choice_and_not_the_same_letter():
    letters = set()
    for number in range(20):
        _, _, rows = observe([item(number)], probes=[{"name": "answer_order", "options": {"shuffles": 3}}])
        for row in rows:
            o = row.observation
            letters.add(o.shown_choices.index(o.answer.value))
        assert len({row.observation.answer.value for row in rows}) == 1
    assert letters == {0, 1, 2, 3}


def winners(count=600, choices=TEXTS, **kwargs):
    _, chains, _ = observe([item(n, choices) for n in range(count)], probes=["no_cot"], **kwargs)
    return [chain.answer.value for chain in chains]


@pytest.mark.parametrize("choices", [("a", "b"), TEXTS, ("same", "same", "same")])
def test_no_label_is_favoured(choices):
    counts = Counter(winners(choices=choices))
    expected = 600 / len(choices)
    chi_square = sum((counts[label] - expected) ** 2 / expected for label in CHOICE_LABELS[: len(choices)])
    assert chi_square < 13.8  # one run in a thousand exceeds it with two degrees of freedom, 16.3 with three


def test_items_seeds_and_tasks_break_ties_each_in_their_own_way():
    base = winners(60)
    assert winners(60) == base
    for other in ({"seed": 1}, {"task": "u"}):
        same = sum(a == b for a, b in zip(base, winners(60, **other), strict=True))
        assert 3 <= same <= 30  # a quarter by chance


def test_a_tie_of_some_candidates_is_broken_among_them():
    def weigh(prompt, word):
        return {"red": -1.0, "blue": -1.0}.get(dict(SHOWN.findall(prompt))[word], -3.0)

    found = set()
    for number in range(30):
        _, (chain,), _ = observe([item(number)], engine=unsure(weigh))
        assert (chain.answer.tied, chain.answer.gap, chain.answer.near_tie) == (True, 0.0, True)
        found.add(chosen(chain.answer, item(number)))
    assert found == {"red", "blue"}


def test_booleans_and_closed_numbers_are_broken_by_their_values():
    yes_no = [Item(f"b{n}", "Is it?", "true", "boolean", ("Yes", "No")) for n in range(40)]
    other_words = [replace(one, choices=("Right", "Wrong")) for one in yes_no]
    _, chains, _ = observe(yes_no)
    _, same, _ = observe(other_words)
    assert {chain.answer.value for chain in chains} == {"true", "false"}
    assert [chain.answer.value for chain in chains] == [chain.answer.value for chain in same]

    numbers = [Item(f"n{n}", "How many?", "1", "number", ("0", "1", "2")) for n in range(40)]
    _, chains, _ = observe(numbers)
    _, turned, _ = observe([replace(one, choices=one.choices[::-1]) for one in numbers])
    assert {chain.answer.value for chain in chains} == {"0", "1", "2"}
    assert [chain.answer.value for chain in chains] == [chain.answer.value for chain in turned]


def test_equal_texts_have_ranks_of_their_own():
    assert len(set(ranks((0, "t", "i"), ("x", "x", "x")))) == 3
    assert set(ranks((0, "t", "i"), ("x", "y", "x"))) == set(ranks((0, "t", "i"), ("y", "x", "x")))


def test_rows_hold_ties_and_give_them_back():
    def weigh(prompt, word):
        return -1.0 if word == "A" else -1.0004 if word == "B" else -4.0

    for engine, expected in ((unsure(), (True, 0.0, True)), (unsure(weigh), (False, pytest.approx(4e-4), True))):
        shard, chains, rows = observe([item()], engine=engine)
        key = RowKey("r", "m", "t")
        tables = (chains_table(key, shard.items, chains), observations_table(key, rows))
        for table in tables:
            for row in table.to_pylist():
                assert (row["tied"], row["gap"], row["near_tie"]) == expected
        assert chains_from_table(tables[0]) == chains


def test_rows_of_before_there_were_ties_can_be_read():
    shard, chains, _ = observe([item()])
    late = ["tied", "gap", "near_tie", "variant", "intervention", "target", "channel", "no_cot_mechanism"]
    old = chains_table(RowKey("r", "m", "t"), shard.items, chains).drop_columns(late)
    old = old.replace_schema_metadata({**old.schema.metadata, b"cotfaith.schema_version": b"2"})
    (chain,) = chains_from_table(in_schema(old, "chains"))
    assert (chain.answer.tied, chain.answer.gap, chain.answer.near_tie) == (None, None, None)
    assert chain.answer.value == chains[0].answer.value


def test_generated_answers_have_no_ties():
    shard = work([item()])
    shard = replace(shard, task=shard.task.model_copy(update={"answer_by": "generate"}))
    (chain,) = shard.sample_chains({"subject": Scripted(lambda prompt: " A) Hm.")})
    assert (chain.answer.value, chain.answer.tied, chain.answer.gap, chain.answer.near_tie) == ("A", None, None, None)
