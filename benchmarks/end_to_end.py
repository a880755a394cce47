"""Three probes on a small task, from questions to answers: chains sampled, then no_cot, early_answering, filler_tokens.

    python benchmarks/end_to_end.py [--model FOLDER] [--items 8] [--max-tokens 320] [--threads 2] [--json FILE]

ours: the shard loop with the engine, in this process, without Ray and without storage. one by one: what published code
does: `model.generate` for one chain at a time, then one forward pass for each prompt, with the candidates'
log-probabilities from its last position; templates, tokenising and reading are the same. vllm: the shard loop with this
project's vLLM engine.

Chains are sampled, so each way writes its own: compare their tokens per second. The probes all run on our chains, so
that answers can be compared.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from generators import Library, OneByOne
from measure import Timing, Way, alternate, importable, load_engine, nothing, parser, write
from rich.console import Console
from rich.table import Table
from scorers import load_vllm
from scoring import TOLERANCE
from texts import SUITES, shard, written_chains

from cotfaith.schemas.records import Chain
from cotfaith.schemas.status import Status

WAYS = ("ours", "one by one", "vllm")
NEEDS = {"vllm": "vllm"}


class EndToEnd:
    """The engines, loaded once, and one shard of work."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options = options
        names = importable(dict.fromkeys(["ours", *options.ways]), NEEDS, console)
        sampling = {"max_tokens": options.max_tokens, "chains_per_item": options.chains}
        self.work = shard(options.model, options.items, sampling)
        self.ours = load_engine(options, max_rows=options.rows, kept_gb=1)
        made = {"ours": lambda: self.ours, "one by one": self._one_by_one, "vllm": self._vllm}
        self.engines = {name: made[name]() for name in names}

    def _one_by_one(self) -> OneByOne:
        return OneByOne(Library(self.ours.model, self.work.codec.tokenizer))  # type: ignore[attr-defined]

    def _vllm(self) -> Any:
        return load_vllm(self.options.model, self.options.dtype, self.options.threads, self.options.rows)

    def chains(self, repeats: int) -> dict[str, Timing]:
        """Time the sampling of all chains, and their answers."""
        return self._timed(repeats, lambda engine: self.work.sample_chains({"subject": engine}))

    def warm_up(self) -> None:
        """Warm up: do a little of everything once."""
        little = shard(self.options.model, 1, {"max_tokens": 4})
        for engine in self.engines.values():
            little.run_probes(little.sample_chains({"subject": engine}), SUITES["three_probes"], {"subject": engine})
            little.run_probes(written_chains(little, 2), SUITES["three_probes"], {"subject": engine})

    def probes(self, chains: Sequence[Chain], repeats: int) -> dict[str, Timing]:
        """Time the probes on ``chains``."""
        return self._timed(repeats, lambda e: self.work.run_probes(chains, SUITES["three_probes"], {"subject": e}))

    def _timed(self, repeats: int, run: Any) -> dict[str, Timing]:
        ways = {name: Way(partial(run, engine), _emptied(engine)) for name, engine in self.engines.items()}
        return alternate(ways, repeats, self.options.threads)


def _emptied(engine: Any) -> Any:
    """Return what empties an engine's cache, if it has one."""
    return engine.llm.reset_prefix_cache if hasattr(engine, "llm") else getattr(engine, "forget", nothing)


def chain_row(timing: Timing, ours: Timing) -> dict[str, Any]:
    """Return the speed of sampling, in tokens per second, since chains differ between ways."""
    rate, our_rate = (sum(chain.n_tokens for chain in t.result) / t.median_s for t in (timing, ours))
    usable = sum(chain.status is Status.OK for chain in timing.result)
    times = {"seconds": timing.seconds, "median_s": timing.median_s}
    return {**times, "usable_chains": usable, "tokens_per_s": rate, "ours_is": our_rate / rate}


def probe_row(timing: Timing, ours: Timing) -> dict[str, Any]:
    """Return the probes' times, and the difference of the answers from ours."""
    pairs = [(a.observation.answer, b.observation.answer) for a, b in zip(ours.result, timing.result, strict=True)]
    gaps = [np.abs(np.subtract(a.logprobs, b.logprobs)).max() for a, b in pairs if a.logprobs and b.logprobs]
    return {
        "seconds": timing.seconds,
        "median_s": timing.median_s,
        "answers": len(pairs),
        "same_answers": sum(a.status == b.status and a.value == b.value for a, b in pairs),
        "largest_difference_nats": float(max(gaps, default=0.0)),
        "ours_is": timing.median_s / ours.median_s,
    }


def show(chains: dict[str, Any], probes: dict[str, Any], console: Console) -> None:
    """Print one row per way."""
    table = Table(
        "way", "chains s", "usable", "tokens/s", "ours is", "probes s", "ours is", "same answers", "largest diff."
    )
    for name, c in chains.items():
        p = probes[name]
        sampled = [f"{c['median_s']:.1f}", str(c["usable_chains"]), f"{c['tokens_per_s']:.0f}", f"{c['ours_is']:.2f}x"]
        same = f"{p['same_answers']} of {p['answers']}"
        probed = [f"{p['median_s']:.1f}", f"{p['ours_is']:.2f}x", same, f"{p['largest_difference_nats']:.1e}"]
        table.add_row(name, *sampled, *probed)
    console.print(table)


def run(options: argparse.Namespace, console: Console) -> bool:
    """Time, print and write; return whether all ways give the same log-probabilities."""
    bench = EndToEnd(options, console)
    bench.warm_up()
    sampled = bench.chains(options.repeats)
    chains = sampled["ours"].result
    probed = bench.probes(chains, options.repeats)
    rows = {name: chain_row(timing, sampled["ours"]) for name, timing in sampled.items()}
    probe_rows = {name: probe_row(timing, probed["ours"]) for name, timing in probed.items()}
    show(rows, probe_rows, console)
    if not rows["ours"]["usable_chains"]:
        console.print("No chain ended before --max-tokens: early_answering has nothing to ask. Set more tokens.")
    largest, allowed = max(r["largest_difference_nats"] for r in probe_rows.values()), TOLERANCE[options.dtype]
    console.print(f"{'equal' if largest <= allowed else 'NOT EQUAL'}: {largest:.1e} nats apart, {allowed} allowed")
    found = {"tolerance_nats": allowed, "equal": largest <= allowed}
    write(options, bench.ours, {**found, "chains": rows, "probes": probe_rows})
    return bool(largest <= allowed)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, WAYS, repeats=1)
    made.add_argument("--items", type=int, default=8)
    made.add_argument("--chains", type=int, default=1, help="chains per item")
    made.add_argument(
        "--max-tokens", type=int, default=320, help="most tokens of a chain; one that is cut is not probed"
    )
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
