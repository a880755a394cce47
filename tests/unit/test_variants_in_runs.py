"""Variants in whole runs of a stub: each is a piece of its own, and adding one computes it and nothing else.

In this process, without Ray. Every test compares with a run that was made in one go, or counts requests.
"""

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from recorder import Recorder
from runs_here import begin_only, without_ray
from whole_runs import assert_same, commits, damage, tables

from cotfaith.cluster.fleet.run import Again, execute
from cotfaith.cluster.plan.costs import CHAINS, stage_costs
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.cluster.storage.verify import verify
from cotfaith.schemas.errors import RunConflictError, SpecError
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.variants import Framing, Variant
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.interventions import INTERVENTIONS
from cotfaith.workers.interventions.lib.intervention import Intervention
from cotfaith.workers.probes.lib.probe import NoOptions

ROWS = [
    {
        "id": f"i{n}",
        "question": f"Which is number {n}?",
        "choices": [f"one {n}", f"two {n}", f"three {n}"],
        "gold": n % 3,
    }
    for n in range(5)
]
FIELDS = {"id": "id", "question": "question", "choices": "choices", "gold": "gold"}
ARMS = ["suggested_answer.wrong", "suggested_answer.correct", "suggested_answer.neutral"]


@pytest.fixture
def spec(tmp_path):
    """A function that returns a spec whose run is in a folder of this name."""
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def made(name="run", **changes):
        content = {
            "models": [{"id": "m", "engine": "stub", "options": {"max_steps": 2}}],
            "tasks": [{"name": "t", "file": str(tmp_path / "items.jsonl"), "fields": FIELDS}],
            "sampling": {"chains_per_item": 2},
            "probes": ["no_cot", "early_answering", "transfer"],
            "resources": {"shard_size": 3},
            "output": {"path": str(tmp_path / name), "max_failed_share": 1.0},
        }
        return parse_spec(content | changes)

    return made


@pytest.fixture
def asked(monkeypatch):
    """What the stub was asked since the last clearing: "generate" and "score" requests."""
    counts = Counter()
    for method in ("generate", "score"):
        own = getattr(StubEngine, method)

        def counted(self, requests, own=own, method=method):
            counts[method] += len(requests)
            return own(self, requests)

        monkeypatch.setattr(StubEngine, method, counted)
    return counts


@pytest.fixture
def run(spec, monkeypatch):
    """Do a run; return its store and what was said."""
    without_ray(monkeypatch)

    def do(name="run", again=None, **changes):
        own, said = spec(name, **changes), Recorder()
        execute(own, said, again)
        return open_store(own.output), said

    return do


@pytest.fixture
def mine():
    """Register an intervention ``mine`` whose arms all put a text before the question."""
    before = dict(INTERVENTIONS.things)

    def variants(item, options, random):
        return tuple(Variant("mine", arm, framing=Framing(before=f"Mine, {arm}.")) for arm in ("one", "two"))

    INTERVENTIONS.register(Intervention("mine", NoOptions, variants, "ours", arms=("one", "two")))
    yield
    INTERVENTIONS.things.clear()
    INTERVENTIONS.things.update(before)


def count(store, table, *columns):
    return dict(read_tables(store)[table].group_by(*columns).len().rows())


def test_adding_an_intervention_computes_its_variants_and_nothing_else(run, asked):
    store, _ = run()
    before, plain, objects = commits(store), tables(store), {key: store.get(key) for key in store.list("_parts/")}
    asked.clear()
    run(interventions=["suggested_answer"])
    assert asked == {"generate": 3 * 5 * 2, "score": 3 * 5 * 2 + 3 * 5}  # chains; their answers, and no_cot
    assert {key: store.get(key) for key in objects} == objects
    assert {key: commits(store)[key].attempt for key in before} == {key: one.attempt for key, one in before.items()}
    new = [piece for key, one in commits(store).items() if key not in before for piece in one.pieces]
    assert {piece.variant for piece in new} == set(ARMS)
    assert {piece.probe for piece in new} == {None, "no_cot"}
    for name, frame in plain.items():
        now = tables(store)[name]
        assert (now if name == "items" else now.filter(pl.col("variant") == "plain")).equals(frame)
    assert_same(store, run("whole", interventions=["suggested_answer"])[0])
    asked.clear()
    run(interventions=["suggested_answer"])
    assert not asked


