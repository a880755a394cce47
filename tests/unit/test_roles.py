"""The models that must be up for a job: the one that answers, and those that edit or compare for its probes."""

from dataclasses import replace

import pytest
from run_records import commit, ledger, run_record

from cotfaith.cluster.fleet.deployments import Share, actors_at_once, engine_share
from cotfaith.cluster.fleet.jobs import Jobs
from cotfaith.cluster.plan.identity import check_same_run, identity
from cotfaith.cluster.plan.plan import make_plan
from cotfaith.cluster.plan.roles import helpers
from cotfaith.cluster.plan.run_record import open_run
from cotfaith.cluster.storage.completeness import wanted_pieces
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import EngineLostError, RunConflictError, SpecError
from cotfaith.schemas.run_objects import PieceName
from cotfaith.schemas.spec import ResourceSpec, parse_spec
from cotfaith.workers.probes import PROBES

M, N = ({"id": name, "engine": "stub"} for name in "mn")
E = {"id": "e", "engine": "stub", "roles": ["editor"]}
J = {"id": "j", "engine": "stub", "roles": ["judge"]}
BOTH = {"id": "n", "engine": "stub", "roles": ["subject", "judge"]}
RUN = run_record(n=4)


def plan(*probes, models=(M, N, E), **changes):
    content = {
        "models": list(models),
        "tasks": [{"name": "t", "generator": "addition", "n": 4}],
        "probes": list(probes),
        "resources": {"replicas": 2},
    }
    return make_plan(parse_spec(content | changes))


def actors(made, *found):
    return actors_at_once(made, Jobs(made, RUN).of_subjects(ledger(*found)))


def test_an_editor_model_needs_a_place_of_its_own():
    assert actors(plan("adding_mistakes")) == 2 + 1


@pytest.mark.parametrize(
    "made",
    [
        lambda: plan("no_cot"),
        lambda: plan("adding_mistakes", editor={"by": "rules"}),
        lambda: plan("adding_mistakes", models=(M, N)),
        lambda: plan("transfer"),
    ],
)
def test_others_need_none(made):
    assert actors(made()) == 2


def test_a_model_that_edits_for_all_uses_its_own_engine_for_its_own_chains():
    made = plan("adding_mistakes", models=(M, {**N, "roles": ["subject", "editor"]}))
    found = {m.id: helpers(made.spec, m, made.probes)["editor"].id for m in made.spec.subjects}
    assert found == {"m": "n", "n": "n"}


def committed(made, shard, *more, **changes):
    """A commit of a shard's items as the plan has them."""
    items = [item.id for item in made.items[shard.task][shard.start : shard.stop]]
    return commit(shard.start, shard.stop, *more, model=shard.model, items=items, **changes)


def test_only_what_is_missing_counts():
    made = plan("no_cot", "adding_mistakes")
    shards = made.shards(RUN)
    chains = [committed(made, shard) for shard in shards]
    assert actors(made, *chains) == 2 + 1
    assert actors(made, *chains, *(committed(made, shard, "adding_mistakes", generation=1) for shard in shards)) == 2


def test_readings_wait_for_chains():
    made = plan("transfer")
    assert Jobs(made, RUN).of_readers(ledger()) == []
    first = made.shards(RUN)[0]
    found = ledger(committed(made, first), committed(made, first, "transfer", "m", generation=1))
    (job,) = Jobs(made, RUN).of_readers(found)
    assert (job.shard, job.reader, job.model) == (first, "n", "n")
    assert job.wanted.pieces == {PieceName("cot", probe="transfer", reader="n")}


def test_readers_are_subjects():
    made = plan({"name": "transfer", "options": {"readers": ["n", "m"]}})
    assert made.probes[0].readers == ("m", "n")
    with pytest.raises(SpecError, match="readers"):
        plan({"name": "transfer", "options": {"readers": ["e"]}})


def test_shares_of_a_machine(monkeypatch):
    monkeypatch.setattr("cotfaith.cluster.fleet.deployments.local_cores", lambda: 8)
    assert engine_share(ResourceSpec(), 2) == Share(4, 4)
    assert engine_share(ResourceSpec(), 3) == Share(2, 2)
    assert engine_share(ResourceSpec(ray_address="auto"), 3) == Share(1, 1)
    assert engine_share(ResourceSpec(cpus=2.5, threads=1), 3) == Share(2.5, 1)


