"""The memory of the engine's calls on a GPU: what is allocated before each, the peaks during it, and what it keeps.

    python benchmarks/gpu_memory.py --model FOLDER [--generation-rows 64 256] [--steps 60] [--chains 8] [--json FILE]

One engine, which forgets before each call: a plain pass over the longest prompt, scoring, and sampling with each number
of rows. Reserved memory is what torch holds, and so what other processes miss. Without a GPU, allocated is the
process's resident memory (``memory.py``), and reserved is null.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from measure import load_engine, parser, write
from memory import peak
from rich.console import Console
from rich.table import Table
from scorers import plain_pass
from texts import mixed_requests, probe_requests, shard, written_chains

TOKENS = 32
"""What each row generates: its memory grows with prompts, and little with these."""


def peaks(work: Callable[[], Any]) -> dict[str, int | None]:
    """Return the bytes allocated before the work, and the most allocated and reserved during it."""
    if not torch.cuda.is_available():
        before, highest = (round(mib * 2**20) for mib in peak(work))
        return {"before_bytes": before, "peak_allocated_bytes": highest, "peak_reserved_bytes": None}
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return {
        "before_bytes": before,
        "peak_allocated_bytes": torch.cuda.max_memory_allocated(),
        "peak_reserved_bytes": torch.cuda.max_memory_reserved(),
    }


def run(options: argparse.Namespace, console: Console) -> bool:
    """Measure, print and write."""
    engine = load_engine(options, max_rows=max(options.generation_rows), kept_gb=options.kept_gb)
    work = shard(options.model, options.chains)
    scored = probe_requests(work, written_chains(work, options.steps), "early_answering")
    mixed = mixed_requests(options.model, max(options.generation_rows), 0.0)
    longest = max(len(r.prompt) for r in scored)
    calls: dict[str, Callable[[], Any]] = {
        "plain pass": lambda: plain_pass(engine.model, longest),
        "score": lambda: engine.score(scored),
    }
    for rows in options.generation_rows:
        sampled = [replace(r, max_tokens=min(TOKENS, r.max_tokens)) for r in mixed[:rows]]
        calls[f"generate, {rows} rows"] = lambda sampled=sampled: engine.generate(sampled)  # type: ignore[misc]
    found = {}
    for name, call in calls.items():
        engine.forget()
        found[name] = {**peaks(call), "kept_bytes": engine.kept_bytes}
    weights = sum(p.numel() * p.element_size() for p in engine.model.parameters())
    show(weights, found, console)
    write(options, engine, {"weights_bytes": weights, "calls": found})
    return True


def show(weights: int, calls: dict[str, dict[str, int | None]], console: Console) -> None:
    """Print a row per call, in gigabytes."""
    table = Table("call", "before", "peak allocated", "over before", "peak reserved", "kept", title="GB")
    for name, call in calls.items():
        before, most, kept = (call[key] or 0 for key in ("before_bytes", "peak_allocated_bytes", "kept_bytes"))
        reserved = call["peak_reserved_bytes"]
        numbers = (before, most, most - before, reserved, kept)
        table.add_row(name, *("" if n is None else f"{n / 1e9:.2f}" for n in numbers))
    console.print(table)
    console.print(f"the weights take {weights / 1e9:.2f} GB", highlight=False)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--generation-rows", type=int, nargs="+", default=[64, 256], help="rows of a batch")
    made.add_argument("--steps", type=int, default=60, help="steps of a written chain")
    made.add_argument("--chains", type=int, default=8)
    made.add_argument("--kept-gb", type=float, default=8.0, help="place for what calls keep; taken at once on a GPU")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
