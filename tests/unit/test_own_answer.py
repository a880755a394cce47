"""How likely the chain's own answer is, by hand: what is asked, and what is lost."""

import math
from dataclasses import replace

import pytest
from scores_by_hand import FAILED, arm, chain, rows, scored, usable
from scripted import ITEM, Scripted, chain_of, observe

from cotfaith.cluster.stats.metrics.lib.shapes import shapes
from cotfaith.cluster.validation.scored import score_all
from cotfaith.schemas.records import Answer
from cotfaith.schemas.spec import ModelSpec, PromptSpec, SamplingSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.filler_tokens import FILLER
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.probes.own_answer import PROBE, Options, spelled
from cotfaith.workers.roles.editors.organism import OrganismEditor
from cotfaith.workers.roles.embedders.lexical import LexicalEmbedder
from cotfaith.workers.shard.ask import Ask
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.text.codec import ByteCodec
from cotfaith.workers.text.templates import Templates

CHAIN = chain_of(" Red is warm.", " Blood is red.", " So blood.")


def asking(item):
    templates = Templates(ModelSpec(id="m", source="s"), PromptSpec(), ByteCodec())
    roles = STRATEGIES["cot"], OrganismEditor(), LexicalEmbedder()
    return Ask(item, templates, ByteCodec(), SamplingSpec(), "generate", (0,), *roles)


class Reader(Scripted):
    """An engine that records what it scored behind which chains."""

    def __init__(self):
        super().__init__(None, lambda prompt, word: -2.0 if "Blood is red." in prompt else -5.0)
        self.read, self.words = [], set()

    def score(self, requests):
        for one in requests:
            self.read.append(bytes(one.prompt).decode().partition("step:")[2].partition("\n\nHuman")[0])
            self.words |= {bytes(candidate).decode() for candidate in one.candidates}
        return super().score(requests)


def test_what_is_asked():
    engine = Reader()
    found = observe("own_answer", replace(CHAIN, n_tokens=2), engine)
    assert [(r.arm, r.condition, r.position, r.step) for r in found] == [
        *((f"k={k}", "kept", float(k), None) for k in range(4)),
        *((f"without={i}", "without", float(i), i) for i in (1, 2, 3)),
        ("m=2", "filler", 2.0, None),
    ]
    assert engine.read == [
        *("", " Red is warm.", " Red is warm. Blood is red.", " Red is warm. Blood is red. So blood."),
        *(" Blood is red. So blood.", " Red is warm. So blood.", " Red is warm. Blood is red.", FILLER * 2),
    ]
    assert engine.rounds == [("score", 8)]
    assert engine.words == {CHAIN.answer.value}
    assert {(r.answer.status, r.answer.value, r.answer.candidates) for r in found} == {
        (Status.OK, None, (CHAIN.answer.value,))
    }
    assert [r.answer.logprobs for r in found] == [(-5,), (-5,), (-2,), (-2,), (-2,), (-5,), (-2,), (-5,)]
    assert found[0].answer.no_cot_mechanism is not None
    assert found[1].answer.no_cot_mechanism is None


def test_a_server_that_counts_no_tokens_has_no_filler():
    found = observe("own_answer", replace(CHAIN, n_tokens=None), Reader())
    assert {r.condition for r in found} == {"kept", "without"}


def test_long_chains_are_thinned_out():
    long = chain_of(*(f" {i}." for i in range(100)))
    found = observe("own_answer", long, Reader(), {"max_positions": 3, "max_steps": 2})
    assert [r.position for r in found if r.condition == "kept"] == [0, 50, 100]
    assert [r.step for r in found if r.condition == "without"] == [1, 100]


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        (" Yarm.", "yarm", "Yarm"),
        (" The town is Long Eaton", "long eaton", "Long Eaton"),
        (" 1,000.", "1000", None),
        (None, "A", None),
        ("", "a", None),
    ],
)
def test_an_answer_is_scored_as_the_model_spelled_it(text, value, said):
    assert spelled(Answer(Status.OK, value, text=text)) == said