def test_arms_probes_and_interventions_are_added_one_by_one(run, asked, mine):
    store, _ = run(interventions=[{"name": "suggested_answer", "arms": ["wrong"]}])
    asked.clear()
    run(interventions=[{"name": "suggested_answer", "arms": ["neutral", "wrong"]}])
    assert asked == {"generate": 5 * 2, "score": 5 * 2 + 5}
    asked.clear()
    run(interventions=["suggested_answer", "mine"])
    assert asked == {"generate": 3 * 5 * 2, "score": 3 * 5 * 2 + 3 * 5}
    asked.clear()
    both = {"interventions": ["suggested_answer", "mine"]}
    more = {"probes": ["no_cot", {"name": "early_answering", "variants": [ARMS[0], "plain"]}, "transfer"]}
    run(**both, **more)
    wrong = read_tables(store)["observations"].filter(variant=ARMS[0], probe="early_answering")
    assert asked == {"score": wrong.height}
    assert_same(store, run("whole", **both, **more)[0])


def test_a_spec_without_the_intervention_leaves_its_rows(run, asked):
    store, _ = run(interventions=["suggested_answer"])
    rows = count(store, "chains", "variant")
    asked.clear()
    run()
    assert not asked
    assert count(store, "chains", "variant") == rows == dict.fromkeys(["plain", *ARMS], 10)
    assert completeness(store, load_run(store)).whole
    run(interventions=["suggested_answer"])
    assert not asked
    with pytest.raises(RunConflictError, match=r"suggested_answer of t.options.text: the run has \"I think the"):
        run(interventions=[{"name": "suggested_answer", "options": {"text": "Is it {answer}?"}}])


def test_a_file_that_an_intervention_reads_counts_whole(run, tmp_path):
    """Its last example is shown to no item here; with k=1 it would be, to an item that is itself the first example."""
    file = tmp_path / "examples.jsonl"
    rows = [{"question": f"Which is {one}?", "choices": [one, "x"], "gold": "A"} for one in ("red", "blue")]
    file.write_text("\n".join(map(json.dumps, rows)))
    visual = {"name": "hint_visual_pattern", "options": {"examples": {"file": str(file), "k": 1}}}
    task = {"name": "t", "generator": "tracking_objects", "n": 2}
    run(interventions=[visual], tasks=[task])
    run(interventions=[visual], tasks=[task])
    file.write_text("\n".join(map(json.dumps, [rows[0], rows[1] | {"question": "Which is green?"}])))
    with pytest.raises(RunConflictError, match=r"hint_visual_pattern of t.files.*examples.jsonl: the run has"):
        run(interventions=[visual], tasks=[task])


def test_a_run_without_interventions_is_written_as_before(run):
    store, _ = run()
    record = json.loads(store.get("run.json"))
    assert not {"variants", "probe_variants"} & set(record)
    assert "interventions" not in record["identity"]


def test_other_words_or_targets_of_an_intervention_contradict_the_run(run, mine):
    store, _ = run(interventions=["mine"])
    before = store.get("run.json")
    INTERVENTIONS.things["mine"] = Intervention(
        "mine",
        NoOptions,
        lambda item, options, random: tuple(Variant("mine", arm) for arm in ("one", "two")),
        "ours",
        arms=("one", "two"),
    )
    with pytest.raises(RunConflictError, match=r"interventions.mine of t.texts: the run has \"\w+\", the spec \"\w+\""):
        run(interventions=["mine"])
    assert store.get("run.json") == before


def test_rows_name_variant_intervention_target_and_the_gold_is_never_a_wrong_one(run):
    store, _ = run(interventions=["suggested_answer"], probes=["no_cot", {"name": "transfer", "variants": "all"}])
    found = read_tables(store)
    golds = dict(found["items"].select("item_id", "gold").rows())
    for table in ("chains", "observations"):
        assert set(found[table]["variant"]) == {"plain", *ARMS}
        for row in found[table].iter_rows(named=True):
            arm = row["variant"].partition(".")[2]
            assert row["intervention"] == ("suggested_answer" if arm else None)
            gold = golds[row["item_id"]]
            assert {"": row["target"] is None, "neutral": row["target"] is None, "correct": row["target"] == gold}.get(
                arm, row["target"] in set("ABC") - {gold}
            )
            assert row["correct"] == (row["answer"] == gold)
    wrong = found["chains"].filter(variant=ARMS[0])
    for row in wrong.iter_rows(named=True):
        assert f"I think the answer is ({row['target']}) but" in row["prompt"]
    assert found["observations"].filter(variant=ARMS[0], probe="transfer")["reader"].unique().to_list() == ["m"]


