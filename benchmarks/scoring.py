"""Scoring the requests of early answering, and of three probes together, in several ways.

    python benchmarks/scoring.py [--model FOLDER] [--steps 10 30 60] [--chains 1] [--threads 2] [--json FILE]

ours: the engine's prefix tree. ours, from text: with the probes' coroutines, templates and tokenising. padded: batches
sorted by length, with only the last position through the output head. lm_eval: lm-evaluation-harness, model type hf, on
the same texts and weights, tokenising included. vllm: this project's vLLM engine, its prefix cache empty at the start.
plain pass: one causal pass per chain over as many tokens as are distinct; it gives no answers and serves as a bound.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from counts import operations, scoring_work
from measure import Timing, Way, alternate, importable, load_engine, matmul_rate, parser, write
from rich.console import Console
from rich.table import Table
from scorers import Harness, load_vllm, padded, plain_pass
from texts import SUITES, probe_requests, shard, written_chains

from cotfaith.workers.engines.protocol import ScoreRequest
from cotfaith.workers.shard.work import ShardWork

WAYS = ("ours", "padded", "lm_eval", "vllm")
NEEDS = {"lm_eval": "lm_eval", "vllm": "vllm"}
FROM_TEXT, PLAIN = "ours, from text", "plain pass"
TOLERANCE = {"float32": 1e-3, "bfloat16": 1.0, "float16": 0.2}
"""The most nats by which two ways' log-probabilities may differ in the whole run."""


class Scoring:
    """The ways, loaded once, and what they are timed on."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options = options
        self.engine = load_engine(options, **({"token_budget": options.token_budget} if options.token_budget else {}))
        self.names = importable(dict.fromkeys(["ours", *options.ways]), NEEDS, console)
        codec = shard(options.model, 1).codec
        self.harness = Harness(self.engine.model, codec.tokenizer, options.rows) if "lm_eval" in self.names else None
        self.vllm = load_vllm(options.model, options.dtype, options.threads) if "vllm" in self.names else None
        self.rate = matmul_rate(self.engine.model.dtype, self.engine.model.device, options.threads)

    def measure(self, suite: str, steps: int, repeats: int) -> dict[str, Any]:
        """Time all ways on one suite and length of chain."""
        work = shard(self.options.model, self.options.chains)
        chains = written_chains(work, steps)
        requests = probe_requests(work, chains, suite)
        computed = self._computed(requests)
        timings = alternate(self._ways(work, chains, suite, requests), repeats, self.options.threads)
        return {
            "suite": suite,
            "steps": steps,
            "chains": len(chains),
            "requests": len(requests),
            "computed_tokens": computed,
            **self._speed(requests, timings),
            "ways": compared(timings),
        } | ({"lm_eval_rows": self.harness.rows(requests)} if self.harness else {})

    def _computed(self, requests: Sequence[ScoreRequest]) -> int:
        before = self.engine.usage().computed_tokens
        self.engine.score(requests)
        return self.engine.usage().computed_tokens - before

    def _ways(self, work: ShardWork, chains: Any, suite: str, requests: Sequence[ScoreRequest]) -> dict[str, Way]:
        model, rows, tokens = self.engine.model, self.options.rows, scoring_work(requests).tokens // len(chains)
        ways = {
            "ours": Way(lambda: self.engine.score(requests)),
            FROM_TEXT: Way(lambda: work.run_probes(chains, SUITES[suite], {"subject": self.engine})),
            "padded": Way(lambda: padded(model, requests, rows)),
        }
        if self.harness:
            harness, texts = self.harness, self.harness.texts(requests)
            ways["lm_eval"] = Way(lambda: harness.score(requests, texts))
        if self.vllm:
            vllm = self.vllm
            ways["vllm"] = Way(lambda: vllm.score(requests), before=vllm.llm.reset_prefix_cache)
        ways[PLAIN] = Way(lambda: [plain_pass(model, tokens) for _ in chains])
        return {name: way for name, way in ways.items() if name in (*self.names, FROM_TEXT, PLAIN)}

    def _speed(self, requests: Sequence[ScoreRequest], timings: dict[str, Timing]) -> dict[str, Any]:
        work, ours_s = scoring_work(requests), timings["ours"].median_s
        flop_rate = operations(self.engine.model, work) / ours_s
        return {
            "prompt_tokens": sum(len(r.prompt) for r in requests),
            "distinct_tokens": work.tokens,
            "over_plain_pass": ours_s / timings[PLAIN].median_s,
            "flop_per_s": flop_rate,
            "share_of_matmul_rate": flop_rate / self.rate,
        }


def compared(timings: dict[str, Timing]) -> dict[str, dict[str, Any]]:
    """Return each way's times, their ratio to ours, and the difference of its results from ours."""
    ours = timings["ours"]
    return {
        name: {
            "seconds": timing.seconds,
            "median_s": timing.median_s,
            "ours_is": timing.median_s / ours.median_s,
            **(agreement(ours.result, timing.result) if name not in (FROM_TEXT, PLAIN) else {}),
        }
        for name, timing in timings.items()
    }


