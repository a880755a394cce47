"""A plan's prompts, token for token, before any model loads.

In: a plan. Out: for each subject and kind of item one prompt of every kind of request: the sampling of a chain, the
answer after it, and whatever each probe asks of whom. The same code makes them as in a run; a made-up chain stands for
the one that the model would write (``workers/shard/stand_in.py``), unless the item comes with its chain.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from cotfaith.cluster.plan.costs import CHAINS
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.reading_costs import YES, rows_read
from cotfaith.cluster.plan.roles import helpers
from cotfaith.schemas.records import READER, Chain, Item
from cotfaith.schemas.spec import ModelSpec, StrategyName, TaskSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.resolved import ResolvedProbe
from cotfaith.workers.shard.loop import Failed, drive
from cotfaith.workers.shard.stand_in import CHAINS as STAND_INS
from cotfaith.workers.shard.stand_in import EDIT, Payload, StandIn
from cotfaith.workers.shard.work import ShardWork, answer_method
from cotfaith.workers.text.codec import Codec, count_tokens
from cotfaith.workers.text.spelled import Piece, spelled

_SUBJECT = "subject"
_DIGITS = re.compile(r"\d+")
_ENDING = 12
"""Characters at a prompt's end that tell one kind of request from another: what opens the reply."""


@dataclass(frozen=True)
class ShownPrompt:
    """One prompt as its model sees it."""

    model: str
    """Who is asked."""
    task: str
    item: str
    strategy: str
    variant: str
    stage: str
    """``CHAINS``, or the probe."""
    role: str
    pieces: tuple[Piece, ...]
    n_tokens: int
    asks: str
    """What the model does with it, in words."""
    like: int
    """How many requests of this kind the stage has on this item's chain."""


def shown_prompts(plan: Plan) -> Iterator[ShownPrompt]:
    """Yield the prompts, subject by subject; tasks that are asked in the same form are shown once a subject."""
    for subject in plan.spec.subjects:
        seen: set[tuple[str, str, bool]] = set()
        for task in (one for one in plan.spec.tasks if plan.spec.answers(subject.id, one.name)):
            for item in plan.items[task.name]:
                turns = plan.models[subject.id].codec.whole_turns
                form = (item.answer_format, answer_method(task, item, turns), item.supplied is not None)
                if form not in seen:
                    seen.add(form)
                    for strategy, variant in product(plan.spec.strategies, plan.resolved.variants):
                        (framed,) = plan.resolved.under(variant, task.name, [item])
                        yield from _of_item(plan, subject, task, framed, strategy)


def _of_item(
    plan: Plan, subject: ModelSpec, task: TaskSpec, item: Item, strategy: StrategyName
) -> Iterator[ShownPrompt]:
    work = _work(plan, subject, task, item, strategy)
    asked = _Asked(plan, {_SUBJECT: subject}, task, item, strategy)
    engines = asked.engines(STAND_INS[strategy])
    (made,) = drive([work.chain((item, 0))], engines)
    assert not isinstance(made, Failed), f"the stand-in's chain failed: {made.error}"
    yield from asked.shown(CHAINS, engines)
    chain = replace(made, status=Status.OK, answer=replace(made.answer, status=Status.OK))
    for probe in plan.probes:
        if item.variant_name in plan.resolved.variants_of(probe) and probe.kind.applies(item):
            yield from _of_probe(plan, subject, work, chain, probe)


def _of_probe(
    plan: Plan, subject: ModelSpec, work: ShardWork, chain: Chain, probe: ResolvedProbe
) -> Iterator[ShownPrompt]:
    (item,) = work.items
    reads = probe.kind.reader_role != READER
    for reader in probe.answering(work.task.name, subject.id):
        answers = plan.model(reader)
        one = {chain: rows[:1] for chain, rows in rows_read(plan, probe, item).items()}
        own = replace(_work(plan, answers, work.task, item, work.strategy), read=one)
        asked = _Asked(
            plan, {_SUBJECT: answers, **helpers(plan.spec, subject, [probe])}, work.task, item, work.strategy
        )
        engines = asked.engines(YES if reads else EDIT, prefers_first=reads)
        can = plan.models[reader].capabilities
        drive([run.coroutine for run in own.runs([chain], [probe.name], can)], engines)
        yield from asked.shown(probe.name, engines, each=reads)


def _work(plan: Plan, model: ModelSpec, task: TaskSpec, item: Item, strategy: StrategyName) -> ShardWork:
    return ShardWork(plan.spec, model, task, strategy, (item,), plan.models[model.id].codec)


@dataclass(frozen=True)
class _Asked:
    """Who is asked in which role, about what."""

    plan: Plan
    models: Mapping[str, ModelSpec]
    task: TaskSpec
    item: Item
    strategy: str

    def engines(self, writes: str, prefers_first: bool = False) -> dict[str, StandIn]:
        """Return a stand-in for each role."""
        codecs = {role: self.plan.models[one.id].codec for role, one in self.models.items()}
        return {role: StandIn(codec, writes, prefers_first) for role, codec in codecs.items()}

    def shown(self, stage: str, engines: Mapping[str, StandIn], each: bool = False) -> Iterator[ShownPrompt]:
        """Yield one prompt of each kind that the engines were asked: of a batch, the one in its middle.

        ``each``: all different prompts, such as a reader's questions about one chain.
        """
        for role, engine in engines.items():
            kinds: dict[tuple[object, ...], list[Payload]] = {}
            for payload in (payload for batch in engine.batches for payload in batch):
                kind = (payload.prompt,) if each else self._kind(payload, engine.codec)
                kinds.setdefault(kind, []).append(payload)
            for found in kinds.values():
                yield self._shown(stage, role, found, engine.codec)

    def _kind(self, payload: Payload, codec: Codec) -> tuple[object, ...]:
        """Return what requests of one kind have in common. What follows a chain ends as the chain does: no ending."""
        ending = _DIGITS.sub("", codec.continuation((), payload.prompt[-_ENDING:])[-_ENDING:])
        if not isinstance(payload, GenerateRequest):
            return type(payload), ending
        if payload.temperature == 0:
            return GenerateRequest, payload.stop, ending
        several = self.strategy == "factored_decomposition"  # each request for a line has what is left of the limit
        return GenerateRequest, payload.stop, ending if several else payload.max_tokens

    def _shown(self, stage: str, role: str, found: Sequence[Payload], codec: Codec) -> ShownPrompt:
        payload = found[len(found) // 2]
        return ShownPrompt(
            self.models[role].id,
            self.task.name,
            self.item.id,
            self.strategy,
            self.item.variant_name,
            stage,
            role,
            tuple(spelled(codec, payload.prompt)),
            count_tokens(codec, [codec.continuation((), payload.prompt)]) if codec.whole_turns else len(payload.prompt),
            _asks(payload, codec),
            len(found),
        )


def _asks(payload: Payload, codec: Codec) -> str:
    if isinstance(payload, ScoreRequest):
        words = (codec.continuation(payload.prompt, candidate) for candidate in payload.candidates)
        return "the likeliest of " + " | ".join(words)
    if isinstance(payload, GenerateRequest):
        how = f"sampled at temperature {payload.temperature:g}" if payload.temperature else "greedy"
        stops = f", up to {' or '.join(map(repr, payload.stop))}" if payload.stop else ""
        return f"at most {payload.max_tokens} tokens, {how}{stops}"
    return "the vector of its meaning"
