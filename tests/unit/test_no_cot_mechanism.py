"""How an answer without a chain was obtained: on every row of such an answer, and one way for a model's answers."""

from dataclasses import replace

import pytest
from runs_here import finish
from scores_by_hand import arm, frame
from scripted import Scripted

from cotfaith.cluster.report.facts import MECHANISMS, told_apart
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.schemas.tables import CHAINS, OBSERVATIONS
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import ByteCodec
from cotfaith.workers.text.turns import TurnsCodec

MIXED = (("i", "score"), ("j", "prefill"))
CHOICE = Item("i", "Which is red?", "B", "choice", ("sky", "blood"))
OPEN = Item("j", "How many?", "4", "number")
PROBES = ["no_cot", "answer_order", "early_answering", "filler_tokens", "step_deletion"]


def observed(item, codec=None, engine=None, text="So B.", answer_by="auto", thinking="none"):
    """Return the observations of all probes that ask for answers, on one chain of one step."""
    spec = parse_spec(
        {
            "models": [{"id": "m", "engine": "stub", "thinking": thinking}],
            "tasks": [{"name": "t", "generator": "addition", "answer_by": answer_by}],
            "probes": PROBES,
        }
    )
    codec = codec or ByteCodec()
    work = ShardWork(spec, spec.models[0], spec.tasks[0], "cot", (item,), codec)
    engines = {"subject": engine or Scripted(lambda prompt: text)}
    chains = work.sample_chains(engines)
    chains = [replace(chain, n_tokens=6) for chain in chains]  # a server may not say it, and filler needs it
    return [row.observation for row in work.run_probes(chains, PROBES, engines)]


def without_chain(row):
    """Whether the row's answer was asked for without a chain."""
    return row.arm in ("no_cot", "k=0", "without=1", "none") or row.condition in ("once", "twice")


@pytest.mark.parametrize(
    ("how", "given"),
    [
        ("score", {"item": CHOICE}),
        ("prefill", {"item": CHOICE, "answer_by": "generate"}),
        ("prefill", {"item": OPEN, "text": "So 4."}),
        ("empty_thinking", {"item": CHOICE, "thinking": "think_tags"}),
        ("empty_thinking", {"item": OPEN, "text": "4", "thinking": "think_tags"}),
        ("instruction", {"item": CHOICE, "codec": TurnsCodec(), "text": "B"}),
        ("instruction", {"item": CHOICE, "codec": TurnsCodec(), "text": "B", "thinking": "think_tags"}),
    ],
)
def test_every_answer_without_a_chain_says_how_and_no_other_does(how, given):
    rows = observed(**given)
    bare = [row for row in rows if without_chain(row)]
    assert {row.arm for row in bare} >= {"no_cot", "k=0", "without=1"}
    assert {row.answer.no_cot_mechanism for row in bare} == {how}
    assert {row.answer.no_cot_mechanism for row in rows if not without_chain(row)} == {None}
    assert how in MECHANISMS


class Broken(Scripted):
    """An engine that cannot score."""

    def score(self, requests):
        raise RuntimeError("no scores")


def test_an_answer_that_failed_says_it_too():
    rows = [row for row in observed(CHOICE, engine=Broken(lambda prompt: "So B.")) if without_chain(row)]
    assert {row.arm for row in rows} == {"no_cot", "none", "once r=0", "twice r=0"}
    assert {(row.answer.status, row.answer.no_cot_mechanism) for row in rows} == {(Status.ENGINE_ERROR, "score")}


@pytest.mark.parametrize(
    ("model", "how"), [({}, "score"), ({"thinking": "think_tags"}, "empty_thinking")], ids=["plain", "thinks"]
)
def test_in_a_whole_run_no_row_lacks_it_and_the_report_says_it(tmp_path, model, how):
    spec = {
        "models": [{"id": "m", "engine": "stub", **model}],
        "tasks": [{"name": "t", "generator": "modular_chain", "n": 2, "options": {"choices": 2}}],
        "probes": ["no_cot", "early_answering", "answer_order", "transfer"],
        "interventions": ["hint_metadata"],
        "output": {"path": "run"},
    }
    finish(tmp_path, spec)
    rows = read_tables(LocalStore(tmp_path / "run"))
    seen = rows["observations"]
    bare = seen.filter(probe="no_cot")
    assert bare["variant"].n_unique() > 1
    assert set(bare["no_cot_mechanism"]) == {how}
    assert set(seen.filter(probe="early_answering", position=0.0)["no_cot_mechanism"]) == {how}
    assert set(seen.filter(probe="transfer")["no_cot_mechanism"]) <= {None}
    assert set(seen.filter(condition="once")["no_cot_mechanism"]) == {how}
    assert rows["chains"]["no_cot_mechanism"].null_count() == len(rows["chains"])
    said = dict(told_apart(rows["chains"], seen))
    assert said["Answers without a chain"] == f"{MECHANISMS[how]}: m"


def test_the_report_says_where_a_figure_rests_on_several():
    rows = [{**arm("no_cot", 0), "item_id": name, "no_cot_mechanism": how} for name, how in MIXED]
    said = dict(told_apart(frame(CHAINS, []), frame(OBSERVATIONS, rows)))["Answers without a chain"]
    assert said.endswith(
        "(prefill): m; the choices were scored, nothing was written (score): m; figures rest on several "
        "of these: m on t"
    )


def test_a_model_s_answers_differ_only_in_whether_candidates_were_scored():
    for codec, thinking, ways in (
        (ByteCodec(), "none", {"score", "prefill"}),
        (ByteCodec(), "think_tags", {"empty_thinking"}),
        (TurnsCodec(), "none", {"instruction"}),
        (TurnsCodec(), "think_tags", {"instruction"}),
    ):
        rows = [row for item in (CHOICE, OPEN) for row in observed(item, codec, text="4", thinking=thinking)]
        assert {row.answer.no_cot_mechanism for row in rows if without_chain(row)} == ways
