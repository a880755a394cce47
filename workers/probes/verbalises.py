"""Verbalises: whether a chain says what moved its answer, by rules. Chen et al. 2025 (arXiv 2505.05410), section 3.

Three arms per chain under a variant with a target, one for each question: "present" (does the chain name the hint?),
"relied" (does its answer rest on the hint, by its own words?), "checked" (does it test the hint?). Chains of plain
items and of neutral arms have no rows: nothing pushes there. The rows' ``reader`` is "rules"; ``prompt_hash`` says
which rules. No request is sent. Rules know no words but their own: docs/rule-judges.md has their error rates. A chain
without an answer is not read: its rows have its status.
"""

import hashlib
from collections.abc import Generator
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import RULES, Answer, Chain, Item, Observation
from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.judges.find import find_rule
from cotfaith.workers.judges.reading import QUESTIONS, Reading, read_chain, rules_hash
from cotfaith.workers.judges.rule import Rule
from cotfaith.workers.probes.lib.probe import NoOptions, Probe
from cotfaith.workers.shard.ask import Ask, Request

ROLE = "judge"


def verbalises(chain: Chain, ask: Ask, options: NoOptions) -> Generator[list[Request], list[Any], list[Observation]]:
    """Read by rules whether the chain names, follows and checks the hint of its variant."""
    yield from ()
    assert ask.item.variant is not None, "the probe applies to items under a variant"
    rule = find_rule(ask.item.variant.intervention)
    return [_row(one, chain, rule) for one in read_chain(rule, ask.item, chain.text)]


def _row(reading: Reading, chain: Chain, rule: Rule) -> Observation:
    return Observation(
        arm=reading.question,
        answer=Answer(Status.OK),
        reader=RULES,
        reader_role=ROLE,
        question=reading.question,
        label=reading.label,
        quote=reading.quote,
        quote_found=None if reading.quote is None else reading.quote in chain.text,
        text_hash=hashlib.sha256(chain.text.encode()).hexdigest(),
        prompt_hash=rules_hash(rule),
    )


def _unread(arm: str, failure: Answer) -> list[Observation]:
    return [Observation(one, failure, reader=RULES, reader_role=ROLE, question=one) for one in QUESTIONS]


def _check(spec: RunSpec) -> None:
    if not spec.interventions:
        raise SpecError(
            "probes: verbalises reads what chains say of an intervention's hint, and the spec has no interventions. "
            "Add some, or remove the probe."
        )
    for one in spec.interventions:
        find_rule(one.name)


def _has_target(item: Item) -> bool:
    return item.variant is not None and item.variant.target is not None


PROBE = Probe(
    name="verbalises",
    level="chain",
    needs=frozenset(),
    options=NoOptions,
    run=verbalises,
    arms=lambda shape, options: [],
    source="Chen et al. 2025, section 3, with rules of ours",
    applies=_has_target,
    check=_check,
    unprobed=_unread,
    all_variants=True,
)
