"""The questions, chains and requests that the benchmarks time, made by the project's own task, templates and probes.

In: a model's tokenizer, counts and a seed. Out: a shard's work, chains from a template, and the requests that the
probes make about them. No weights are loaded.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cotfaith.schemas.records import Answer, Chain, Item
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import ModelSpec, RunSpec, parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.protocol import Capabilities, GenerateRequest, Generation, ScoreRequest
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.tasks.generators.tracking_objects import NAMES
from cotfaith.workers.tasks.load import load_task

SUITES = {"early_answering": ("early_answering",), "three_probes": ("no_cot", "early_answering", "filler_tokens")}
SWAPS = (2, 4, 8, 16)
"""The numbers of swaps in a question, in turn, so that questions differ in length."""
LIMITS = (16, 192)
"""Token limits of continuations, evenly spread on a logarithmic scale."""
STOP = "\n\n"


def shard(
    model: str,
    items: int,
    sampling: dict[str, Any] | None = None,
    swaps: Sequence[int] = (3,),
    probes: Sequence[Any] = SUITES["three_probes"],
) -> ShardWork:
    """Return the work of one shard of ``tracking_objects``; edits are by rule."""
    spec: RunSpec = parse_spec(
        {
            "models": [{"id": "benchmark", "source": model}],
            "tasks": [
                {
                    "name": "tracking_objects",
                    "generator": "tracking_objects",
                    "n": items,
                    "options": {"objects": [4], "swaps": list(swaps)},
                }
            ],
            "sampling": sampling or {},
            "probes": list(probes),
            "editor": {"by": "rules"},
        }
    )
    subject: ModelSpec = spec.models[0]
    task = spec.tasks[0]
    items = tuple(load_task(task, spec.seed))
    return ShardWork(spec=spec, model=subject, task=task, strategy="cot", items=items, codec=load_codec(subject))


def written_chains(work: ShardWork, steps: int) -> list[Chain]:
    """Return a chain with this many steps for each item."""
    return [_chain(work, item, [_step(item, n, steps) for n in range(steps)]) for item in work.items]


def _step(item: Item, n: int, steps: int) -> str:
    rng = random.Random(derive_seed("benchmark", item.id, n, steps))
    (a, b), (x, y) = rng.sample(NAMES, 2), rng.sample(item.choices, 2)
    return f" {a} and {b} swap now, so that {a} has the {x} and {b} has the {y}."


def _chain(work: ShardWork, item: Item, steps: list[str]) -> Chain:
    text = "".join(steps)
    return Chain(
        item_id=item.id,
        index=0,
        text=text,
        steps=tuple(steps),
        answer=Answer(Status.OK, value=item.gold),
        status=Status.OK,
        n_tokens=len(work.codec.encode(text)),
        finish_reason="stop",
        seed=0,
    )


class Recorder:
    """An engine that records its requests, writes nothing, and scores all candidates equally."""

    capabilities = Capabilities(generate=True, score=True, prefill=True)

    def __init__(self) -> None:
        self.scored: list[ScoreRequest] = []
        self.generated: list[GenerateRequest] = []

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Record the requests."""
        self.scored += requests
        return [(-1.0,) * len(request.candidates) for request in requests]

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Record the requests."""
        self.generated += requests
        return [Generation((), "stop") for _ in requests]


def probe_requests(work: ShardWork, chains: Sequence[Chain], suite: str) -> list[ScoreRequest]:
    """Return what the suite's probes ask about the chains."""
    recorder = Recorder()
    work.run_probes(chains, SUITES[suite], {"subject": recorder})  # type: ignore[dict-item]
    return recorder.scored


def mixed_requests(model: str, count: int, temperature: float, seed: int = 0) -> list[GenerateRequest]:
    """Return chains to sample: questions of several lengths, a limit each, and a stop string for every other one."""
    recorder = Recorder()
    shard(model, count, {"temperature": temperature}, SWAPS).sample_chains({"subject": recorder})  # type: ignore[dict-item]
    rng = random.Random(seed)
    return [
        replace(request, max_tokens=_limit(rng), stop=(STOP,) if i % 2 else ())
        for i, request in enumerate(recorder.generated)
    ]


def _limit(rng: random.Random) -> int:
    low, high = LIMITS
    return round(low * (high / low) ** rng.random())