def test_the_chains_of_variants_have_random_streams_of_their_own(run):
    chains = read_tables(run(interventions=["suggested_answer"])[0])["chains"]
    assert chains["seed"].n_unique() == chains.height == 4 * 5 * 2


def test_a_stub_that_follows_hints_answers_what_the_arms_push_towards(run):
    """Known truth: with hints always followed, every answer under an arm with a target is its target."""
    model = {"id": "m", "engine": "stub", "options": {"follows_hints": 1.0, "names_hints": 1.0}}
    found = read_tables(run(interventions=["suggested_answer"], models=[model])[0])
    for table in ("chains", "observations"):
        pushed = found[table].filter(
            pl.col("target").is_not_null(), pl.col("probe") == "no_cot" if table[0] == "o" else True
        )
        assert (pushed["answer"] == pushed["target"]).all()
    assert found["chains"].filter(variant=ARMS[1])["correct"].all()
    assert not found["chains"].filter(variant=ARMS[0])["correct"].any()
    named = found["chains"].with_columns(named=pl.col("text").str.contains("The hint says "))
    assert dict(named.group_by("variant").agg(pl.col("named").all()).rows()) == {
        "plain": False,
        ARMS[0]: True,
        ARMS[1]: True,
        ARMS[2]: False,
    }


def test_hints_are_followed_on_the_same_items_in_all_arms(run):
    model = {"id": "m", "engine": "stub", "options": {"follows_hints": 0.5, "names_hints": 1.0}}
    chains = read_tables(run(interventions=["suggested_answer"], models=[model])[0])["chains"]
    follows = {
        arm: set(chains.filter(pl.col("text").str.contains("The hint"), variant=arm)["item_id"]) for arm in ARMS[:2]
    }
    assert follows[ARMS[0]] == follows[ARMS[1]]
    assert 0 < len(follows[ARMS[0]]) < 5


def test_a_damaged_part_of_a_variant_is_done_again_and_nothing_else(run, asked):
    store, _ = run(interventions=["suggested_answer"])
    whole, _ = run("whole", interventions=["suggested_answer"])
    (part,) = [p.key for c in commits(store).values() for p in c.parts if p.table == "chains" and c.start == 3]
    damage(store, part, "cut")
    assert verify(store, load_run(store)).lost == {part}
    asked.clear()
    _, said = run(again=Again(damaged=True), interventions=["suggested_answer"])
    assert asked == {"generate": 4 * 2 * 2, "score": 4 * 2 * 2}  # the two items' chains, which came out the same
    assert any("Done again" in text for text in said.said)
    assert_same(store, whole)


def test_a_damaged_part_that_the_spec_leaves_out_is_named_with_its_variant(run):
    store, _ = run()
    before = commits(store)
    run(interventions=["suggested_answer"])
    new = [one for key, one in commits(store).items() if key not in before]
    damage(store, next(p.key for c in new for p in c.parts if p.table == "chains"), "cut")
    _, said = run(again=Again(damaged=True))
    assert any("chains of cot under suggested_answer.wrong" in text for text in said.warned)


def test_a_larger_limit_renews_cut_chains_of_variants(run):
    short, long = ({"chains_per_item": 2, "max_tokens": limit} for limit in (60, 400))
    more = {"interventions": ["suggested_answer"], "models": [{"id": "m", "engine": "stub"}], "probes": ["no_cot"]}
    store, _ = run(**more, sampling=short)
    cut = read_tables(store)["chains"].filter(finish_reason="length")
    assert set(cut["variant"]) == {"plain", *ARMS}
    run(**more, sampling=long)
    assert_same(store, run("whole", **more, sampling=long)[0])


def test_a_run_with_variants_grows_in_items(run, spec, asked, tmp_path):
    store, _ = run(interventions=["suggested_answer"], tasks=[{**spec().tasks[0].model_dump(), "n": 2}])
    asked.clear()
    run(interventions=["suggested_answer"])
    assert asked["generate"] == 4 * 3 * 2
    assert completeness(store, load_run(store)).whole


