"""How often the whole suite computes a token: positions that went through the model, over distinct prefixes.

    python benchmarks/suite.py [--model FOLDER] [--items 4] [--steps 8] [--threads 2] [--json FILE]

All perturbation probes run on chains from a template, with edits by rule. Shared prefixes within one call are computed
once. A later call computes them again, since the engine keeps nothing between calls, so probes that first sample and
then ask pay twice. A prefix is a text's beginning, token by token; sampled texts also count. First each probe runs by
itself, then all together in common rounds, as in a run.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from measure import load_engine, parser, write
from rich.console import Console
from rich.table import Table
from texts import shard, written_chains

from cotfaith.workers.engines.next_tokens import wanted_tokens
from cotfaith.workers.engines.protocol import GenerateRequest, Generation, ScoreRequest
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens

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


def count(options: argparse.Namespace, engine: TransformersEngine, probes: Sequence[Any]) -> dict[str, int]:
    """Run ``probes`` in common rounds; return the requested, distinct and computed tokens."""
    sampling = {"max_tokens": options.max_tokens, "budget_forcing": True}  # then every rest gets an answer
    work = shard(options.model, options.items, sampling, probes=probes)
    counting, before = Counting(engine), engine.usage().computed_tokens
    work.run_probes(written_chains(work, options.steps), [p.name for p in work.spec.probes], {"subject": counting})  # type: ignore[dict-item]
    return {
        "tokens": sum(map(len, counting.texts)),
        "distinct": distinct_tokens(counting.texts),
        "computed": engine.usage().computed_tokens - before,
    }


def run(options: argparse.Namespace, console: Console) -> bool:
    """Count, print and write."""
    engine = load_engine(options, max_rows=options.rows)
    name_of = {(p if isinstance(p, str) else p["name"]): p for p in PROBES}
    found = {name: count(options, engine, [probe]) for name, probe in name_of.items()}
    found["all, together"] = count(options, engine, PROBES)
    table = Table("probe", "tokens", "distinct", "computed", "per distinct", "times fewer than whole prompts")
    for name, row in found.items():
        ratios = f"{row['computed'] / row['distinct']:.2f}", f"{row['tokens'] / row['computed']:.1f}"
        table.add_row(name, *map(str, row.values()), *ratios)
    console.print(table)
    write(options, engine, {"probes": found})
    return True


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--items", type=int, default=4)
    made.add_argument("--steps", type=int, default=8, help="steps of a chain")
    made.add_argument("--max-tokens", type=int, default=48, help="most tokens sampled after a prefix")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
