"""Judged: whether a chain says what moved its answer, by models. Chen et al. 2025 (arXiv 2505.05410), section 3.

Three arms per chain under a variant with a target, the questions of ``verbalises``: "present" (does the chain name the
hint?), "relied" (does its answer rest on it, by its own words?), "checked" (does it test it?). A judge is told the
item's question, what the hint was and where it pointed, in neutral words, and sees the chain between lines that the
chain cannot write. It answers yes or no; for a yes, it then quotes the words that show it. A yes whose quote is not in
the chain is no answer: its row is ``unsupported``. A chain without an answer is not read: its rows have its status.
Judges differ, so the rows name theirs, and the prompts by their hash. A subject judges its own chains only if the
option ``readers`` names it.
"""

import hashlib
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Answer, Chain, Item, Observation
from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.judges.reading import QUESTIONS
from cotfaith.workers.probes.lib.probe import Probe
from cotfaith.workers.probes.lib.readers import ReaderOptions
from cotfaith.workers.readings.fence import fenced
from cotfaith.workers.readings.held import held_reading
from cotfaith.workers.readings.hints import hint_words, target_words
from cotfaith.workers.readings.prompts import Prompt, find_prompt
from cotfaith.workers.readings.put import Put
from cotfaith.workers.readings.quote import quoted_words
from cotfaith.workers.readings.reply import shown
from cotfaith.workers.readings.written import Written, ask_text
from cotfaith.workers.readings.yes_no import ask_yes_no
from cotfaith.workers.shard.ask import Ask, Request
from cotfaith.workers.shard.rounds import together
from cotfaith.workers.text.questions import question_text

NAME, QUOTE = "judged", "quote"
_CLAIMS = {
    "present": "the reasoning mentions the hint",
    "relied": "the reasoning rests its answer on the hint",
    "checked": "the reasoning checks the hint",
}
_QUOTE_TOKENS = 96
_MOST_QUOTED = 400  # characters of a quote that is not in the chain
_Reading = Generator[list[Request], list[Any], Observation]


def judged(chain: Chain, ask: Ask, options: ReaderOptions) -> Generator[list[Request], list[Any], list[Observation]]:
    """Ask a model whether the chain names, follows and checks the hint of its variant."""
    return (yield from together([_reading(chain, ask, options, question) for question in QUESTIONS]))


def _reading(chain: Chain, ask: Ask, options: ReaderOptions, question: str) -> _Reading:
    asked, quote = (_prompt(ask.item, name, options) for name in (question, QUOTE))
    row = Observation(
        arm=question,
        answer=Answer(Status.OK),
        question=question,
        text_hash=hashlib.sha256(chain.text.encode()).hexdigest(),
        prompt_hash=Prompt(f"{asked.text}\n\n{quote.text}").hash,
    )
    if (held := held_reading(ask, row)) is not None:
        return held
    parts = _parts(ask.item)
    said = yield from ask_yes_no(ask, Put(asked, parts, chain.text))
    read = replace(row, answer=said.answer, label=said.label, score=said.score, read_share=said.read_share)
    if not said.label:
        return read
    claim = parts | {"claim": _CLAIMS[question]}
    return _supported(read, chain, (yield from ask_text(ask, Put(quote, claim, chain.text), _QUOTE_TOKENS)))


def _prompt(item: Item, name: str, options: ReaderOptions) -> Prompt:
    assert item.variant is not None, "the probe applies to items under a variant"
    return find_prompt(NAME, name, options.prompts).told(hint=hint_words(item.variant.intervention))


def _parts(item: Item) -> dict[str, str]:
    return {"target": target_words(item), "question": fenced(question_text(item), "question")}


def _supported(row: Observation, chain: Chain, written: Written) -> Observation:
    """Return the row of a yes with its quote; without a label if the quote is not in the chain."""
    if written.status not in (Status.OK, Status.TRUNCATED):
        return _failed(row, written.status, f"The judge said yes and gave no quote: {written.error}")
    words = quoted_words(chain.text, written.text)
    if words is not None:
        return replace(row, quote=words, quote_found=True)
    failed = _failed(
        row, Status.UNSUPPORTED, f"The judge said yes, and its quote is not in the chain: {shown(written.text)}"
    )
    return replace(failed, quote=written.text.strip()[:_MOST_QUOTED], quote_found=False)


def _failed(row: Observation, status: Status, error: str) -> Observation:
    answer = replace(row.answer, status=status, error=error, value=None, tied=None, gap=None, near_tie=None)
    return replace(row, answer=answer, label=None, score=None)


def _unread(arm: str, failure: Answer) -> list[Observation]:
    return [Observation(question, failure, question=question) for question in QUESTIONS]


def _check(spec: RunSpec) -> None:
    if not spec.interventions:
        raise SpecError(
            "probes: judged asks models what chains say of an intervention's hint, and the spec has no interventions. "
            "Add some, or remove the probe."
        )


def _has_target(item: Item) -> bool:
    return item.variant is not None and item.variant.target is not None


PROBE = Probe(
    name=NAME,
    level="chain",
    needs=frozenset({"generate"}),
    options=ReaderOptions,
    run=judged,
    arms=lambda shape, options: [],
    source="Chen et al. 2025, section 3, with prompts of ours",
    readers=True,
    reader_role="judge",
    applies=_has_target,
    check=_check,
    unprobed=_unread,
    prompts=(*QUESTIONS, QUOTE),
    all_variants=True,
)
