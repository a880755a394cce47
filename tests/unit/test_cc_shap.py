"""CC-SHAP, from masked questions to the score: games over the words of a question, whose Shapley values are known."""

import itertools
import math
import random
import re
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs_here import finish
from scripted import Scripted, chain_of
from whole_runs import assert_same, commits, damage, tables

from cotfaith.cluster.stats.metrics.cc_shap import cc_shap_scores
from cotfaith.cluster.stats.metrics.lib.frame import CHAIN as KEY
from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.stats.metrics.lib.shapley import contributions, cosines
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.records import Answer, Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.cc_shap import PROBE, Options, orders
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.shard.rows import RowKey, chains_table, items_table, observations_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import ByteCodec

CHAIN = chain_of(" First this.", " Then that.")
WEIGHTS = st.lists(st.integers(-40, 40).map(lambda x: x / 8), min_size=2, max_size=6)


def item(n):
    return Item("a", " ".join(f"w{i}" for i in range(1, n + 1)), "B", "choice", ("sky", "blood"))


def additive(weights):
    return lambda words: sum(weights[i - 1] for i in words)


class Games(Scripted):
    """An engine for which the answer and the chain are as likely as two games of the question's words say."""

    def __init__(self, answer, chain):
        super().__init__(None, self._log_likelihood)
        self.games, self.asked = {"A": answer, CHAIN.text: chain}, []

    def score(self, requests):
        self.asked += [(bytes(r.prompt).decode(), *(bytes(c).decode() for c in r.candidates)) for r in requests]
        return super().score(requests)

    def _log_likelihood(self, prompt, text):
        return self.games[text]({int(i) for i in re.findall(r"w(\d+)", prompt)})


def run(engine, question, options=None, chain=CHAIN, before=(), model="m", index=0):
    """Run the probe; return the observations, and the rows as a run's folder has them."""
    spec = parse_spec(
        {
            "models": [{"id": model, "engine": "stub"}],
            "tasks": [{"name": "t", "generator": "addition"}],
            "probes": [*before, {"name": "cc_shap", "options": options or {}}],
        }
    )
    work = ShardWork(spec, spec.models[0], spec.tasks[0], "cot", (question,), ByteCodec())
    chain, key = replace(chain, index=index), RowKey("r", model, "t")
    found = work.run_probes([chain], [*before, "cc_shap"], {"subject": engine})
    tables = items_table(key, [question]), chains_table(key, [question], [chain]), observations_table(key, found)
    return [row.observation for row in found], Rows(*(pl.from_arrow(table) for table in tables))


def score(answer, chain, n, **options):
    (line,) = pl.concat(cc_shap_scores(run(Games(answer, chain), item(n), options)[1])).to_dicts()
    return line["value"]


def values(answer, n, condition="answer", chain=None, **options):
    """The contributions of segments 1..n to the answer, or to the chain."""
    _, rows = run(Games(answer, chain or answer), item(n), options)
    arms = rows.observations.filter(pl.col("condition") == condition)
    logprob = pl.col("candidate_logprobs").list.first()
    sets = arms.select(*KEY, v=logprob, order="rollout", size=pl.col("position").cast(pl.Int64), feature="step")
    return contributions(sets, KEY).sort("feature")["phi"].to_list()


def shapley(game, n):
    """Shapley's formula, a sum over all sets."""
    players = range(1, n + 1)
    sets = [set(s) for k in range(n) for s in itertools.combinations(players, k)]
    share = [math.factorial(k) * math.factorial(n - 1 - k) / math.factorial(n) for k in range(n)]
    return [sum(share[len(s)] * (game(s | {i}) - game(s)) for s in sets if i not in s) for i in players]


@settings(max_examples=15, deadline=None)
@given(WEIGHTS, st.integers(1, 5))
def test_an_additive_game_gives_its_weights_whatever_the_orders(weights, count):
    found = values(additive(weights), len(weights), orders=count)
    assert found == pytest.approx(weights)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 3), st.lists(st.integers(-9, 9), min_size=8, max_size=8))
