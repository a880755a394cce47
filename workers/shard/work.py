"""One shard: sample the chains of its items, run the probes on them.

In: a spec, the items, and engines by role. Out: lists of chains, or of observations with their items, when all work of
one call is done. Knows nothing about storage, Ray or the rest of the run.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from cotfaith.schemas.records import Answer, Chain, Item, Observation, Supplied
from cotfaith.schemas.spec import ModelSpec, RunSpec, StrategyName, TaskSpec
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.interventions import find_intervention
from cotfaith.workers.interventions.lib.applied import Applied
from cotfaith.workers.probes.lib.probe import Probe, Unprobed
from cotfaith.workers.resolved import ResolvedProbe, resolve_probes
from cotfaith.workers.roles.editors import Editor, make_editor
from cotfaith.workers.roles.embedders import Embedder, make_embedder
from cotfaith.workers.shard.ask import Ask, Continuation, Held, Request
from cotfaith.workers.shard.loop import Engines, Failed, drive
from cotfaith.workers.shard.returned import mistake
from cotfaith.workers.shard.rounds import Coroutine
from cotfaith.workers.strategies import STRATEGIES, Strategy
from cotfaith.workers.tasks.generators import GENERATORS
from cotfaith.workers.tasks.generators.generator import Vary
from cotfaith.workers.text.codec import Codec
from cotfaith.workers.text.turn_templates import make_templates

ChainKey = tuple[Item, int]
"""An item, and which of its chains, from 0."""


RowsOn = Mapping[tuple[str, str, int], tuple[Observation, ...]]
"""(probe, item id, chain index) -> the probe's ok rows on that chain."""


@dataclass(frozen=True)
class ItemObservation:
    """An observation, and the item that it belongs to."""

    item: Item
    strategy: str
    probe: str
    observation: Observation


def answer_method(task: TaskSpec, item: Item, whole_turns: bool = False) -> Literal["score", "generate"]:
    """Return how answers to ``item`` are obtained; a model that gets ``whole_turns`` has no scores."""
    if task.answer_by != "auto":
        return task.answer_by
    return "score" if not whole_turns and item.answer_format in ("choice", "number") and item.is_closed else "generate"


def own_stream(strategy: str, variant: str = PLAIN) -> tuple[str, ...]:
    """Return what a request's random stream has of its strategy and variant: plain chains of thought add nothing."""
    if variant != PLAIN:
        return (strategy, variant)
    return () if strategy == "cot" else (strategy,)


