"""A whole suite, chains and then all perturbation probes: with what calls computed kept for later ones, and without.

    python benchmarks/suite.py [--model FOLDER] [--items 4] [--kept-gb 1] [--each] [--threads 2] [--json FILE]

Both ways do the same work on the same seeds; edits are by rule. *alone*: shared prefixes are computed once within a
call, and again in the next. *kept*: keys and values stay, within a budget, so that a chain is not computed again when
it is asked about. --each also runs each probe by itself, on chains that are written from a template.

tokens: of all texts, each in full. distinct: their prefixes, token by token; sampled texts count. computed: positions
that went through the model. reused: those taken from earlier calls instead.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from measure import Way, alternate, load_engine, parser, write
from memory import peak
from rich.console import Console
from rich.table import Table
from scoring import TOLERANCE
from texts import shard, written_chains

from cotfaith.workers.engines.next_tokens import wanted_tokens
from cotfaith.workers.engines.protocol import GenerateRequest, Generation, ScoreRequest
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens
from cotfaith.workers.shard.work import ItemObservation

PROBES: tuple[Any, ...] = (
    "no_cot",
    "early_answering",
    "filler_tokens",
    "adding_mistakes",
    "paraphrasing",
    "step_deletion",
    {"name": "resampling", "options": {"rollouts": 4}},
    "answer_order",
    "transfer",
)


@dataclass
class Counting:
    """An engine that records every text that goes through it."""

    engine: TransformersEngine
    texts: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def capabilities(self) -> Any:
        """The capabilities of the wrapped engine."""
        return self.engine.capabilities

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Score, and record what had to be computed."""
        self.texts += wanted_tokens(requests)
        return self.engine.score(requests)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Generate, and record prompts with all tokens but the last, which no prediction follows."""
        generations = self.engine.generate(requests)
        self.texts += [r.prompt + g.tokens[:-1] for r, g in zip(requests, generations, strict=True)]
        return generations


@dataclass
class Done:
    """What the work gave, and what it took."""

    rows: list[ItemObservation]
    counts: dict[str, int]
    mib: float
    """Peak of resident memory over what there was before."""


def do(options: argparse.Namespace, engine: TransformersEngine, probes: Sequence[Any], sampled: bool) -> Done:
    """Run ``probes`` in common rounds, on chains that are ``sampled`` before, or written."""
    sampling = {"max_tokens": options.max_tokens if sampled else options.rest, "budget_forcing": True}
    work = shard(options.model, options.items, sampling, probes=probes)
    counting, before, rows = Counting(engine), engine.usage(), []

    def run() -> None:
        engines: Any = {"subject": counting}
        chains = work.sample_chains(engines) if sampled else written_chains(work, options.steps)
        rows.extend(work.run_probes(chains, [p.name for p in work.spec.probes], engines))

    start, highest = peak(run)
    after = engine.usage()
    counts = {
        "tokens": sum(map(len, counting.texts)),
        "distinct": distinct_tokens(counting.texts),
        "computed": after.computed_tokens - before.computed_tokens,
        "reused": after.reused_tokens - before.reused_tokens,
    }
    return Done(rows, counts, highest - start)


def differences(first: Sequence[ItemObservation], second: Sequence[ItemObservation]) -> dict[str, float]:
    """Compare two ways' observations: how many have the same answer, and the largest gap in nats between those."""
    pairs = [(a.observation.answer, b.observation.answer) for a, b in zip(first, second, strict=True)]
    same = [(a, b) for a, b in pairs if a.status == b.status and a.value == b.value]
    gaps = [np.abs(np.subtract(a.logprobs, b.logprobs)).max() for a, b in same if a.logprobs and b.logprobs]
    return {"answers": len(pairs), "same": len(same), "largest_difference_nats": float(max(gaps, default=0.0))}


def run(options: argparse.Namespace, console: Console) -> bool:
    """Count, time, print and write; return whether both ways give the same."""
    engines = {
        "alone": load_engine(options, max_rows=options.rows, kept_gb=0),
        "kept": load_engine(options, max_rows=options.rows, kept_gb=options.kept_gb),
    }
    name_of = {(p if isinstance(p, str) else p["name"]): p for p in PROBES}
    single = {}
    if options.each:
        single = {n: do(options, engines["alone"], [probe], sampled=False).counts for n, probe in name_of.items()}
    ways = {name: Way(partial(do, options, e, PROBES, True), e.forget) for name, e in engines.items()}
    timings = alternate(ways, options.repeats, options.threads)
    suite = {name: row(t.result, t.seconds, t.median_s) for name, t in timings.items()}
    show(single, suite, console)
    gap = differences(*(t.result.rows for t in timings.values()))
    faster = suite["alone"]["median_s"] / suite["kept"]["median_s"]
    equal = gap["same"] == gap["answers"] and gap["largest_difference_nats"] <= TOLERANCE[options.dtype]
    console.print(
        f"The suite takes {faster:.2f} times as long alone. Kept at its end: {engines['kept'].kept_bytes / 1e6:.0f} MB"
    )
    console.print(f"{'equal' if equal else 'NOT EQUAL'}: {gap}")
    write(
        options, engines["kept"], {"equal": equal, **gap, "alone_over_kept": faster, "probes": single, "suite": suite}
    )
    return equal


def row(done: Done, seconds: Sequence[float], median_s: float) -> dict[str, Any]:
    """Return a way's numbers."""
    return {**done.counts, "mib": done.mib, "seconds": list(seconds), "median_s": median_s}


def show(single: dict[str, dict[str, int]], suite: dict[str, Any], console: Console) -> None:
    """Print a row for each probe by itself, and one for the suite each way."""
    table = Table("work", "tokens", "distinct", "computed", "reused", "per distinct", "seconds", "peak MiB")
    for name, counts in single.items():
        table.add_row(name, *map(str, counts.values()), f"{counts['computed'] / counts['distinct']:.2f}")
    for name, found in suite.items():
        counted = [found[key] for key in ("tokens", "distinct", "computed", "reused")]
        ratio = f"{found['computed'] / found['distinct']:.3f}"
        table.add_row(f"suite, {name}", *map(str, counted), ratio, f"{found['median_s']:.1f}", f"{found['mib']:.0f}")
    console.print(table)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--items", type=int, default=4)
    made.add_argument("--each", action="store_true", help="also count each probe by itself, on written chains")
    made.add_argument("--steps", type=int, default=8, help="steps of a written chain")
    made.add_argument("--max-tokens", type=int, default=160, help="most tokens of a sampled chain")
    made.add_argument("--rest", type=int, default=48, help="most tokens sampled after a prefix of a written chain")
    made.add_argument("--kept-gb", type=float, default=1.0, help="the budget of what is kept")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
