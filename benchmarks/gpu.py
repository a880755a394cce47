"""The scoring and generation tables for a model large enough to load the GPU, and where the time goes.

    python benchmarks/gpu.py [--shape 8b] [--dtype bfloat16] [--chains 8] [--rows 64] [--json FILE]

Builds a Llama with random weights in a temporary folder (8b: 16 GB on disk), runs ``scoring`` and ``generation`` on it,
and profiles one call of each. "of matmul rate" in both is the model's utilisation: its rate as a share of the same
GPU's rate in a large matrix product of the same precision. --shape tiny runs on the CPU, to check that all works.
README.md has the scoring table of an H200; the generation table and the profiles have no GPU numbers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from generation import WAYS
from measure import load_engine, parser, timed
from random_model import SHAPES, write_random_model
from rich.console import Console
from rich.table import Table
from texts import mixed_requests, probe_requests, shard, written_chains
from torch.profiler import ProfilerActivity, profile

HERE = Path(__file__).parent
TOP = 10
PROFILED_TOKENS = 32
"""The most tokens that a profiled call generates: every kernel of every token is an event."""


def on_gpu() -> bool:
    """Return whether there is a CUDA device."""
    return torch.cuda.is_available()


def profiled(work: Callable[[], Any]) -> dict[str, Any]:
    """Return the operators that take most of the time by themselves, without what they call, and the GPU's busy share.

    On a GPU an operator is a kernel, and its time the GPU's: events of the CPU as well would take minutes to sum up.
    """
    kind, name = ("CUDA", "self_device_time_total") if on_gpu() else ("CPU", "self_cpu_time_total")
    with profile(activities=[getattr(ProfilerActivity, kind)]) as record:
        wall_s, _ = timed(work)
    events = [event for event in record.key_averages() if event.device_type.name == kind]
    times = {event.key: float(getattr(event, name)) for event in events}
    calls = {event.key: event.count for event in events}
    whole = sum(times.values())
    first = sorted(times, key=times.__getitem__, reverse=True)[:TOP]
    return {
        "wall_s": wall_s,
        "busy": whole / 1e6 / wall_s,
        "operators": [{"operator": key, "share": times[key] / whole, "calls": calls[key]} for key in first],
    }


def profiles(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Profile one call of ``score`` and one of ``generate``, the latter of one batch and few tokens."""
    engine = load_engine(options, max_rows=options.rows)
    work = shard(options.model, options.chains)
    scored = probe_requests(work, written_chains(work, options.steps[-1]), "early_answering")
    mixed = mixed_requests(options.model, options.rows, 0.0)
    sampled = [replace(request, max_tokens=min(PROFILED_TOKENS, request.max_tokens)) for request in mixed]
    engine.score(scored), engine.generate(sampled[:2])  # warm-up
    return {"score": profiled(lambda: engine.score(scored)), "generate": profiled(lambda: engine.generate(sampled))}


def show(found: dict[str, dict[str, Any]], console: Console) -> None:
    """Print the operators, and how busy they keep the device."""
    table = Table("call", "operator", "calls", "share of time")
    for call, profile_ in found.items():
        for row in profile_["operators"]:
            table.add_row(call, row["operator"][:80], str(row["calls"]), f"{row['share']:.1%}")
    console.print(table)
    for call, profile_ in found.items():
        console.print(
            f"{call}: operators run for {profile_['busy']:.0%} of {profile_['wall_s']:.2f} s", highlight=False
        )


def in_child(script: str, options: argparse.Namespace, folder: Path, *more: str) -> dict[str, Any]:
    """Run another benchmark in a process of its own, which gives the GPU's memory back; return its JSON."""
    report = folder / f"{script}.json"
    common = {key: str(getattr(options, key)) for key in ("model", "threads", "dtype", "repeats", "rows")}
    named = [word for key, value in common.items() for word in (f"--{key}", value)]
    command = [sys.executable, str(HERE / f"{script}.py"), *named, *more, "--json", str(report)]
    subprocess.run(command, check=False)  # its exit code and the report show whether the ways agree
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def run(options: argparse.Namespace, console: Console) -> bool:
    """Build the model, run both tables and the profiles, write; return whether all ways agree."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options.model = str(folder / options.shape)
        write_random_model(Path(options.model), options.shape, options.dtype, "cuda" if on_gpu() else "cpu")
        steps = map(str, options.steps)
        scoring = ("--chains", str(options.chains), "--steps", *steps)
        generation = ("--requests", str(options.requests), "--ways", *options.generation_ways)
        found: dict[str, Any] = {}
        for part, work in {
            "scoring": lambda: in_child("scoring", options, folder, *scoring),
            "profiles": lambda: profiles(options),
            "generation": lambda: in_child("generation", options, folder, *generation),
        }.items():
            found[part] = work()
            torch.cuda.empty_cache()  # the children need the memory
            if options.json:  # written after each part: the next one may take longer than there is
                options.json.write_text(json.dumps(found, indent=2) + "\n")
    show(found["profiles"], console)
    return bool(found["scoring"]["equal"] and found["generation"]["equal"])


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, rows=64, model=None)
    made.set_defaults(dtype="bfloat16")
    made.add_argument("--shape", default="8b", choices=SHAPES)
    made.add_argument("--steps", type=int, nargs="+", default=[10, 30, 60])
    made.add_argument("--chains", type=int, default=8)
    made.add_argument("--requests", type=int, default=256)
    made.add_argument("--generation-ways", nargs="+", default=WAYS, choices=WAYS)
    options = made.parse_args(arguments)
    if options.shape != "tiny" and not on_gpu():
        made.error(f"--shape {options.shape} needs a CUDA device, and there is none; --shape tiny runs anywhere")
    return options


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
