"""The costs that a plan states for a spec, and the speed of a run. Stub models: tokens are bytes."""

import io
import json

import pytest
from rich.console import Console

from cotfaith.cluster.cli.tables import cost_table
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.fleet.shard_task import run_job
from cotfaith.cluster.plan.costs import Cost, costs, stage_costs
from cotfaith.cluster.plan.identity import identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.rates import busy_s, measured, measured_rates
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.workers.engines.stub.engine import StubEngine

ITEMS, CHAINS, TOKENS = 3, 2, 60  # 60 tokens are three steps of 20
KINDS = ("requests", "generated_tokens", "prompt_tokens", "distinct_tokens")


@pytest.fixture
def task(tmp_path):
    """Choices of one length, so that all prompts have the same length."""
    lines = [{"q": f"Which of the two is number {i}?", "c": ["this", "that"], "g": "A"} for i in range(ITEMS)]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, lines)))
    fields = {"question": "q", "choices": "c", "gold": "g"}
    return {"name": "t", "file": str(tmp_path / "items.jsonl"), "fields": fields}


@pytest.fixture
def make(task, tmp_path):
    def made(*probes, models=("m",), **changes):
        named = [{"id": m, "engine": "stub"} if isinstance(m, str) else m for m in models]
        content = {"models": named, "tasks": [task], "probes": list(probes), "sampling": {"chains_per_item": CHAINS}}
        return make_plan(parse_spec(content | {"output": {"path": str(tmp_path / "run")}} | changes))

    return made


@pytest.fixture
def frame(make):
    """The bytes before a chain and after it, in one item's prompts."""
    from cotfaith.workers.text.codec import ByteCodec
    from cotfaith.workers.text.templates import Templates

    plan = make()
    templates, item = Templates(plan.spec.models[0], plan.spec.prompts, ByteCodec()), plan.items["t"][0]
    question = len(templates.cot(item).encode())
    return question, len(templates.answer_after(item, "").encode()) - question


def line(plan, model="m"):
    (found,) = [cost for cost in costs(plan, TOKENS) if cost.model == model]
    return tuple(getattr(found, kind) for kind in KINDS)


def added(make, probe, model="m", **more):
    """What a probe adds to a model's line."""
    with_probe, without = line(make(probe, **more), model), line(make(**more))
    return with_probe if model != "m" else tuple(a - b for a, b in zip(with_probe, without, strict=True))


def test_chains_alone(make, frame):
    question, suffix = frame
    chains = ITEMS * CHAINS
    assert line(make()) == (
        2 * chains,
        chains * TOKENS,
        chains * (2 * question + TOKENS + suffix),
        ITEMS * question + chains * (TOKENS + suffix),
    )


def test_early_answering_shares_the_chain(make, frame):
    question, suffix = frame
    times = ITEMS * CHAINS
    lengths = (0, 20, 40, 60)
    assert added(make, "early_answering") == (
        4 * times,
        0,
        times * sum(question + suffix + kept for kept in lengths),
        times * 4 * suffix,
    )


def test_step_deletion_computes_what_follows_anew(make, frame):
    question, suffix = frame
    times = ITEMS * CHAINS
    assert added(make, "step_deletion") == (
        3 * times,
        0,
        times * 3 * (question + suffix + 40),
        times * (3 * suffix + 40 + 20 + 0),
    )


def test_likelihoods_share_no_prompt_and_generate_nothing(make, frame):
    question, suffix = frame
    times, sets = ITEMS * CHAINS, 2 + 2 * 2
    probe = {"name": "cc_shap", "options": {"segments": 3, "orders": 2}}
    one = question + suffix
    asked = times * sets * (one + one + TOKENS)
    assert added(make, probe) == (2 * sets * times, 0, asked, asked)


def test_mistakes_are_written_continued_and_answered(make, frame):
    question, suffix = frame
    times = ITEMS * CHAINS
    editor = {"id": "e", "engine": "stub", "roles": ["editor"]}
    more = {"models": ("m", editor)}
    assert added(make, "adding_mistakes", **more) == (
        2 * 3 * times,  # the rest, and the answer; after the last step the rest is still requested
        times * (40 + 20 + 1),
        times * (3 * (question + suffix + 60) + sum(question + 60 - new for new in (40, 20, 1))),
        times * (60 + 40 + 20 + 3 * suffix),
    )
    requests, generated, prompt, distinct = added(make, "adding_mistakes", model="e", **more)
    assert requests == 2 * 3 * times  # the edit, and whether it is plausible
    assert generated == times * 60
    assert distinct == 2 * times * 60
    assert prompt > distinct  # each comes with the editor's examples