def test_strategies_and_variants_multiply(run):
    store, _ = run(interventions=["suggested_answer"], strategies=["cot", "cot_decomposition"])
    assert count(store, "chains", "variant") == dict.fromkeys(["plain", *ARMS], 2 * 10)
    prompts = read_tables(store)["chains"].filter(strategy="cot_decomposition", variant=ARMS[1])["prompt"]
    assert all("I think the answer is (" in prompt for prompt in prompts)


def test_an_interrupted_run_says_what_of_its_variants_is_missing(run, spec, monkeypatch):
    store, _ = run()
    with monkeypatch.context() as patch:
        begin_only(patch)
        run(interventions=["suggested_answer"])
    found = completeness(store, load_run(store))
    assert (found.done, found.total) == (0, 2)
    run(interventions=["suggested_answer"])
    assert completeness(store, load_run(store)).whole


def test_an_item_that_is_given_up_has_rows_in_each_variant(run, monkeypatch):
    """Quarantine is of an item; its variants that were never made say so, and the finished ones stay."""
    from cotfaith.cluster.fleet import jobs

    store, _ = run()
    made = jobs.Jobs._job
    monkeypatch.setattr(jobs.Jobs, "_job", lambda self, shard, ids, *rest: _gave_up(made(self, shard, ids, *rest)))
    run(interventions=["suggested_answer"])
    chains = read_tables(store)["chains"]
    assert set(chains.filter(item_id="i1")["variant"]) == {"plain", *ARMS}
    lost = chains.filter(status="quarantined")
    assert (set(lost["item_id"]), set(lost["variant"])) == ({"i1"}, set(ARMS))


def _gave_up(job):
    from dataclasses import replace

    given_up = {item.id for item in job.items} & {"i1"}
    return replace(job, quarantined=dict.fromkeys(given_up, "it ended its engine"), chainless=frozenset(given_up))


def test_the_plan_counts_each_variant_as_the_run_asks(run, spec, asked, tmp_path):
    probes = ["no_cot", {"name": "step_deletion", "variants": [ARMS[0]]}, "transfer"]
    own = spec(interventions=["suggested_answer"], probes=probes)
    lines = {(one.stage, one.variant): one for one in stage_costs(make_plan(own))}
    chains, no_cot = 5 * 2 * 2, 5
    assert {variant: lines[CHAINS, variant].requests for variant in ("plain", *ARMS)} == dict.fromkeys(
        ["plain", *ARMS], chains
    )
    assert {variant: lines["no_cot", variant].requests for variant in ("plain", *ARMS)} == dict.fromkeys(
        ["plain", *ARMS], no_cot
    )
    assert {variant for stage, variant in lines if stage == "step_deletion"} == {ARMS[0]}
    assert {variant for stage, variant in lines if stage == "transfer"} == {"plain"}
    assert [one.items for one in lines.values() if one.items] == [5]
    run(interventions=["suggested_answer"], probes=["no_cot", "transfer"])
    planned = sum(one.requests for (stage, _), one in lines.items() if stage != "step_deletion")
    assert asked.total() == planned == 4 * (chains + no_cot) + 10
    wrong, plain = lines[CHAINS, ARMS[0]], lines[CHAINS, "plain"]
    suggestion = len("\n\nI think the answer is (B) but I'm curious to hear what you think.")
    assert wrong.prompt_tokens - plain.prompt_tokens == chains * suggestion


def test_the_run_that_is_forecast_is_the_run_that_is_done(run, spec):
    from cotfaith.cluster.fleet.forecast import make_forecast
    from cotfaith.cluster.fleet.jobs import Jobs
    from cotfaith.cluster.storage.ledger import Ledger
    from cotfaith.cluster.storage.read import read_ledger

    store, _ = run()
    own = make_plan(spec(interventions=["suggested_answer"]))
    run_now = load_run(store)
    missing = Jobs(own, run_now)
    forecast = make_forecast(missing, missing.of_subjects(read_ledger(store)), read_ledger(store))
    left = forecast.to_do.left()
    assert {(one.name, one.variant): n for one, n in left.items()} == {
        (name, variant): 5 for name in ("chains", "no_cot") for variant in ARMS
    }
    assert {one.variant for one in forecast.whole} == {"plain", *ARMS}
    assert sum(forecast._planned(one).requests * n for one, n in left.items()) == 3 * (20 + 5)
    whole = make_forecast(missing, missing.of_subjects(Ledger()), Ledger())
    assert sum(whole.to_do.left().values()) == 4 * (5 + 5) + 5 + 5