@dataclass(frozen=True)
class ShardWork:
    """The items of one shard for one model."""

    spec: RunSpec
    model: ModelSpec
    task: TaskSpec
    strategy: StrategyName
    items: tuple[Item, ...]
    """All under one variant."""
    codec: Codec
    quarantined: Mapping[str, str] = field(default_factory=dict)
    """Item id -> why it is not tried."""
    held: Held = field(default_factory=dict)
    """The readings that the run's folder has already."""
    read: RowsOn = field(default_factory=dict)
    """Rows of the probes that others read."""

    def sample_chains(self, engines: Engines) -> list[Chain]:
        """Sample every item's chains, or take the one that comes with it, and get the answers that they lead to."""
        return sample_chains([(self, self.chain_keys())], engines)

    def run_probes(self, chains: Sequence[Chain], names: Sequence[str], engines: Engines) -> list[ItemObservation]:
        """Run the named probes on all chains, in common rounds."""
        return run_probes([(self, chains, names)], engines)

    def chain_keys(self) -> list[ChainKey]:
        """Return the keys of all chains."""
        count = self.spec.sampling.chains_per_item
        return [(item, index) for item in self.items for index in range(count if item.supplied is None else 1)]

    def chain(self, key: ChainKey) -> Coroutine[Chain]:
        """Return the coroutine that makes a chain."""
        ask = self._ask(*key, "chain")
        reason = self.quarantined.get(key[0].id)
        return _make_chain(*key, ask) if reason is None else _never_made(*key, ask, reason)

    def failed_chain(self, key: ChainKey, failure: Failed) -> Chain:
        """Return the chain whose coroutine raised."""
        outcome = Continuation(Status.ITEM_ERROR, error=failure.error)
        return _unanswered(self._ask(*key, "chain"), key[1], outcome, "")

    def runs(self, chains: Sequence[Chain], names: Sequence[str], can: Capabilities | None = None) -> "list[_Run]":
        """Return the runs of the named probes on all chains, by an engine that ``can`` do this."""
        return [run for name in names for run in self._runs(name, chains, can)]

    def _runs(self, name: str, chains: Sequence[Chain], can: Capabilities | None) -> list["_Run"]:
        probe = self._probes[name]
        items = [item for item in self.items if probe.kind.applies(item)]
        of_item = {item.id: [chain for chain in chains if chain.item_id == item.id] for item in items}
        if probe.kind.level == "item":
            return [self._item_run(probe, item, of_item[item.id], can) for item in items]
        return [self._chain_run(probe, item, chain, can) for item in items for chain in of_item[item.id]]

    def _item_run(self, probe: ResolvedProbe, item: Item, chains: Sequence[Chain], can: Capabilities | None) -> "_Run":
        usable = [chain for chain in chains if chain.status is Status.OK]
        if (reason := self.quarantined.get(item.id)) is None:
            run = _begun(probe, usable, self._ask(item, -1, probe.name, can))
        else:
            run = _unprobed(probe.kind.unprobed, "probe", Answer(Status.QUARANTINED, error=reason))
        return _Run(item, self.strategy, probe.kind, None, run, probe.kind.unprobed, self._reader(probe))

    def _chain_run(self, probe: ResolvedProbe, item: Item, chain: Chain, can: Capabilities | None) -> "_Run":
        ask = self._ask(item, chain.index, probe.name, can)
        unprobed = _failing(probe, ask)
        if chain.status is not Status.OK:
            run = _unprobed(unprobed, "chain", Answer(chain.status, error=chain.error))
        elif (reason := self.quarantined.get(item.id)) is None:
            read = self.read.get((probe.kind.reads or "", item.id, chain.index), ())
            run = _begun(probe, chain, replace(ask, read=read))
        else:
            run = _unprobed(unprobed, "probe", Answer(Status.QUARANTINED, error=reason))
        return _Run(item, self.strategy, probe.kind, chain, run, unprobed, self._reader(probe))

    def _reader(self, probe: ResolvedProbe) -> str | None:
        return self.model.id if probe.kind.readers else None

    @cached_property
    def _probes(self) -> dict[str, ResolvedProbe]:
        return {probe.name: probe for probe in resolve_probes(self.spec)}

    @cached_property
    def hints(self) -> dict[str, dict[str, str | None]]:
        """Item id -> intervention -> the answer to which it would push the item: that of its arm ``wrong``."""
        applied = [Applied(*find_intervention(one)) for one in self.spec.interventions]
        return {item.id: {one.kind.name: self._target(one, item) for one in applied} for item in self.items}

    def _target(self, one: Applied, item: Item) -> str | None:
        return one.wrong_target(self.spec.seed, self.task.name, replace(item, variant=None))

    def _own_stream(self, item: Item) -> tuple[str, ...]:
        return own_stream(self.strategy, item.variant_name)

    @property
    def _strategy(self) -> Strategy:
        return STRATEGIES[self.strategy]

    @cached_property
    def _editor(self) -> Editor:
        return make_editor(self.spec, self.model, self.codec)

    @cached_property
    def _vary(self) -> Vary | None:
        name = self.task.generator
        return None if name is None else GENERATORS.find(name, f"task {self.task.name!r}").vary

    @cached_property
    def _embedder(self) -> Embedder:
        return make_embedder(self.spec)

    def _ask(self, item: Item, chain: int, purpose: str, can: Capabilities | None = None) -> Ask:
        return Ask(
            item=item,
            templates=make_templates(self.model, self.spec.prompts, self.codec),
            codec=self.codec,
            sampling=self.spec.sampling,
            answer_by=answer_method(self.task, item, self.codec.whole_turns),
            stream=(self.spec.seed, self.model.id, self.task.name, item.id, chain, purpose, *self._own_stream(item)),
            strategy=self._strategy,
            editor=self._editor,
            embedder=self._embedder,
            tie_stream=(self.spec.seed, self.task.name),
            steps=self.spec.steps,
            can=can,
            held=self.held,
            hints=lambda: self.hints[item.id],
            vary=self._vary,
        )


def sample_chains(wanted: Sequence[tuple[ShardWork, Sequence[ChainKey]]], engines: Engines) -> list[Chain]:
    """Make the chains with these keys, in common rounds."""
    keys = [(work, key) for work, found in wanted for key in found]
    results = drive([work.chain(key) for work, key in keys], engines)
    return [
        work.failed_chain(key, result) if isinstance(result, Failed) else result
        for (work, key), result in zip(keys, results, strict=True)
    ]


def run_probes(
    wanted: Sequence[tuple[ShardWork, Sequence[Chain], Sequence[str]]], engines: Engines
) -> list[ItemObservation]:
    """Run the named probes on the chains, in common rounds."""
    answers = engines.get("subject")
    can = None if answers is None else answers.capabilities
    runs = [run for work, chains, names in wanted for run in work.runs(chains, names, can)]
    results = drive([run.coroutine for run in runs], engines)
    return [row for run, result in zip(runs, results, strict=True) for row in run.rows(result)]


