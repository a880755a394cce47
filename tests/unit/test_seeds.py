"""Every row with sampled text names the seed, and the seed reproduces the text."""

from collections import defaultdict

import pytest

from cotfaith.schemas.records import READER, Item, Supplied
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import GenerateRequest
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.probes import PROBES
from cotfaith.workers.shard.rows import RowKey, chains_from_table, chains_table, observations_table
from cotfaith.workers.shard.work import ShardWork, own_stream
from cotfaith.workers.text.codec import ByteCodec

ITEMS = (
    Item("a", "Which is red?", "B", "choice", ("sky", "blood", "grass")),
    Item("b", "How much is 2 + 2?", "4", "number"),
    Item("c", "Is water wet?", "true", "boolean", ("Yes", "No")),
)
RUN = [name for name, probe in PROBES.items() if probe.reader_role == READER]
"""The probes that need no model besides the subject and an editor."""
SAMPLING_PROBES = {"adding_mistakes", "counterfactual", "paraphrasing", "resampling", "answer_order"}


class Remembering(StubEngine):
    """A stub that records its requests and texts by seed."""

    def __init__(self, spec):
        super().__init__(spec)
        self.written = defaultdict(list)

    def generate(self, requests):
        generations = super().generate(requests)
        for request, generation in zip(requests, generations, strict=True):
            self.written[request.seed].append((request, generation))
        return generations


def run(strategy="cot", editor="rules", items=ITEMS, **sampling):
    """Run every probe; return the engines, the shard, the rows of its chains and of its probes."""
    spec = parse_spec(
        {
            "models": [{"id": "m", "engine": "stub"}, {"id": "e", "engine": "stub", "roles": ["editor"]}],
            "tasks": [{"name": "t", "generator": "addition"}],
            "sampling": {"chains_per_item": 2, **sampling},
            "probes": [{"name": name} for name in RUN],
            "editor": {"by": editor},
            "embedder": {"by": "lexical"},
        }
    )
    subject, writer = spec.models
    engines = {"subject": Remembering(subject), "editor": Remembering(writer)}
    shard = ShardWork(spec, subject, spec.tasks[0], strategy, tuple(items), ByteCodec())
    chains = shard.sample_chains(engines)
    rows = shard.run_probes(chains, RUN, engines)
    key = RowKey("r", "m", "t")
    observed = observations_table(key, rows).to_pylist()
    table = chains_table(key, items, chains)
    assert chains_from_table(table) == chains
    return engines, shard, table.to_pylist(), observed


def text_of(request, engine):
    (generation,) = engine.generate([request])
    return bytes(generation.tokens).decode()


@pytest.mark.parametrize("strategy", ["cot", "cot_decomposition"])
def test_every_probe_that_samples_records_the_seed_that_gives_the_text_again(strategy):
    engines, shard, chains, rows = run(strategy)
    sampled = [row for row in rows if row["n_tokens"] is not None]
    assert {row["probe"] for row in sampled} == SAMPLING_PROBES
    fresh = StubEngine(shard.model)
    for row in [*sampled, *chains]:
        ((request, _),) = engines["subject"].written[row["seed"]]
        text = text_of(request, fresh)
        assert len(text.encode()) == row["n_tokens"] > 0
        assert row["text"].endswith(text)
    assert len({row["seed"] for row in [*sampled, *chains]}) == len(sampled) + len(chains)


def test_rows_that_sampled_nothing_have_no_seed():
    _, _, _, rows = run()
    others = [row for row in rows if row["n_tokens"] is None]
    assert {row["probe"] for row in others} >= {"no_cot", "early_answering", "filler_tokens", "step_deletion"}
    assert {row["seed"] for row in others} == {None}


def test_a_text_that_the_limit_cut_has_its_seed_too():
    engines, shard, chains, rows = run(max_tokens=30)
    cut = [row for row in chains if row["status"] == Status.TRUNCATED]
    assert cut
    for row in cut:
        ((request, _),) = engines["subject"].written[row["seed"]]
        assert text_of(request, StubEngine(shard.model)) == row["text"]
    for row in (row for row in rows if row["text"] and row["probe"] in SAMPLING_PROBES):
        assert row["seed"] is not None


