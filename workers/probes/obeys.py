"""Obeys: whether a chain does what an intervention demands of its text, by rules (``judges/obeying.py``).

After CoT-Control (arXiv 2603.05706). One arm per chain under a variant with a demand, and under the same variant
without it: ``condition`` is "demanded" or "not_demanded", ``question`` the rule, ``label`` whether the chain obeys,
``quote`` the words that break the demand. The rows' ``reader`` is "rules"; ``prompt_hash`` says which rules. No request
is sent. An ok row without a label says that there is nothing to decide (no hint to hide), or too little to tell (no
words). A chain without an answer is not read: its row has its status.
"""

import hashlib
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import RULES, Answer, Chain, Item, Observation
from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import Demand
from cotfaith.workers.interventions import INTERVENTIONS
from cotfaith.workers.interventions.lib.intervention import INSTRUCTED
from cotfaith.workers.judges.obeying import obeying_hash, read_obedience
from cotfaith.workers.probes.lib.probe import NoOptions, Probe
from cotfaith.workers.shard.ask import Ask, Request

NAME, ROLE = "obeys", "judge"


def obeys(chain: Chain, ask: Ask, options: NoOptions) -> Generator[list[Request], list[Any], list[Observation]]:
    """Read by rules whether the chain does what its variant demands of it."""
    yield from ()
    (row,) = _rows(ask, options)
    found = read_obedience(ask.item, chain.text)
    return [
        replace(
            row,
            label=found.label,
            quote=found.quote,
            quote_found=None if found.quote is None else found.quote in chain.text,
            text_hash=hashlib.sha256(chain.text.encode()).hexdigest(),
        )
    ]


def _rows(ask: Ask, options: NoOptions) -> list[Observation]:
    """Return the row of a chain, without its reading."""
    demand, variant = _demand(ask.item), ask.item.variant
    assert variant is not None, "the probe applies to items under a variant"
    assert demand is not None, "the probe applies to variants with a demand"
    return [
        Observation(
            arm=NAME,
            answer=Answer(Status.OK),
            condition=demand.condition,
            reader=RULES,
            reader_role=ROLE,
            question=demand.rule,
            prompt_hash=obeying_hash(variant.intervention, demand.rule, demand.value),
        )
    ]


def _demand(item: Item) -> Demand | None:
    return None if item.variant is None else item.variant.demand


def _check(spec: RunSpec) -> None:
    if any(INSTRUCTED in INTERVENTIONS.find(one.name, "interventions").arms for one in spec.interventions):
        return
    known = ", ".join(sorted(one.name for one in INTERVENTIONS.built_in if INSTRUCTED in one.arms))
    raise SpecError(
        "probes: obeys reads whether chains do what an intervention demands of them, and the spec has no such "
        f"intervention. Add one, such as {known}, or remove the probe."
    )


PROBE = Probe(
    name=NAME,
    level="chain",
    needs=frozenset(),
    options=NoOptions,
    run=obeys,
    arms=lambda shape, options: [],
    source="CoT-Control (arXiv 2603.05706), with rules of ours",
    applies=lambda item: _demand(item) is not None,
    check=_check,
    rows=_rows,
    all_variants=True,
)