def test_all_orders_give_the_exact_values_of_any_game(n, drawn):
    def game(words):
        return float(drawn[sum(2 ** (i - 1) for i in words)])

    assert values(game, n, orders=6) == pytest.approx(shapley(game, n))


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 6), st.randoms(use_true_random=False))
def test_one_order_and_its_reverse_are_exact_if_words_act_in_pairs(n, draw):
    """Of two words, each is the second to come in once: so each gets half of what only both of them add."""
    table = {pair: draw.randint(-9, 9) for pair in itertools.combinations_with_replacement(range(1, n + 1), 2)}

    def game(words):
        return float(sum(worth for pair, worth in table.items() if set(pair) <= set(words)))

    assert values(game, n, orders=2) == pytest.approx(shapley(game, n))


@settings(max_examples=10, deadline=None)
@given(st.integers(4, 6), st.integers(1, 5), st.integers(0, 99))
def test_contributions_sum_to_what_the_whole_question_adds(n, count, seed):
    def game(words):
        return random.Random(f"{seed} {sorted(words)}").uniform(-5, 0)

    found = values(game, n, "chain", orders=count)
    assert sum(found) == pytest.approx(game(range(1, n + 1)) - game(()))


def test_only_one_word_matters():
    game = additive([0, 0, -3, 0])
    assert values(game, 4) == [0, 0, -3, 0]
    assert score(game, additive([0, 0, -0.5, 0]), 4) == pytest.approx(1.0)
    assert score(game, additive([0, 2, 0, 0]), 4) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("answer", "chain", "cosine"),
    [
        ([1, 2, 3], [2, 4, 6], 1.0),
        ([1, 2, 3], [-1, -2, -3], -1.0),
        ([1, 2, 0, 0], [0, 0, 5, 1], 0.0),
        ([1, 0], [1, 1], math.sqrt(0.5)),
        ([3, 4, 0, 0], [4, 3, 0, 0], 24 / 25),
        ([1, -1], [1, 1], 0.0),
        ([0, 0, 0], [1, 2, 3], None),
        ([1, 2, 3], [0, 0, 0], None),
        ([1e-4, 2e-4, 5e-4], [1, 2, 3], None),  # below what float32 scores can tell
    ],
)
def test_the_score(answer, chain, cosine):
    found = score(additive(answer), additive(chain), len(answer))
    assert found == (None if cosine is None else pytest.approx(cosine))


@settings(max_examples=25, deadline=None)
@given(WEIGHTS, st.integers(-8, 8).filter(bool))
def test_the_length_of_a_vector_does_not_matter(weights, times):
    other = [times * w for w in weights]
    found = score(additive(weights), additive(other), len(weights))
    assert found == (pytest.approx(math.copysign(1, times)) if any(weights) else None)


def test_what_is_asked():
    engine = Games(additive([1, 2, 3, 4]), additive([4, 3, 2, 1]))
    engine.games["B"] = additive([0] * 4)
    rows, _ = run(engine, item(4), {"orders": 2}, before=["no_cot"])
    plain, *asked = engine.asked
    rows = rows[1:]
    assert len(rows) == len(asked) == 2 * (2 + 2 * 3)
    assert asked[1] == (plain[0], "A")  # the whole question: the prompt of an answer without a chain
    whole = next(prompt for prompt, text in asked if text == CHAIN.text and "w1 w2 w3 w4" in prompt)
    assert whole.endswith("\n\nAssistant: Let's think step by step:")
    assert "sky" in whole
    assert {text for _, text in asked} == {"A", CHAIN.text}
    assert all("(A) sky" in prompt and "(B) blood" in prompt for prompt, _ in asked)
    assert "Human: ...\n" in asked[0][0]
    for (prompt, text), row in zip(asked, rows, strict=True):
        assert row.position == len(re.findall(r"w\d", prompt))
        assert row.condition == ("answer" if text == "A" else "chain")
        assert row.answer.prompt_tokens == len(prompt) + len(text)
        assert (row.rollout is None) == (row.position in (0, 4)) == (row.step is None)
        assert (row.answer.status, row.answer.value) == (Status.OK, None)
    assert [r.arm for r in rows[:4]] == ["answer none", "answer all", "answer r=0 k=1", "answer r=0 k=2"]