def test_stages_are_the_parts_of_a_line(make):
    editor = {"id": "e", "engine": "stub", "roles": ["editor"]}
    more = {"models": ("m", editor)}
    probes = ("no_cot", "early_answering", "adding_mistakes")
    parts = stage_costs(make(*probes, **more), TOKENS)
    assert [(one.model, one.stage) for one in parts] == [
        ("m", "chains"),
        *(("m", probe) for probe in probes),
        ("e", "adding_mistakes"),
    ]
    of_stage = {(one.model, one.stage): tuple(getattr(one, kind) for kind in KINDS) for one in parts}
    assert of_stage["m", "chains"] == line(make(**more))
    for probe in probes:
        assert of_stage["m", probe] == added(make, probe, **more)
    assert of_stage["e", "adding_mistakes"] == line(make(*probes, **more), "e")
    assert [(one.items, one.shards) for one in parts] == [(ITEMS, 1), *[(0, 0)] * 4]


def test_no_line_for_an_editor_that_nothing_needs(make):
    plan = make("no_cot", models=("m", {"id": "e", "engine": "stub", "roles": ["editor"]}))
    assert [cost.model for cost in costs(plan)] == ["m"]


def test_a_subject_that_edits_pays_for_it(make):
    own = line(make("adding_mistakes"))
    other = {"models": ("m", {"id": "e", "engine": "stub", "roles": ["editor"]})}
    parts = [line(make("adding_mistakes", **other), model) for model in "me"]
    assert own == tuple(map(sum, zip(*parts, strict=True)))


def test_readers_pay_for_what_they_read(make, frame):
    question, suffix = frame
    reading = ITEMS * CHAINS * (question + TOKENS + suffix)
    alone = {model: line(make(models="mn"), model) for model in "mn"}
    for model in "mn":
        both = line(make("transfer", models="mn"), model)
        assert both[2] - alone[model][2] == 2 * reading
        # The other model's text is new to a reader; the suffix follows both chains.
        assert both[3] - alone[model][3] == ITEMS * (question + CHAINS * (TOKENS + 2 * suffix))
    named = {"name": "transfer", "options": {"readers": ["n"]}}
    assert line(make(named, models="mn"), "m") == alone["m"]
    assert line(make(named, models="mn"), "n")[0] - alone["n"][0] == 2 * ITEMS * CHAINS


def test_an_unknown_reader_is_refused(make):
    with pytest.raises(SpecError, match="'n'"):
        make({"name": "transfer", "options": {"readers": ["n"]}})


def test_strategies_multiply_the_work_and_share_shards(make):
    (one,), (two,) = (costs(make("no_cot", strategies=s), TOKENS) for s in (["cot"], ["cot", "cot_decomposition"]))
    assert two.shards == one.shards == 1
    assert two.items == one.items == ITEMS
    assert two.requests == 2 * one.requests
    assert two.prompt_tokens > one.prompt_tokens


def test_chains_that_come_with_their_items_cost_their_reading_alone(tmp_path, make):
    steps = [" One and two.", " So three."]
    record = {"question": "1 + 2?", "steps": steps, "gold": "3", "choices": ["3", "4"]}
    (tmp_path / "chains.jsonl").write_text(json.dumps(record))
    task = {"name": "t", "file": str(tmp_path / "chains.jsonl"), "adapter": "chains"}
    (cost,) = costs(make("early_answering", tasks=[task]))
    assert (cost.requests, cost.generated_tokens) == (1 + 3, 0)
    longer = record | {"steps": [steps[0] + "!" * 10, steps[1]]}
    (tmp_path / "chains.jsonl").write_text(json.dumps(longer))
    (other,) = costs(make("early_answering", tasks=[task]))
    assert other.distinct_tokens - cost.distinct_tokens == 10


