"""Where the time of the engine's calls goes on a GPU: the top operators, and how long the GPU waits for the CPU.

    python benchmarks/gpu_profile.py --model FOLDER [--generation-rows 64 256] [--steps 60] [--chains 8] [--json FILE]

One call of ``score``, and one of ``generate`` for each number of rows. Also one decoding step, as the difference of two
calls that differ in nothing but their tokens: the share of it in which no kernel runs is spent on launches and Python,
and is the most that CUDA graphs or a static cache could save. Without a GPU that share is null.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from measure import load_engine, parser, timed, write
from rich.console import Console
from rich.table import Table
from texts import mixed_requests, probe_requests, shard, written_chains
from torch.profiler import ProfilerActivity, profile

from cotfaith.workers.engines.protocol import GenerateRequest
from cotfaith.workers.engines.transformers.engine import TransformersEngine

TOP = 10
TOKENS = 32
"""The most tokens that a profiled call generates: every kernel of every token is an event."""
STEPS = 16
"""The decoding steps in which two calls differ."""


def profiled(work: Callable[[], Any]) -> dict[str, Any]:
    """Return the operators that take most of the time by themselves, without what they call, and the GPU's busy share.

    On a GPU an operator is a kernel, and its time the GPU's: events of the CPU as well would take minutes to sum up.
    """
    gpu = torch.cuda.is_available()
    kind, name = ("CUDA", "self_device_time_total") if gpu else ("CPU", "self_cpu_time_total")
    with profile(activities=[getattr(ProfilerActivity, kind)]) as record:
        wall_s, _ = timed(work)
    events = [event for event in record.key_averages() if event.device_type.name == kind]
    times = {event.key: float(getattr(event, name)) for event in events}
    calls = {event.key: event.count for event in events}
    whole = sum(times.values())
    if not whole:
        raise RuntimeError(f"The profiler saw no operators of kind {kind}; expected those of the call.")
    first = sorted(times, key=times.__getitem__, reverse=True)[:TOP]
    return {
        "wall_s": wall_s,
        "busy_s": whole / 1e6,
        "busy": whole / 1e6 / wall_s,
        "calls": sum(calls.values()),
        "operators": [{"operator": key, "share": times[key] / whole, "calls": calls[key]} for key in first],
    }


def decoding_step(engine: TransformersEngine, requests: Sequence[GenerateRequest]) -> dict[str, Any]:
    """Return what one decoding step of all requests takes, without their prompts.

    The time is measured without the profiler, which makes launches slower.
    """
    few, many = (_call(engine, requests, tokens) for tokens in (1, 1 + STEPS))
    step = {key: (many[key] - few[key]) / STEPS for key in few}
    waits = max(0.0, 1 - step["busy_s"] / step["wall_s"]) if torch.cuda.is_available() and step["wall_s"] > 0 else None
    return {**step, "waiting_for_launches": waits}


def _call(engine: TransformersEngine, requests: Sequence[GenerateRequest], tokens: int) -> dict[str, float]:
    """Generate exactly as many tokens for each request, with the profiler and without."""
    exactly = [replace(r, max_tokens=tokens, min_tokens=tokens, stop=()) for r in requests]
    seen = profiled(lambda: engine.generate(exactly))
    wall_s, _ = timed(lambda: engine.generate(exactly))
    return {"wall_s": wall_s, "busy_s": seen["busy_s"], "operators": seen["calls"]}


def run(options: argparse.Namespace, console: Console) -> bool:
    """Profile, print and write."""
    engine = load_engine(options, max_rows=max(options.generation_rows))
    work = shard(options.model, options.chains)
    scored = probe_requests(work, written_chains(work, options.steps), "early_answering")
    mixed = mixed_requests(options.model, max(options.generation_rows), 0.0)
    sampled = [replace(request, max_tokens=min(TOKENS, request.max_tokens)) for request in mixed]
    engine.score(scored), engine.generate(sampled[:2])  # warm-up
    calls = {"score": profiled(lambda: engine.score(scored))}
    steps = {}
    for rows in options.generation_rows:
        calls[f"generate, {rows} rows"] = profiled(lambda rows=rows: engine.generate(sampled[:rows]))  # type: ignore[misc]
        steps[str(rows)] = decoding_step(engine, mixed[:rows])
    show(calls, steps, console)
    write(options, engine, {"calls": calls, "decoding_step": steps})
    return True


def show(calls: dict[str, dict[str, Any]], steps: dict[str, dict[str, Any]], console: Console) -> None:
    """Print the operators, how busy they keep the device, and what a step waits for."""
    table = Table("call", "operator", "calls", "share of time")
    for call, found in calls.items():
        for row in found["operators"]:
            table.add_row(call, row["operator"][:80], str(row["calls"]), f"{row['share']:.1%}")
    console.print(table)
    for call, found in calls.items():
        console.print(f"{call}: operators run for {found['busy']:.0%} of {found['wall_s']:.2f} s", highlight=False)
    for rows, step in steps.items():
        waits = step["waiting_for_launches"]
        said = "not known without a GPU" if waits is None else f"{waits:.0%}, the most that CUDA graphs could save"
        took = f"{1e3 * step['wall_s']:.1f} ms, {step['operators']:.0f} operators"
        console.print(f"a decoding step of {rows} rows: {took}; waiting for launches: {said}", highlight=False)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--generation-rows", type=int, nargs="+", default=[64, 256], help="rows of a batch")
    made.add_argument("--steps", type=int, default=60, help="steps of a written chain")
    made.add_argument("--chains", type=int, default=8)
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
