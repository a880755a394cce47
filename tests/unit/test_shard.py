"""Shards on the stub engine: chains, probes, statuses, rows."""

import re
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from cotfaith.schemas.records import Answer, Chain, Item, Observation
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.schemas.tables import CHAINS, OBSERVATIONS
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.probes import PROBES, find_probe
from cotfaith.workers.probes.filler_tokens import Options, lengths
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.shard.rows import RowKey, chains_from_table, chains_table, items_table, observations_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import ByteCodec

ALL = ["no_cot", "early_answering", "filler_tokens"]
ITEMS = (
    Item("a", "Which is red?", "B", "choice", ("sky", "blood", "grass"), 1.0, (("k", "v"),)),
    Item("b", "How much is 2 + 2?", "4", "number"),
    Item("c", "Is water wet?", "true", "boolean", ("Yes", "No")),
)


def work(items=ITEMS, chains=2, options=None, **sampling):
    spec = parse_spec(
        {
            "models": [{"id": "m", "engine": "stub", "options": options or {}}],
            "tasks": [{"name": "t", "generator": "addition"}],
            "sampling": {"chains_per_item": chains, **sampling},
            "probes": ALL,
        }
    )
    return ShardWork(spec, spec.models[0], spec.tasks[0], "cot", tuple(items), ByteCodec())


def run(**kwargs):
    shard = work(**kwargs)
    engines = {"subject": StubEngine(shard.model)}
    chains = shard.sample_chains(engines)
    return shard, chains, shard.run_probes(chains, ALL, engines)


def of(rows, probe):
    return [row for row in rows if row.probe == probe]


def test_chains_and_arms():
    _, chains, rows = run()
    assert [(c.item_id, c.index) for c in chains] == [(i.id, k) for i in ITEMS for k in range(2)]
    assert all("".join(c.steps) == c.text and c.status is Status.OK for c in chains)
    assert [r.observation.arm for r in of(rows, "no_cot")] == ["no_cot"] * 3
    early = of(rows, "early_answering")
    assert len(early) == sum(len(c.steps) + 1 for c in chains)
    for row in early:
        chain = next(c for c in chains if (c.item_id, c.index) == (row.item.id, row.observation.chain_index))
        assert row.observation.n_steps == len(chain.steps)
        if row.observation.position == len(chain.steps):  # the whole chain gives the chain's answer
            assert row.observation.answer == chain.answer


def test_results_do_not_depend_on_neighbours():
    _, together, rows = run()
    for i, item in enumerate(ITEMS):
        _, alone, own = run(items=(item,))
        assert alone == together[2 * i : 2 * i + 2]
        assert own == [row for row in rows if row.item == item]


def test_a_model_that_ignores_its_chain_never_changes_its_answer():
    _, _, rows = run(options={"relies_on": "question"})
    early = [r.observation for r in of(rows, "early_answering")]
    assert early
    assert all(o.answer.value == o.reference.value for o in early)


def test_chains_of_one_item_differ_and_greedy_ones_do_not():
    _, chains, _ = run()
    assert chains[0].text != chains[1].text
    _, greedy, _ = run(temperature=0)
    assert greedy[0].text == greedy[1].text


@pytest.mark.parametrize(
    ("options", "sampling", "status"),
    [
        ({}, {"max_tokens": 5}, Status.TRUNCATED),
        ({"max_steps": 0}, {}, Status.EMPTY_CHAIN),
        ({"max_context": 200}, {}, Status.CONTEXT_OVERFLOW),
        ({"fail_on": "2 + 2"}, {}, Status.ENGINE_ERROR),
        ({"garbage_answers": True}, {}, Status.UNPARSED),
    ],
)
def test_failures_are_rows(options, sampling, status):
    _, chains, rows = run(items=ITEMS[1:2], options=options, **sampling)
    assert [c.status for c in chains] == [status, status]
    early = of(rows, "early_answering")
    assert [(r.observation.arm, r.observation.answer.status) for r in early] == [("chain", status)] * 2
    assert all(r.observation.answer.error for r in early)
    assert len(of(rows, "no_cot")) == 1


def test_a_bug_in_a_probe_costs_one_row(monkeypatch):
    def broken(chain, ask, options):
        raise RuntimeError("bug")
        yield

    monkeypatch.setitem(PROBES.things, "early_answering", replace(PROBES["early_answering"], run=broken))
    _, _, rows = run(chains=1)
    assert {r.observation.answer.status for r in of(rows, "early_answering")} == {Status.ITEM_ERROR}
    assert {r.observation.answer.status for r in of(rows, "no_cot")} == {Status.OK}


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda seen: [seen, replace(seen, text="other")], "the arm 'x' twice"),
        (lambda seen: None, "returned NoneType, expected a list of Observations"),
        (lambda seen: [seen.answer], "returned list, expected a list of Observations"),
    ],
)
def test_what_a_probe_returns_is_checked_before_it_is_written(monkeypatch, returned, words):
    def probe(chain, ask, options):
        (answer,) = yield [ask.answer_after(chain, 0)]
        return returned(Observation("x", answer))

    monkeypatch.setitem(PROBES.things, "early_answering", replace(PROBES["early_answering"], run=probe))
    _, chains, rows = run()
    found = [row.observation.answer for row in of(rows, "early_answering")]
    assert [answer.status for answer in found] == [Status.ITEM_ERROR] * len(chains)
    assert all(words in answer.error for answer in found)