class TestRates:
    @pytest.mark.parametrize(
        ("spans", "seconds"),
        [
            ([], 0),
            ([(1, 3)], 2),
            ([(5, 6), (1, 3)], 3),
            ([(1, 3), (2, 5)], 4),
            ([(1, 9), (2, 3), (4, 5)], 8),
            ([(1, 2), (2, 4)], 3),
        ],
    )
    def test_overlaps_count_once(self, spans, seconds):
        assert busy_s(spans) == seconds

    @pytest.fixture
    def done(self, make):
        """A run of two models, and what their engines counted."""
        plan = make("no_cot", "early_answering", "transfer", models="mn", resources={"shard_size": 2})
        spec, store = plan.spec, LocalStore(plan_folder(plan))
        ident = identity(plan.resolved, plan.weights)
        run = open_run(store, plan.resolved, ident, plan.items)
        engines = {model.id: StubEngine(model) for model in spec.models}
        jobs = Jobs(plan, run)
        for find in (jobs.of_subjects, jobs.of_readers):
            found = find(read_ledger(store))
            assert found
            for job in found:
                run_job(job, {"subject": engines[job.model]})
            assert find(read_ledger(store)) == []
        return plan, engines

    def test_commits_hold_every_token_once(self, done):
        plan, engines = done
        found = list(read_ledger(LocalStore(plan_folder(plan))).commits())
        for model, engine in engines.items():
            own = [c for c in found if (c.reader or c.model) == model]
            once = {(c.attempt, tuple(c.timed_with)): c.tokens["subject"] for c in own}
            assert sum(once.values()) == engine.usage().prompt_tokens + engine.usage().generated_tokens > 0

    def test_a_run_has_rates(self, done):
        rates = measured_rates(done[0])
        assert set(rates) == {"m", "n"}
        assert all(rate > 0 for rate in rates.values())

    def test_another_model_of_that_name_has_none(self, done, make):
        other = {"id": "m", "engine": "stub", "options": {"max_steps": 2}}
        assert set(measured_rates(make("no_cot", models=(other, "n")))) == {"n"}

    def test_a_new_folder_has_none(self, make):
        assert measured_rates(make()) == {}

    def test_stages_have_rates_of_their_own(self, done):
        rates = measured(done[0])["m"]
        assert set(rates.stages) == {"chains", "no_cot", "early_answering", "transfer"}
        assert rates.stages["no_cot"] == rates.stages["early_answering"]  # they ran in common rounds
        slow, other = Cost("m", "t", stage="chains"), Cost("m", "t", stage="step_deletion")
        slow.prompt_tokens = other.prompt_tokens = 1000
        assert rates.seconds(slow) == 1000 / rates.stages["chains"]
        assert rates.seconds(other) == 1000 / rates.overall


def plan_folder(plan):
    from pathlib import Path

    return Path(plan.spec.output.path)


def shown(table):
    text = io.StringIO()
    Console(width=80, file=text).print(table)
    return text.getvalue()


def test_hours_are_tokens_over_the_rate(make):
    found = costs(make("no_cot", models="mn"), TOKENS)
    rate = found[0].tokens / 7200  # two hours
    lines = [row.split() for row in shown(cost_table(found, {"m": rate})).splitlines()]
    assert next(row for row in lines if row[:1] == ["m"])[-1] == "2"
    assert next(row for row in lines if row[:1] == ["n"])[-1] == "-"
    assert next(row for row in lines if row[:1] == ["all"])[-1] == "2"
    assert "hours" not in shown(cost_table(found, {}))


def test_the_table_fits_with_hours(make):
    (cost,) = costs(make("no_cot"), TOKENS)
    cost.model, cost.task = "Qwen2.5-72B-Instruct", "logical_deduction_seven_objects"
    cost.requests, cost.items, cost.shards = 111_222_333, 250_000, 15_625
    cost.prompt_tokens, cost.generated_tokens = 123_456_789_012, 10**12 - 1
    text = shown(cost_table([cost], {cost.model: 1000.0}))
    assert "…" not in text
    for number in ("111,222,333", "250,000", "15,625", "123.5G", "1T", f"{cost.tokens / 3.6e6:,.0f}"):
        assert f" {number}" in text
    assert max(map(len, text.splitlines())) <= 80