class TestIdentity:
    """A resumed run may add probes with edits, but may not change the editor of existing rows."""

    @staticmethod
    def of(made):
        return identity(made.resolved, made.weights)

    def same(self, old, new):
        check_same_run(self.of(old), self.of(new), "here")

    def test_an_editor_can_come_with_its_probe(self):
        self.same(plan("no_cot", models=(M,)), plan("no_cot", "adding_mistakes", models=(M, E)))

    def test_another_editor_contradicts(self):
        with pytest.raises(RunConflictError, match=r"editors\.adding_mistakes of m\.by"):
            self.same(plan("adding_mistakes", models=(M,)), plan("adding_mistakes", models=(M, E)))

    def test_another_prompt_contradicts(self, tmp_path):
        (tmp_path / "p.txt").write_text("Make it wrong.\nStep: {step}\nWrong:")
        changed = plan("adding_mistakes", editor={"mistake_prompt": str(tmp_path / "p.txt")})
        with pytest.raises(RunConflictError, match=r"prompts\.mistake"):
            self.same(plan("adding_mistakes"), changed)

    def test_a_subject_more_is_fine(self):
        self.same(plan("adding_mistakes", models=(M, E)), plan("adding_mistakes", models=(M, N, E)))

    def test_readers_and_strategies_may_be_added(self):
        self.same(plan({"name": "transfer", "options": {"readers": ["m"]}}), plan("transfer"))
        self.same(plan("no_cot"), plan("no_cot", strategies=["cot", "cot_decomposition"]))


def test_a_lost_engine_says_whose_it_was_across_processes():
    import pickle

    from cotfaith.cluster.fleet.metering import MeteredEngine

    class Lost:
        def score(self, requests):
            raise EngineLostError("gone")

    with pytest.raises(EngineLostError) as caught:
        MeteredEngine(Lost(), "editor").score([])
    assert pickle.loads(pickle.dumps(caught.value)).role == "editor"


class TestReadersOfOthers:
    """Models with a reader's role read the chains of others; their own only if they are named."""

    @pytest.fixture(autouse=True)
    def judging(self, monkeypatch):
        kind = replace(PROBES["transfer"], name="judging", reader_role="judge")
        monkeypatch.setitem(PROBES.things, "judging", kind)

    def cells(self, *models, **options):
        made = plan({"name": "judging", "options": options}, models=models)
        return {(shard.model, reader) for shard, _, reader in Jobs(made, RUN).readings()}

    def test_a_judge_reads_all_subjects_and_is_none(self):
        made = plan("judging", models=(M, N, J))
        assert [one.id for one in made.spec.subjects] == ["m", "n"]
        assert {shard.model for shard in made.shards(RUN)} == {"m", "n"}
        assert self.cells(M, N, J) == {("m", "j"), ("n", "j")}

    def test_a_subject_reads_its_own_chains_only_if_it_is_named(self):
        assert self.cells(M, BOTH) == {("m", "n")}
        assert self.cells(M, BOTH, readers=["n"]) == {("m", "n"), ("n", "n")}

    @pytest.mark.parametrize(
        ("models", "options", "words"),
        [
            ((M,), {}, "'judging' asks models with the role judge, and the spec has none. Add a model"),
            ((M, J), {"readers": ["m"]}, r"Unknown judge 'm'.*Give that model the role judge"),
            ((M, J), {"readers": []}, "nothing is read in 'judging'. Its readers are none"),
            ((BOTH,), {}, "nothing is read in 'judging'. Its readers are n, and a model reads its own chains only if"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, models, options, words):
        with pytest.raises(SpecError, match=words):
            plan({"name": "judging", "options": options}, models=models)

    def test_a_run_knows_who_reads_what(self, tmp_path):
        made = plan("judging", models=(M, BOTH))
        store = LocalStore(tmp_path)
        run = open_run(store, made.resolved, identity(made.resolved, made.weights), made.items)
        assert (run.others_only, run.readers) == (["judging"], {"judging": ["n"]})
        assert (run.readers_of("judging", "t", "m"), run.readers_of("judging", "t", "n")) == (["n"], [])
        assert {piece.reader for piece in wanted_pieces(run, "m", "t")} == {None, "n"}
        assert {piece.probe for piece in wanted_pieces(run, "n", "t")} == {None}
        named = plan({"name": "judging", "options": {"readers": ["n"]}}, models=(M, BOTH))
        wider = open_run(store, named.resolved, identity(named.resolved, named.weights), named.items)
        assert (wider.others_only, wider.readers_of("judging", "t", "n")) == ([], ["n"])