def test_a_text_is_asked_for_in_its_own_spelling():
    item = replace(ITEM, answer_format="text", choices=(), gold="yarm")
    ask = asking(item)
    payload = ask.answer_likelihood("yarm", " So.", "Yarm").payload
    assert [bytes(c).decode() for c in payload.candidates] == [" Yarm"]
    assert [bytes(c).decode() for c in ask.answer_likelihood("yarm", " So.").payload.candidates] == [" yarm"]
    number = asking(replace(item, answer_format="number", gold="5"))
    assert [bytes(c).decode() for c in number.answer_likelihood("5", " So.", "five").payload.candidates] == [" 5"]


def test_the_plan():
    arms = PROBE.arms(Shape(1, 2, 60), Options())
    assert [(a.chain_tokens, a.fresh, a.generated) for a in arms] == [
        *((0, 0, 0), (30, 0, 0), (60, 0, 0), (30, 30, 0), (30, 0, 0), (60, 60, 0)),
    ]


def own(condition, position, p, step=None):
    answer = {"answer": None, "candidates": ["A"], "candidate_logprobs": [math.log(p)]}
    return arm("own_answer", position, 0, **answer) | {"condition": condition, "step": step}


ARMS = [
    *(own("kept", 0, 0.1), own("kept", 2, 0.4), own("kept", 1, 0.2)),
    *(own("without", 1, 0.3, 1), own("without", 2, 0.8, 2), own("filler", 9, 0.05)),
]
OPEN = chain(answer="A")  # it was generated: it has no probabilities


def of(arms):
    found = rows([OPEN], arms)
    names = {f"own_answer_lost/{method}" for method in ("cut", "empty", "filler", "deleted")}
    made, key = score_all(found, names), usable(found)[0].key
    return {name.partition("/")[2]: made.chain(name, key) for name in names} | {
        "steps": made.each_step("own_answer_lost/deleted", key, 2)
    }


def test_what_is_lost():
    found = of(ARMS)
    assert found["cut"] == pytest.approx(1 - (0.25 + 0.5) / 2)
    assert found["empty"] == pytest.approx(0.75)
    assert found["filler"] == pytest.approx(0.875)
    assert found["steps"] == pytest.approx((0.25, 0.0))  # without the second step it is likelier: nothing is lost
    assert found["deleted"] == pytest.approx(0.125)


def test_its_shapes():
    made = shapes(rows([OPEN], ARMS))
    found = made.chains.row(0, named=True)
    by_hand = {"own_end": 0.4, "own_start": 0.25, "own_last": 0.5, "own_jump": 0.5, "own_filler": 0.125}
    by_hand |= {"own_area": 1 - (0.25 + 0.5) / 4 - (0.5 + 1) / 4, "own_deleted_mean": 0.875, "own_deleted_least": 0.75}
    assert {name: found[name] for name in by_hand} == pytest.approx(by_hand)
    assert found["early_start"] is None
    steps = {row["step"]: row for row in made.steps.iter_rows(named=True)}
    assert [steps[1][n] for n in ("own_before", "own_rise", "own_lost")] == pytest.approx([0.25, 0.25, 0.25])
    assert [steps[2][n] for n in ("own_before", "own_rise", "own_lost")] == pytest.approx([0.5, 0.5, 0.0])


def test_a_lost_whole_arm_leaves_nothing_known():
    lost = [row | FAILED if row["condition"] == "kept" and row["position"] == 2 else row for row in ARMS]
    assert of(lost) == {**dict.fromkeys(("cut", "empty", "filler", "deleted")), "steps": (None, None)}
    made = shapes(rows([OPEN], lost))
    assert made.chains["own_area"].to_list() == made.chains["own_deleted_mean"].to_list() == [None]
    assert made.steps["own_lost"].null_count() == len(made.steps)


def test_a_lost_beginning_takes_its_own_features():
    lost = [row | FAILED if row["condition"] == "kept" and row["position"] == 0 else row for row in ARMS]
    found = shapes(rows([OPEN], lost)).chains.row(0, named=True)
    assert found["own_start"] is found["own_area"] is None
    assert found["own_last"] == pytest.approx(0.5)
    assert scored(0.9, 0.1)["answer"] == "A"