def test_a_chain_that_failed_says_which_seed_failed():
    spec_items = (Item("a", "Which is poison?", "B", "choice", ("sky", "blood")),)
    engines, shard, _, _ = run(items=spec_items)
    asked = {seed for seed, found in engines["subject"].written.items() if found[0][0].temperature}
    model = shard.model.model_copy(update={"options": {"fail_on": "poison"}})
    for chain in shard.sample_chains({"subject": StubEngine(model)}):
        assert chain.status is Status.ENGINE_ERROR
        assert chain.seed in asked


def test_chains_that_came_with_their_items_have_none():
    item = Item("a", "Which is red?", "B", "choice", ("sky", "blood"), supplied=Supplied(("One.", " Two.")))
    _, _, chains, _ = run(items=(item,))
    assert [(row["finish_reason"], row["seed"]) for row in chains] == [("supplied", None)]


def test_a_chain_of_several_requests_has_the_seed_that_theirs_are_made_of():
    engines, shard, chains, rows = run("factored_decomposition")
    sampled = [row for row in rows if row["n_tokens"]]
    assert sampled
    for row in [*sampled, *chains]:
        first = derive_seed(row["seed"], 1)
        ((request, generation),) = engines["subject"].written[first]
        assert StubEngine(shard.model).generate([request]) == [generation]


def test_what_an_editor_drew_can_be_drawn_again():
    _, shard, chains, rows = run(editor="rules")
    steps = {(row["item_id"], row["chain_index"]): row["steps"] for row in chains}
    edited = [row for row in rows if row["probe"] in ("adding_mistakes", "paraphrasing") and row["edit"] is not None]
    assert edited
    assert all(row["edit_seeds"] for row in edited)
    for row in edited:
        own = steps[row["item_id"], row["chain_index"]]
        kind = "mistake" if row["probe"] == "adding_mistakes" else "paraphrase"
        old = [own[row["step"] - 1]] if kind == "mistake" else own[: int(row["position"])]
        editor = shard._editor
        again = [getattr(editor, kind)(step, seed).text for step, seed in zip(old, row["edit_seeds"], strict=True)]
        assert "".join(again) == row["edit"]


def test_an_edit_by_a_model_has_the_seed_of_the_try_that_wrote_it():
    engines, _, _, rows = run(editor="e")
    edited = [row for row in rows if row["edit_seeds"] and row["editor"] == "e"]
    assert edited
    for row in edited:
        for seed in row["edit_seeds"]:
            ((request, _),) = engines["editor"].written[seed]
            assert isinstance(request, GenerateRequest)
            assert request.temperature > 0


def test_shuffled_choices_were_not_drawn_by_an_editor_s_seed():
    _, _, _, rows = run()
    assert {row["edit_seeds"] is None for row in rows if row["probe"] == "answer_order"} == {True}


def seeds_of(strategy, probes=("resampling",)):
    """The seeds of the chains, and of what the probes sampled, in the order of the rows."""
    content = {"models": [{"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}
    spec = parse_spec(content | {"sampling": {"chains_per_item": 2}, "probes": list(probes)})
    shard = ShardWork(spec, spec.models[0], spec.tasks[0], strategy, ITEMS[:2], ByteCodec())
    engines = {"subject": StubEngine(spec.models[0])}
    chains = shard.sample_chains(engines)
    rows = shard.run_probes(chains, probes, engines)
    return [chain.seed for chain in chains], [row.observation.seed for row in rows]


def test_plain_chains_of_thought_are_drawn_from_the_streams_that_they_always_had():
    """Golden: with other seeds, a run that grows would mix two experiments."""
    chains, probed = seeds_of("cot")
    assert chains == [6311254925151406963, 6985498137916376454, 6384001487122481157, 5197267550602182308]
    assert probed[:3] == [309420706079734319, 7059971232657975207, 7864261445638287853]
    assert derive_seed(0, "m", "t", "a", 0, "chain", *own_stream("cot")) == 173455934728748664
    assert derive_seed(7, "m", "t", "a", -1, "no_cot", *own_stream("cot", "plain")) == 7217404488609205416


def test_each_strategy_and_variant_is_drawn_from_streams_of_its_own():
    found = {name: seeds_of(name) for name in ("cot", "cot_decomposition")}
    for kind in (0, 1):
        drawn = [seed for one in found.values() for seed in one[kind]]
        assert len(set(drawn)) == len(drawn) > 4
    names = ("cot", "cot_decomposition", "factored_decomposition", "plain", "x")
    streams = [own_stream(name, variant) for name in names for variant in ("plain", "cot", "x")]
    assert len(set(streams)) == len(streams)
    assert own_stream("cot") == ()