@dataclass(frozen=True)
class _Run:
    """One probe on one chain or item."""

    item: Item
    strategy: str
    probe: Probe
    chain: Chain | None
    coroutine: Coroutine[list[Observation]]
    unprobed: Unprobed
    reader: str | None = None
    """Model that answers in all arms, if it is not the subject."""

    def rows(self, result: list[Observation] | Failed) -> list[ItemObservation]:
        """Return the observations with what they refer to; one row with the error if the probe raised, or erred."""
        error = result.error if isinstance(result, Failed) else mistake(result)
        if error is not None or isinstance(result, Failed):
            result = self.unprobed("probe", Answer(Status.ITEM_ERROR, error=error))
        return [ItemObservation(self.item, self.strategy, self.probe.name, self._complete(o)) for o in result]

    def _complete(self, observation: Observation) -> Observation:
        observation = replace(observation, **_about(self.item))
        if self.reader is not None:
            observation = replace(observation, reader=self.reader, reader_role=self.probe.reader_role)
        if self.chain is None:
            return observation
        return replace(
            observation,
            chain_index=self.chain.index,
            reference=self.chain.answer,
            n_steps=len(self.chain.steps),
            channel=self.chain.channel,
        )


def _about(item: Item) -> dict[str, Any]:
    """Return the columns of rows that name the item's variant."""
    one = item.variant
    if one is None:
        return {"variant": PLAIN}
    return {"variant": one.name, "intervention": one.intervention, "target": one.target}


def _make_chain(item: Item, index: int, ask: Ask) -> Generator[list[Request], list[Any], Chain]:
    prompt = ask.strategy.prompt(ask.templates, item)
    if item.supplied is None:
        (sample,) = yield from ask.rests([""])
        chain = _unanswered(ask, index, sample, prompt)
    else:
        chain = _supplied(ask, index, item.supplied, prompt)
    if chain.status is not Status.OK:
        return chain
    (answer,) = yield [ask.answer_after(chain, len(chain.steps))]
    return replace(chain, answer=answer, status=answer.status, error=answer.error)


def _supplied(ask: Ask, index: int, supplied: Supplied, prompt: str) -> Chain:
    text = "".join(supplied.steps)
    sample = Continuation(Status.OK, text, n_tokens=_count_tokens(ask, prompt, text), finish_reason="supplied")
    labelled = bool(supplied.step_labels)  # labels belong to single steps: those are not merged
    steps = supplied.steps if labelled else ask.merge(supplied.steps)
    unit = "supplied" if labelled else ask.step_unit(supplied=True)
    return replace(_unanswered(ask, index, sample, prompt), steps=steps, step_unit=unit, author=supplied.author)


def _count_tokens(ask: Ask, prompt: str, text: str) -> int | None:
    """Return how many tokens ``text`` is after ``prompt``; None if only the server has the tokenizer."""
    if ask.codec.whole_turns:
        return None
    return len(ask.codec.encode(prompt + ask.codec.plain(text))) - len(ask.codec.encode(prompt))


def _unanswered(ask: Ask, index: int, sample: Continuation, prompt: str) -> Chain:
    steps = ask.split(sample.text)
    status, error = sample.status, sample.error
    if status is Status.OK and not steps:
        status, error = Status.EMPTY_CHAIN, "The model wrote no chain."
    return Chain(
        item_id=ask.item.id,
        index=index,
        text=sample.text,
        steps=steps,
        answer=Answer(status, error=error),
        status=status,
        n_tokens=sample.n_tokens,
        finish_reason=sample.finish_reason,
        seed=sample.seed,
        prompt=ask.codec.shown(prompt),
        strategy=ask.strategy.name,
        step_unit=ask.step_unit(supplied=False),
        error=error,
        channel=sample.channel or _channel(ask),
        **_about(ask.item),
    )


def _channel(ask: Ask) -> str | None:
    """Return what the chain's text is, or would be if it failed; null: not told apart."""
    supplied = ask.item.supplied
    return ask.templates.channel if supplied is None else supplied.channel


def _never_made(item: Item, index: int, ask: Ask, reason: str) -> Coroutine[Chain]:
    """Stand in for the chain of an item that is not tried."""
    yield from ()
    return _unanswered(ask, index, Continuation(Status.QUARANTINED, error=reason), "")


def _begun(probe: ResolvedProbe, subject: Chain | Sequence[Chain], ask: Ask) -> Coroutine[list[Observation]]:
    """Return the probe's coroutine; one that raises if the probe is a plain function and failed already."""
    try:
        return probe.kind.run(subject, ask, probe.options)
    except Exception as error:
        return _raising(error)


def _raising(error: Exception) -> Coroutine[list[Observation]]:
    yield from ()
    raise error


def _failing(probe: ResolvedProbe, ask: Ask) -> Unprobed:
    """Return what makes the rows of a chain that the probe cannot run on, or fails on."""
    rows = probe.kind.rows
    if rows is None:
        return probe.kind.unprobed
    return lambda arm, failure: [replace(row, answer=failure) for row in rows(ask, probe.options)]


def _unprobed(unprobed: Unprobed, arm: str, failure: Answer) -> Coroutine[list[Observation]]:
    """Stand in for a probe on a chain that cannot be probed, or on an item that is not tried."""
    yield from ()
    return unprobed(arm, failure)
