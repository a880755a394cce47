"""Continuing many prompts of mixed lengths, in several ways.

    python benchmarks/generation.py [--model FOLDER] [--requests 48] [--rows 16] [--threads 2] [--json FILE]

ours: the engine, which keeps nothing of earlier calls.
generate: the library's `model.generate` in batches as large, sorted by the prompts' lengths.
generate, by limit: sorted by the requests' token limits, which helps if most requests reach them.
continuous: the library's continuous batching. vllm: this project's vLLM engine, its prefix cache empty at the start.

Each request has its own limit; every other request has a stop string. Decoding is greedy, so outputs can be compared:
where two ways diverge, the difference is the gap in the model's own log-probabilities of the two next tokens.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from counts import generation_work, operations
from generators import Library
from measure import Timing, Way, alternate, importable, load_engine, matmul_rate, nothing, parser, write
from rich.console import Console
from rich.table import Table
from scorers import load_vllm
from texts import mixed_requests, shard

from cotfaith.workers.engines.protocol import GenerateRequest, Generation, ScoreRequest

WAYS = ("ours", "generate", "generate, by limit", "continuous", "vllm")
NEEDS = {"vllm": "vllm"}
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5, "float16": 0.1}
"""The most nats between the two next tokens where two ways diverge: float noise."""


class Sampling:
    """The ways, loaded once, and what they are timed on."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options = options
        self.engine = load_engine(options, max_rows=options.rows, kept_gb=1)
        names = importable(dict.fromkeys(["ours", *options.ways]), NEEDS, console)
        library = Library(self.engine.model, shard(options.model, 1).codec.tokenizer)
        self.eos = library.eos
        vllm = load_vllm(options.model, options.dtype, options.threads, options.rows) if "vllm" in names else None
        self.requests = mixed_requests(options.model, options.requests, options.temperature)
        self._ways = {name: _way(name, self.engine, library, vllm, options.rows) for name in names}

    def measure(self, requests: Sequence[GenerateRequest], repeats: int) -> dict[str, Timing]:
        """Time all ways on ``requests``."""
        ways = {name: Way(partial(run, requests), before) for name, (run, before) in self._ways.items()}
        return alternate(ways, repeats, self.options.threads)

    def share(self, ours: Timing) -> float:
        """Return the least operations per second of ours, over those of a matrix product."""
        model = self.engine.model
        needed = operations(model, generation_work(self.requests, ours.result))
        return needed / ours.median_s / matmul_rate(model.dtype, model.device, self.options.threads)

    def compared(self, timing: Timing, ours: Timing) -> dict[str, Any]:
        """Return a way's times and tokens, and its difference from ours."""
        tokens, our_tokens = (sum(len(g.tokens) for g in t.result) for t in (timing, ours))
        rate = tokens / timing.median_s
        found: dict[str, Any] = {"seconds": timing.seconds, "median_s": timing.median_s, "tokens": tokens}
        found |= {"tokens_per_s": rate, "ours_is": our_tokens / ours.median_s / rate}
        if self.options.temperature == 0:
            found["equal"] = sum(a == b for a, b in zip(ours.result, timing.result, strict=True))
            found["largest_difference_nats"] = self._largest_gap(self.requests, ours.result, timing.result)
        return found

    def _largest_gap(
        self, requests: Sequence[GenerateRequest], a: Sequence[Generation], b: Sequence[Generation]
    ) -> float:
        partings = [_parting(r, x, y, self.eos) for r, x, y in zip(requests, a, b, strict=True) if x != y]
        scores = self.engine.score([p for p in partings if p is not None])
        return max((abs(first - second) for first, second in scores), default=0.0)


def _way(name: str, engine: Any, library: Library, vllm: Any, rows: int) -> tuple[Any, Any]:
    """Return how to generate, and what to do before."""
    if name == "vllm":
        return vllm.generate, vllm.llm.reset_prefix_cache
    if name == "ours":
        return engine.generate, engine.forget
    runs = {
        "generate": lambda requests: library.generate(requests, rows, lambda r: len(r.prompt)),
        "generate, by limit": lambda requests: library.generate(requests, rows, lambda r: r.max_tokens),
        "continuous": lambda requests: library.continuous(requests, rows),
    }
    return runs[name], nothing


def _parting(request: GenerateRequest, a: Generation, b: Generation, eos: frozenset[int]) -> ScoreRequest | None:
    """Ask for the two tokens where the generations diverge; None if they differ only in how they ended."""
    n = next((i for i, (x, y) in enumerate(zip(a.tokens, b.tokens, strict=False)) if x != y), None)
    n = min(len(a.tokens), len(b.tokens)) if n is None else n
    tokens = [g.tokens[n] if n < len(g.tokens) else min(eos, default=None) for g in (a, b)]
    if None in tokens or tokens[0] == tokens[1]:
        return None
    return ScoreRequest(request.prompt + a.tokens[:n], ((tokens[0],), (tokens[1],)))


def show(result: dict[str, Any], requests: int, share: float, console: Console) -> None:
    """Print one row per way."""
    table = Table("way", "seconds", "tokens", "tokens/s", "ours is", "equal outputs", "largest difference")
    for name, way in result.items():
        same = f"{way['equal']} of {requests}" if "equal" in way else ""
        gap = f"{way['largest_difference_nats']:.1e}" if same else ""
        row = (f"{way['median_s']:.1f}", str(way["tokens"]), f"{way['tokens_per_s']:.0f}", f"{way['ours_is']:.2f}x")
        table.add_row(name, *row, same, gap)
    console.print(table)
    console.print(f"ours runs at {share:.1%} of the machine's rate of matrix products", highlight=False)


def run(options: argparse.Namespace, console: Console) -> bool:
    """Time, print and write; return whether outputs are equal up to float noise."""
    sampling = Sampling(options, console)
    sampling.measure(sampling.requests[:2], 1)  # warm-up
    timings = sampling.measure(sampling.requests, options.repeats)
    result = {name: sampling.compared(timing, timings["ours"]) for name, timing in timings.items()}
    share = sampling.share(timings["ours"])
    show(result, len(sampling.requests), share, console)
    largest, allowed = max(w.get("largest_difference_nats", 0.0) for w in result.values()), TOLERANCE[options.dtype]
    console.print(f"{'equal' if largest <= allowed else 'NOT EQUAL'}: diverge by {largest:.1e} nats, {allowed} allowed")
    found = {"tolerance_nats": allowed, "equal": largest <= allowed, "share_of_matmul_rate": share}
    write(options, sampling.engine, {**found, "ways": result})
    return largest <= allowed


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, WAYS)
    made.add_argument("--requests", type=int, default=48)
    made.add_argument("--temperature", type=float, default=0.0, help="above 0, outputs are not compared")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