def test_rows_say_nothing_of_right_or_same_answers():
    _, rows = run(Games(additive([1, 2]), additive([1, 2])), item(2))
    found = rows.observations.select("answer", "correct", "p_gold", "same_answer", "near_tie", "no_cot_mechanism")
    assert found.drop("no_cot_mechanism").unique().rows() == [(None,) * 5]
    assert dict(rows.observations.group_by("condition").agg(pl.col("no_cot_mechanism").unique()).rows()) == {
        "answer": ["score"],
        "chain": [None],
    }
    assert dict(rows.observations.group_by("condition").agg(pl.col("candidates").explode().unique()).rows()) == {
        "answer": ["A"],
        "chain": ["chain"],
    }


@pytest.mark.parametrize(
    ("one", "value", "said"),
    [
        (Item("a", "w1 w2", "4", "number"), "12", " 12"),
        (Item("a", "w1 w2", "true", "boolean", ("yes", "no")), "false", " no"),
        (Item("a", "w1 w2", "paris", "text"), "paris", " paris"),
    ],
)
def test_answers_of_every_format(one, value, said):
    chain = replace(CHAIN, answer=Answer(Status.OK, value))
    engine = Games(additive([1, 0]), additive([1, 0]))
    engine.games[said] = additive([1, 0])
    _, rows = run(engine, one, chain=chain)
    assert {text for _, text in engine.asked} == {said, CHAIN.text}
    assert pl.concat(cc_shap_scores(rows))["value"].to_list() == [1.0]


class Failing(Games):
    """Fails on one set of words."""

    def _log_likelihood(self, prompt, text):
        if text == "A" and "w1" in prompt and "w2" not in prompt:
            raise RuntimeError("no memory")
        return super()._log_likelihood(prompt, text)


def test_a_failed_arm_is_a_status_and_leaves_no_score():
    found, rows = run(Failing(additive([1, 2]), additive([1, 2])), item(2))
    assert [row.arm for row in found if row.answer.status is not Status.OK] == ["answer r=0 k=1"]
    assert found[2].answer.status is Status.ENGINE_ERROR
    (line,) = pl.concat(cc_shap_scores(rows)).to_dicts()
    assert (line["value"], line["least"], line["most"]) == (None, -1.0, 1.0)
    assert (line["n_arms"], line["n_arms_ok"]) == (8, 7)


def test_infinite_scores_fail():
    found, rows = run(Games(lambda words: -math.inf, additive([1, 2])), item(2))
    assert {row.answer.status for row in found if row.condition == "answer"} == {Status.ENGINE_ERROR}
    assert pl.concat(cc_shap_scores(rows))["value"].to_list() == [None]


def test_a_question_of_one_word():
    (row,), rows = run(Games(additive([1]), additive([1])), item(1))
    assert (row.arm, row.answer.status) == ("probe", Status.EDIT_FAILED)
    assert "1 words, expected at least 2" in row.answer.error
    (line,) = pl.concat(cc_shap_scores(rows)).to_dicts()
    assert (line["value"], line["n_arms"], line["n_arms_ok"]) == (None, 0, 0)


def test_a_chain_that_failed():
    lost = replace(CHAIN, status=Status.TRUNCATED, answer=Answer(Status.TRUNCATED), error="too long")
    (row,), rows = run(Games(additive([1, 2]), additive([1, 2])), item(2), chain=lost)
    assert (row.arm, row.answer.status) == ("chain", Status.TRUNCATED)
    assert pl.concat(cc_shap_scores(rows))["value"].to_list() == [None]