def agreement(ours: Sequence[tuple[float, ...]], other: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    """Return the largest difference in nats, and the share of requests with the same likeliest candidate."""
    gaps = [np.abs(np.subtract(a, b)) for a, b in zip(ours, other, strict=True)]
    same = [np.argmax(a) == np.argmax(b) for a, b in zip(ours, other, strict=True)]
    return {"largest_difference_nats": float(np.concatenate(gaps).max()), "same_answers": float(np.mean(same))}


def show(results: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the ways' times, then what ours computed."""
    ways = Table("suite", "steps", "way", "seconds", "ours is", "largest difference", "same answers")
    for r in results:
        for name, way in r["ways"].items():
            gap = f"{way['largest_difference_nats']:.1e}" if "same_answers" in way else ""
            same = f"{way['same_answers']:.1%}" if gap else ""
            ways.add_row(
                r["suite"], str(r["steps"]), name, f"{way['median_s']:.2f}", f"{way['ours_is']:.2f}x", gap, same
            )
    work = Table("suite", "steps", "tokens", "distinct", "computed", "per distinct", "x plain pass", "of matmul rate")
    for r in results:
        counts = [str(r[key]) for key in ("prompt_tokens", "distinct_tokens", "computed_tokens")]
        ratio = f"{r['computed_tokens'] / r['distinct_tokens']:.2f}"
        speed = [f"{r['over_plain_pass']:.2f}", f"{r['share_of_matmul_rate']:.0%}"]
        work.add_row(r["suite"], str(r["steps"]), *counts, ratio, *speed)
    console.print(ways, work)


def run(options: argparse.Namespace, console: Console) -> bool:
    """Time, print and write; return whether all ways agree."""
    scoring = Scoring(options, console)
    for suite in options.suites:
        scoring.measure(suite, 2, 1)  # warm-up
    results: list[dict[str, Any]] = []
    work = list(product(options.steps, options.suites))
    for steps, suite in work:
        console.print(f"timing {suite}, {steps} steps", highlight=False)
        results.append(scoring.measure(suite, steps, options.repeats))
        write(options, scoring.engine, report(scoring, results, len(work)))
    show(results, console)
    largest, allowed, equal = largest_difference(results), TOLERANCE[options.dtype], agree(results, options.dtype)
    console.print(f"{'equal' if equal else 'NOT EQUAL'}: {largest:.1e} nats apart, {allowed} allowed")
    return equal


def report(scoring: Scoring, results: Sequence[dict[str, Any]], whole: int) -> dict[str, Any]:
    """Return the numbers so far; "complete": all of them."""
    dtype = scoring.options.dtype
    return {
        "matmul_flop_per_s": scoring.rate,
        "tolerance_nats": TOLERANCE[dtype],
        "equal": agree(results, dtype),
        "complete": len(results) == whole,
        "results": results,
    }


def largest_difference(results: Sequence[dict[str, Any]]) -> float:
    """Return the largest difference between any way and ours, in nats."""
    return max(float(way.get("largest_difference_nats", 0.0)) for r in results for way in r["ways"].values())


def agree(results: Sequence[dict[str, Any]], dtype: str) -> bool:
    """Return whether all ways give the same, up to float noise."""
    return largest_difference(results) <= TOLERANCE[dtype]


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, WAYS)
    made.add_argument("--steps", type=int, nargs="+", default=[10, 30, 60], help="steps of a chain")
    made.add_argument("--chains", type=int, default=1, help="chains scored in one call, each with its own question")
    made.add_argument("--suites", nargs="+", default=list(SUITES), choices=SUITES)
    made.add_argument("--token-budget", type=int, help="the engine's own by default")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
