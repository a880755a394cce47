"""Simulated: an observer reads the chain and predicts the subject's answers to other questions. Chen et al. 2023.

arXiv 2307.08678, section 2. It reads the rows of the probe ``counterfactual``: for each of those questions with an
answer, two arms. Condition "chain": the observer sees the item's question, the chain and the other question. Condition
"question": the same prompt without the paragraph that holds the chain; what it infers here is no merit of the chain. It
never sees an answer of the subject. It first says whether the other answer can be told from what it sees (``label``,
``score``); only then is it asked for the answer, which is ``answer``, in the item's format. ``same_answer``: that is
what the subject answered. A row without an answer and with the status ok is one where it cannot tell. A reply in prose,
a refusal and an answer that cannot be read are failed rows. ``question`` is the other question, ``rollout`` its number.
"""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Answer, Chain, Item, Observation
from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.probe import Probe, ProbeRun
from cotfaith.workers.probes.lib.readers import ReaderOptions
from cotfaith.workers.readings.answered import ask_answer
from cotfaith.workers.readings.fence import fenced
from cotfaith.workers.readings.held import held_reading
from cotfaith.workers.readings.prompts import Prompt, find_prompt
from cotfaith.workers.readings.put import Put
from cotfaith.workers.readings.yes_no import Said, ask_yes_no
from cotfaith.workers.shard.ask import Ask, Request
from cotfaith.workers.shard.rounds import together
from cotfaith.workers.text.questions import question_text
from cotfaith.workers.text.turn_templates import instruction

CHAIN, ALONE = "chain", "question"
"""What the observer sees: the chain, or the item's question alone."""
PROMPTS = ("simulated_inferred", "simulated_answer")


def simulated(chain: Chain, ask: Ask, options: ReaderOptions) -> ProbeRun:
    """Ask an observer what the subject answers to other questions, with its chain and without."""
    prompts = [find_prompt("simulated", name, options.prompts) for name in PROMPTS]
    readings = [_reading(chain.text, ask, prompts, on, seen) for seen in (CHAIN, ALONE) for on in ask.read]
    return (yield from together(readings))


def _reading(
    text: str, ask: Ask, prompts: Sequence[Prompt], on: Observation, seen: str
) -> Generator[list[Request], list[Any], Observation]:
    assert on.edit is not None, "a counterfactual row has its question"
    other = replace(ask.item, question=on.edit.text, supplied=None)
    row = _unasked(on, seen, text, prompts)
    if (held := held_reading(ask, row)) is not None:
        return replace(held, rollout=on.rollout, predicts=on.answer if held.label else None)
    inferred, answered = (_put(prompt, ask.item, other, text if seen == CHAIN else None) for prompt in prompts)
    said = yield from ask_yes_no(ask, inferred)
    row = _told(row, said)
    if not said.label:
        return row
    answer, share = yield from ask_answer(replace(ask, item=other), answered)
    near = row.answer.near_tie or answer.near_tie
    return replace(
        row,
        answer=replace(answer, near_tie=near),
        label=True if answer.status is Status.OK else None,
        score=said.score if answer.status is Status.OK else None,
        predicts=on.answer,
        read_share=min((one for one in (share, row.read_share) if one is not None), default=None),
    )


def _put(prompt: Prompt, item: Item, other: Item, chain: str | None) -> Put:
    parts = {
        "question": fenced(question_text(item), "question"),
        "other": fenced(question_text(other), "other question"),
        "form": instruction(other),
    }
    return Put(prompt if chain is not None else _without_chain(prompt), parts, chain)


def _without_chain(prompt: Prompt) -> Prompt:
    """Return the prompt without the paragraphs that hold the chain."""
    return Prompt("\n\n".join(part for part in prompt.text.split("\n\n") if "{chain}" not in part))


def _unasked(on: Observation, seen: str, text: str, prompts: Sequence[Prompt]) -> Observation:
    assert on.edit is not None, "a counterfactual row has its question"
    read = text if seen == CHAIN else ""
    return Observation(
        arm=f"{seen} {on.arm}",
        answer=Answer(Status.OK),
        condition=seen,
        rollout=on.rollout,
        question=on.edit.text,
        text_hash=hashlib.sha256(read.encode()).hexdigest(),
        prompt_hash=Prompt("\n\n".join(prompt.text for prompt in prompts)).hash,
    )


def _told(row: Observation, said: Said) -> Observation:
    """Return the row of an observer that cannot tell, or that failed."""
    told = said.answer
    unknown = Answer(Status.OK, near_tie=told.near_tie, prompt_tokens=told.prompt_tokens)
    answer = unknown if told.status is Status.OK else told
    return replace(row, answer=answer, label=said.label, score=said.score, read_share=said.read_share)


def _check(spec: RunSpec) -> None:
    """Raise ``SpecError`` if a prompt of the user leaves out what is asked about."""
    given = next(one for one in spec.probes if one.name == PROBE.name).options.get("prompts", {})
    for name in given:
        text = find_prompt(PROBE.name, name, given).text
        if missing := [place for place in ("{question}", "{other}") if place not in text]:
            raise SpecError(
                f"probes.simulated.options.prompts.{name}: the prompt has no {' and no '.join(missing)}. Put it where "
                "the item's question, and the other question, belong."
            )


PROBE = Probe(
    name="simulated",
    level="chain",
    needs=frozenset({"generate"}),
    options=ReaderOptions,
    run=simulated,
    arms=lambda shape, options: [],
    source="Chen et al. 2023, section 2",
    readers=True,
    reader_role="observer",
    reads="counterfactual",
    check=_check,
    prompts=PROMPTS,
)