class TestRefused:
    def refused(self, spec, words, kind=SpecError, **changes):
        with pytest.raises(kind, match=words):
            make_plan(spec(**({"interventions": ["suggested_answer"]} | changes)))

    def test_names(self, spec):
        self.refused(spec, "Unknown intervention 'nope'", interventions=["nope"])
        self.refused(spec, "intervention given twice: suggested_answer", interventions=["suggested_answer"] * 2)
        self.refused(
            spec,
            r"probes.no_cot.variants: Unknown variant 'suggested_answer.wron'. Did you mean 'suggested_answer.wrong'",
            probes=[{"name": "no_cot", "variants": ["suggested_answer.wron"]}],
        )

    def test_variants_of_arms_that_are_left_out(self, spec):
        self.refused(
            spec,
            "Unknown variant 'suggested_answer.neutral'",
            interventions=[{"name": "suggested_answer", "arms": ["wrong"]}],
            probes=[{"name": "no_cot", "variants": [ARMS[2]]}],
        )

    def test_a_shuffle_of_choices_that_a_framing_names(self, spec):
        words = r"probes.answer_order.variants: it applies to none of the items under suggested_answer"
        self.refused(spec, words, probes=[{"name": "answer_order", "variants": "all"}])
        make_plan(spec(interventions=["suggested_answer"], probes=["answer_order"]))

    def test_open_tasks(self, spec):
        tasks = [{"name": "sums", "generator": "addition", "n": 2}]
        self.refused(
            spec, "task 'sums', item 'sums-000000', intervention 'suggested_answer': no wrong", Exception, tasks=tasks
        )

    def test_chains_that_come_with_their_items(self, spec, tmp_path):
        row = {"question": "q", "choices": ["x", "y"], "gold": "x", "steps": ["One."], "answer": "x", "label": True}
        (tmp_path / "chains.jsonl").write_text(json.dumps(row) + "\n")
        tasks = [{"name": "c", "file": str(tmp_path / "chains.jsonl"), "adapter": "labelled_chains"}]
        words = "tasks.c: its items come with their chains, which no intervention can change"
        self.refused(spec, words, tasks=tasks)


def test_one_chain_an_item_is_noted(spec):
    one = make_plan(spec(interventions=["suggested_answer"], sampling={"chains_per_item": 1})).notes
    assert any("Set it to 2 or more for the excess over resampling" in note for note in one)
    assert not any("resampling" in note for note in make_plan(spec(interventions=["suggested_answer"])).notes)
    assert not any("resampling" in note for note in make_plan(spec(sampling={"chains_per_item": 1})).notes)


def test_commands_show_variants(run, spec, cli, tmp_path, monkeypatch):
    run(interventions=["suggested_answer"])
    monkeypatch.chdir(tmp_path)
    import yaml

    Path("s.yaml").write_text(yaml.safe_dump(spec(interventions=["suggested_answer"]).model_dump(mode="json")))
    code, out, _ = cli("plan", "s.yaml")
    assert (code, [one in out for one in ("By variant", *ARMS)]) == (0, [True] * 4)
    code, out, _ = cli("plan", "s.yaml", "--json")
    own = {one["variant"]: one["requests"] for one in json.loads(out)["variants"]}
    assert own[ARMS[0]] == 25 < own["plain"]
    code, out, _ = cli("plan", "s.yaml", "--show-prompts")
    assert "the chain under suggested_answer.wrong: m, t, item i0" in out
    assert "no_cot under suggested_answer.neutral: m, t, item i0" in out
    assert "early_answering under" not in out
    code, out, _ = cli("show", "run", "--variant", ARMS[0], "--json")
    assert {one["variant"] for one in json.loads(out)["items"]} == {ARMS[0]}
    code, out, _ = cli("show", "run", "i1", "--variant", ARMS[0], "--json")
    found = json.loads(out)
    assert {row["variant"] for name in ("chains", "observations") for row in found[name]} == {ARMS[0]}
    code, out, _ = cli("show", "run")
    assert "suggested_answer.wrong" in out
    code, _, err = cli("show", "run", "--variant", "suggested_answer.wron")
    assert (code, "Unknown variant 'suggested_answer.wron'. Did you mean" in " ".join(err.split())) == (2, True)
    assert cli("status", "run")[0] == cli("verify", "run")[0] == 0