def test_a_probe_may_say_who_reads(monkeypatch):
    """A judge by rule needs no engine: its rows are neither right nor wrong."""

    def probe(chain, ask, options):
        (answer,) = yield [ask.answer_after(chain, 0)]
        return [Observation("x", answer, reader="rules", reader_role="judge", label=True)]

    monkeypatch.setitem(PROBES.things, "early_answering", replace(PROBES["early_answering"], run=probe))
    _, _, rows = run()
    table = observations_table(RowKey("r", "m", "t"), of(rows, "early_answering")).to_pylist()
    assert {(row["reader"], row["reader_role"], row["correct"], row["p_gold"]) for row in table} == {
        ("rules", "judge", None, None)
    }


def test_rows_have_the_schemas_and_chains_survive_storage(tmp_path):
    _, chains, rows = run()
    key = RowKey("r", "m", "t")
    table = chains_table(key, ITEMS, chains)
    assert table.schema.equals(CHAINS, check_metadata=True)
    pq.write_table(table, tmp_path / "c.parquet")
    back: list[Chain] = chains_from_table(pq.read_table(tmp_path / "c.parquet"))
    assert back == list(chains)
    found = observations_table(key, rows)
    assert found.schema.equals(OBSERVATIONS, check_metadata=True)
    assert found.num_rows == len(rows)
    assert items_table(key, ITEMS).column("gold").to_pylist() == ["B", "4", "true"]


def test_failed_rows_have_null_metrics():
    _, chains, rows = run(options={"garbage_answers": True}, items=ITEMS[1:2])
    key = RowKey("r", "m", "t")
    for table in (chains_table(key, ITEMS, chains), observations_table(key, rows)):
        for row in table.to_pylist():
            assert (row["status"], row["answer"], row["correct"], row["p_gold"]) == ("unparsed", None, None, None)


def test_filler_lengths():
    assert lengths(23, Options()) == [5, 10, 15, 20, 23]
    assert lengths(20, Options()) == [5, 10, 15, 20]
    assert lengths(3, Options()) == [3]
    assert lengths(0, Options()) == [5]
    assert lengths(69, Options()) == [10, 20, 30, 40, 50, 60, 69]
    assert lengths(1000, Options(max_arms=4)) == [320, 640, 960, 1000]
    assert lengths(100, Options(max_arms=1)) == [100]
    assert set(lengths(300, Options())) < set(lengths(150, Options(max_arms=30)) + lengths(300, Options(max_arms=60)))


@pytest.mark.parametrize("options", [Options(), Options(step=1), Options(step=7, max_arms=3), Options(max_arms=1)])
def test_the_longest_filler_is_as_long_as_the_longest_chain(options):
    for longest in range(1, 700):
        repeats = lengths(longest, options)
        assert repeats[-1] == longest
        assert repeats == sorted(set(repeats))
        assert len(repeats) <= options.max_arms


def test_the_plan_counts_as_many_fillers_as_are_asked_for():
    probe = PROBES["filler_tokens"]
    for longest in (3, 23, 69, 512):
        arms = probe.arms(Shape(chains=1, steps=4, tokens=longest), Options())
        assert [arm.chain_tokens for arm in arms] == lengths(longest, Options())
    _, chains, rows = run()
    for item in ITEMS:
        asked = [r.observation.position for r in of(rows, "filler_tokens") if r.item == item]
        assert asked == lengths(max(c.n_tokens for c in chains if c.item_id == item.id), Options())


@pytest.mark.parametrize("name", ALL)
def test_planned_arms_are_those_that_run(name):
    from cotfaith.schemas.spec import ProbeSpec

    _, chains, rows = run(items=ITEMS[:1], chains=1)
    probe, options = find_probe(ProbeSpec(name=name))
    planned = probe.arms(Shape(1, len(chains[0].steps), chains[0].n_tokens), options)
    assert len(planned) == len(of(rows, name))


OK = Answer(Status.OK, "A")


def returning(*rows):
    yield []
    return list(rows)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda chain, ask, options: 5, "expected a coroutine"),
        (lambda chain, ask, options: 1 / 0, "ZeroDivisionError"),
        (lambda chain, ask, options: (x for x in [5]), "expected a list of requests, got 5"),
        (lambda chain, ask, options: (x for x in [[5]]), r"expected a list of requests, got \[5\]"),
        (lambda chain, ask, options: returning(Observation(5, OK)), "arm 5, expected str"),
        (lambda chain, ask, options: returning(Observation("a", OK, step="three")), "step 'three', expected int"),
        (lambda chain, ask, options: returning(Observation("a", OK, text="\ud83d")), "half of a character"),
        (lambda chain, ask, options: returning(Observation("a", None)), "answer None, expected Answer"),
        (lambda chain, ask, options: returning(Observation("a", OK), Observation("a", OK)), "the arm 'a' twice"),
    ],
)
def test_a_probe_that_errs_costs_its_own_rows_and_no_other(monkeypatch, run, words):
    monkeypatch.setitem(PROBES.things, "no_cot", replace(PROBES["no_cot"], run=run))
    shard = work(items=ITEMS[:1], chains=1)
    engines = {"subject": StubEngine(shard.model)}
    rows = shard.run_probes(shard.sample_chains(engines), ALL, engines)
    (row,) = of(rows, "no_cot")
    assert row.observation.answer.status is Status.ITEM_ERROR
    assert re.search(words, row.observation.answer.error)
    assert {row.observation.answer.status for row in of(rows, "early_answering")} == {Status.OK}
    observations_table(RowKey("r", "m", "t"), rows)  # can be written
