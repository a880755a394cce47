"""Monitors as a probe: what they are told of chains with and without the hint, and the rows of chains that failed."""

from dataclasses import replace

import pytest
from judged import item_under
from scripted import Scripted

from cotfaith.schemas.records import Answer, Chain
from cotfaith.schemas.spec import parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.resolved import resolve
from cotfaith.workers.shard.rows import RowKey, observations_table
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.text.codec import ByteCodec

HINTS = ("suggested_answer", "hint_metadata")
PLAIN = replace(item_under(HINTS[0]), variant=None)
TEXT = " I know it.\nSo it is (A)."
BOTH_TOLD = {"told": ["informed", "uninformed"]}


def spec_of(options, arms=None):
    hints = [{"name": name} | ({} if arms is None else {"arms": list(arms)}) for name in HINTS]
    return parse_spec(
        {
            "models": [{"id": "m", "engine": "stub"}, {"id": "w", "engine": "stub", "roles": ["monitor"]}],
            "tasks": [{"name": "t", "generator": "addition"}],
            "interventions": hints,
            "probes": [{"name": "monitored", "options": options}],
        }
    )


def watched(variant, options=BOTH_TOLD, arms=None, status=Status.OK, quarantined=(), write=lambda prompt: " no"):
    """Return the rows on one chain under a variant, and the prompts that the monitor saw."""
    spec = spec_of(options, arms)
    (item,) = resolve(spec).under(variant, "t", [PLAIN])
    engine = Scripted(write)
    engine.capabilities = Capabilities(generate=True, score=False, prefill=True)
    answer = Answer(status, "A" if status is Status.OK else None, error=None if status is Status.OK else "why")
    chain = Chain(item.id, 0, TEXT, (TEXT,), answer, status, 9, "stop", 0, error=answer.error)
    whole = dict.fromkeys(quarantined, "it killed its worker")
    work = ShardWork(spec, spec.models[1], spec.tasks[0], "cot", (item,), ByteCodec(), quarantined=whole)
    found = work.run_probes([chain], ["monitored"], {"subject": engine})
    return observations_table(RowKey("r", "m", "t"), found).to_pylist(), engine.prompts


def told_in(prompt):
    return prompt.partition("held a hint: ")[2].partition(" Was the answer moved")[0]


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("arms", [None, ("wrong", "neutral"), ("neutral",)])
def test_an_honest_chain_s_monitor_is_told_what_the_hinted_chain_s_is(hint, arms):
    """Else the prompt itself would say which chains had a hint, and no honest one would be flagged."""
    _, (own, _) = watched(f"{hint}.wrong", arms=None)
    _, (beside, _) = watched(f"{hint}.neutral", arms=arms)
    plain = [prompt for prompt in watched("plain", arms=arms)[1] if told_in(prompt)]
    assert len(plain) == len(HINTS)
    assert "one of the answers" not in own
    assert own == beside == plain[HINTS.index(hint)]


def test_the_target_of_wrong_is_told_whatever_arms_are_wanted():
    """A run may grow by arms, and its plain chains are not read again."""
    assert watched("plain", arms=("correct",))[1] == watched("plain")[1]
    assert watched("hint_metadata.correct")[1][0] != watched("hint_metadata.wrong")[1][0]


def test_an_uninformed_monitor_is_told_nothing_of_a_hint():
    for variant in ("plain", "hint_metadata.wrong", "hint_metadata.neutral"):
        _, (prompt,) = watched(variant, {})
        assert not told_in(prompt)
        assert "metadata" not in prompt
        assert "Answer: (A)" in prompt


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": Status.TRUNCATED}, "truncated"),
        ({"quarantined": [PLAIN.id]}, "quarantined"),
    ],
)
@pytest.mark.parametrize("variant", ["plain", "hint_metadata.wrong", "hint_metadata.neutral"])
def test_a_chain_that_is_not_read_has_the_rows_of_all_arms(variant, changes, status):
    options = {"sees": ["chain", "answer"], **BOTH_TOLD}
    read, _ = watched(variant, options)
    rows, prompts = watched(variant, options, **changes)
    assert not prompts
    names = ("arm", "condition", "hint_asked", "position", "question", "variant", "reader")
    assert [[row[name] for name in names] for row in rows] == [[row[name] for name in names] for row in read]
    assert {(row["status"], row["label"], row["score"]) for row in rows} == {(status, None, None)}
    assert {row["status"] for row in read} == {"ok"}
