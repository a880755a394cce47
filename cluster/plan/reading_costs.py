"""What a reading costs: the requests of a probe on one chain, as its reader would be asked, made up and counted.

In: a plan, a probe, a reader, the items of one task under one variant, the length of a chain. Out: the work. The
probe's own code makes the requests; a made-up chain stands for the subject's, or the item's own, and the made-up reader
says yes to everything, so that it is asked all that it may be asked. Few items are measured, and stand for the others.
Tokens are the reader's; those that it writes are counted at their limits. Loads no weights.
"""

from collections.abc import Sequence
from dataclasses import astuple
from functools import lru_cache

from cotfaith.cluster.plan.plan import Plan
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Answer, Chain, Edit, Item, Observation
from cotfaith.schemas.spec import StrategyName, TaskSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import GenerateRequest
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.plugins import faults_named
from cotfaith.workers.probes.lib.probe import Shape
from cotfaith.workers.resolved import ResolvedProbe
from cotfaith.workers.roles.role import Work
from cotfaith.workers.shard.loop import Failed, drive
from cotfaith.workers.shard.stand_in import CHAINS, Payload, StandIn
from cotfaith.workers.shard.work import RowsOn, ShardWork
from cotfaith.workers.text.codec import Codec
from cotfaith.workers.text.turns import BYTES_PER_TOKEN

MOST_ITEMS = 8
"""Items that are measured; they are spread evenly."""
YES = " yes"
"""What the made-up reader writes."""


def reading_work(
    plan: Plan, probe: ResolvedProbe, reader: str, task: TaskSpec, strategy: StrategyName, variant: str, chain: int
) -> Work:
    """Return the work of one reading of one chain of ``chain`` tokens on each of the task's items under the variant."""
    items = plan.resolved.under(variant, task.name, plan.items[task.name])
    read = [item for item in items if probe.kind.applies(item)]
    some = [read[at * len(read) // MOST_ITEMS] for at in range(MOST_ITEMS)] if len(read) > MOST_ITEMS else read
    model = plan.models[reader]
    found = [_of_item(plan, probe, model, task, strategy, item, chain) for item in some]
    return _times(found, len(read))


def _times(found: Sequence[Work], n: int) -> Work:
    """Return the work on ``n`` items of which some are known, rounded up."""
    if not found:
        return Work(0, 0, 0, 0)
    columns = zip(*map(astuple, found), strict=True)
    return Work(*(-(-sum(column) * n // len(found)) for column in columns))


def _of_item(
    plan: Plan,
    probe: ResolvedProbe,
    model: ResolvedModel,
    task: TaskSpec,
    strategy: StrategyName,
    item: Item,
    tokens: int,
) -> Work:
    engine = StandIn(model.codec, YES, prefers_first=True)
    read = rows_read(plan, probe, item)
    work = ShardWork(plan.spec, model.spec, task, strategy, (item,), model.codec, read=read)
    runs = work.runs([_made_up(item, model.codec, tokens)], [probe.name], model.capabilities)
    for result in drive([run.coroutine for run in runs], {"subject": engine}):
        if isinstance(result, Failed):
            raise SpecError(
                f"Planning what readers are asked in {probe.name} (module {probe.kind.module}) fails: {result.error}. "
                "Fix that module, then plan again."
            )
    return _counted([payload for batch in engine.batches for payload in batch], model.whole_turns)


def rows_read(plan: Plan, probe: ResolvedProbe, item: Item) -> RowsOn:
    """Return made-up rows of the probe that ``probe`` reads, as many as it has arms, on the item's made-up chain.

    The item's own question and answer stand for those in the rows; marks at its end keep the questions apart.
    """
    read = next((one for one in plan.probes if one.name == probe.kind.reads), None)
    if read is None:
        return {}
    with faults_named(f"Planning the arms of {read.name}", read.kind.arms, "plan again."):
        count = len(read.kind.arms(Shape(1, 1, 1), read.options))
    return {(read.name, item.id, 0): tuple(_row(item, at) for at in range(count))}


def _row(item: Item, at: int) -> Observation:
    edit = Edit(item.question + "?" * at, changed=True, plausible=None, status=Status.OK)
    return Observation(str(at), Answer(Status.OK, item.gold), rollout=at, edit=edit)


def _made_up(item: Item, codec: Codec, tokens: int) -> Chain:
    """Return a chain of this many tokens, or the one that comes with the item."""
    steps = (_text(codec, tokens),) if item.supplied is None else item.supplied.steps
    answer = Answer(Status.OK, item.gold)
    return Chain(item.id, 0, "".join(steps), steps, answer, Status.OK, tokens, "stop", 0, variant=item.variant_name)


@lru_cache(maxsize=32)
def _text(codec: Codec, tokens: int) -> str:
    """Return a text of this many tokens; whole turns: of as many as its bytes may be."""
    some = CHAINS["cot"]
    if codec.whole_turns:
        return (some * tokens)[: tokens * BYTES_PER_TOKEN]
    once = max(1, len(codec.encode(some)) - len(codec.encode("")))
    ids = codec.encode(some * (tokens // once + 2))[len(codec.encode("")) :]
    return codec.continuation((), ids[:tokens])


def _counted(payloads: Sequence[Payload], whole_turns: bool) -> Work:
    prompts = [payload.prompt for payload in payloads]
    written = sum(payload.max_tokens for payload in payloads if isinstance(payload, GenerateRequest))
    per_token = BYTES_PER_TOKEN if whole_turns else 1
    whole, distinct = sum(map(len, prompts)), _distinct(prompts)
    return Work(len(prompts), -(-whole // per_token), -(-distinct // per_token), written)


def _distinct(prompts: Sequence[tuple[int, ...]]) -> int:
    """Return the tokens with each prefix that prompts share counted once."""
    ordered = sorted(prompts)
    return sum(len(one) - _shared(before, one) for before, one in zip([(), *ordered], ordered, strict=False))


def _shared(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