def test_chains_are_told_apart():
    """Rows of several chains in one frame give what each gives alone."""
    games = [([1, 2, 3], [1, 2, 3]), ([1, 0, 0], [0, 1, 0]), ([0, 0, 0], [1, 2, 3])]
    parts = [run(Games(*map(additive, pair)), item(3), index=i)[1] for i, pair in enumerate(games)]
    frames = (pl.concat([getattr(p, name) for p in parts]) for name in ("items", "chains", "observations"))
    items, chains, observations = frames
    found = pl.concat(
        cc_shap_scores(Rows(items.unique(), chains, observations.sample(fraction=1, shuffle=True, seed=3)))
    )
    assert dict(found.select("chain_index", "value").rows()) == {0: pytest.approx(1.0), 1: 0.0, 2: None}


def test_orders():
    draw = random.Random(0)
    assert orders(3, 6, draw) == list(itertools.permutations((1, 2, 3)))
    assert orders(2, 6, draw) == [(1, 2), (2, 1)]
    drawn = orders(6, 7, draw)
    assert len(drawn) == 7
    assert all(sorted(one) == [1, 2, 3, 4, 5, 6] for one in drawn)
    assert [one[::-1] for one in drawn[:6:2]] == drawn[1:6:2]
    assert len(set(drawn)) > 3


def test_all_models_and_chains_of_an_item_have_the_same_orders_and_items_differ():
    def asked(question, **more):
        found, _ = run(Games(additive([1] * 6), additive([1] * 6)), question, **more)
        return [(row.arm, row.step) for row in found]

    assert asked(item(6)) == asked(item(6), model="other") == asked(item(6), index=3)
    assert asked(item(6)) != asked(replace(item(6), id="b"), chain=replace(CHAIN, item_id="b"))


@pytest.mark.parametrize(("options", "sets"), [({}, 2 + 6 * 5), ({"segments": 3}, 14), ({"segments": 2}, 4)])
def test_the_plan(options, sets):
    arms = PROBE.arms(Shape(1, 3, 60), Options(**options))
    assert [(a.chain_tokens, a.fresh, a.generated) for a in arms] == [(0, 0, 0), (60, 60, 0)] * sets
    assert all(a.likelihood for a in arms)
    found, _ = run(Games(additive([1] * 9), additive([1] * 9)), item(9), options)
    assert len(found) == len(arms)


def test_cosines_of_short_vectors_are_null():
    pairs = pl.DataFrame({"k": [1, 1, 2, 2], "a": [1.0, 0.0, 1e-9, 0.0], "b": [1.0, 1.0, 1.0, 1.0]})
    assert cosines(pairs, ["k"], 1e-3)["cosine"].to_list() == [pytest.approx(math.sqrt(0.5)), None]


def test_a_run_that_is_widened_and_repaired_has_the_rows_of_one_made_in_one_go(tmp_path):
    """Whatever the shards; the second begins without the probe, and then loses a commit of it."""

    def spec(probes, size):
        task = {"name": "t", "generator": "tracking_objects", "n": 5}
        rest = {"resources": {"shard_size": size}, "output": {"path": "run"}}
        return {"models": [{"id": "m", "engine": "stub"}], "tasks": [task], "probes": probes, **rest}

    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    whole = LocalStore(finish(tmp_path / "one", spec(["no_cot", "cc_shap"], 5)) / "run")
    finish(tmp_path / "other", spec(["no_cot"], 2))
    store = LocalStore(finish(tmp_path / "other", spec(["no_cot", "cc_shap"], 2)) / "run")
    assert_same(store, whole)
    lost = next(key for key, one in commits(store).items() if "cc_shap" in {piece.probe for piece in one.pieces})
    damage(store, lost, "missing")
    assert len(_of_probe(store)) < len(_of_probe(whole))
    finish(tmp_path / "other", spec(["no_cot", "cc_shap"], 2))
    assert_same(store, whole)
    assert set(_of_probe(store)["status"]) == {"ok"}
    assert len(_of_probe(store)) == 5 * 2 * (2 + 6 * 5)


def _of_probe(store):
    return tables(store)["observations"].filter(pl.col("probe") == "cc_shap")
