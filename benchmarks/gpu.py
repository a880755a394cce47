"""What one card has to settle, within ten minutes: exactness, scoring, generation, memory, profiles, attention kernels.

    python benchmarks/gpu.py [--shape 8b] [--dtype bfloat16] [--minutes 10] [--json FILE]

Builds Llamas with random weights in a temporary folder (8b: 16 GB of disk, and 11 GB for a quarter of its layers in
float32), and runs the other scripts on them, each in a process of its own, the most important first. The JSON is
written after each part, and has every part from the start: its status, and null with the reason where there is no
result. A part whose estimate is longer than the time that is left is skipped; a part that fails leaves the others as
they are. Exits with 1 if a part fails, results differ, or exactness was not reached. --shape tiny runs on the CPU, to
check that all works. README.md says what has run on a GPU.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from generation import WAYS as ALL_WAYS
from measure import parser
from parts import FAILED, OK, SKIPPED, UNEQUAL, Part, PartError, Record, passed, run_parts
from random_model import SHAPES
from rich.console import Console
from rich.markup import escape
from rich.table import Table

HERE = Path(__file__).parent
GOAL = 0.5
"""The share of the rate of matrix products that scoring should reach."""
SIZES = {"steps": [10, 30, 60], "chains": 8, "generation_rows": [64, 256]}
TINY_SIZES = {"steps": [2, 3], "chains": 2, "generation_rows": [2, 4]}
"""Defaults of options: a tiny model checks that all works, on any machine."""
WAVES = 2
"""Requests for each row, so that rows that end are taken by others."""
WAYS = ("ours", "generate", "vllm")
ESTIMATES_S = {
    "model": 45,
    "exactness": 50,
    "fp32_model": 25,
    "fp32_exactness": 35,
    "scoring": 150,
    "generation": 65,
    "memory": 35,
    "profiles": 45,
    "attention_kernels": 50,
}
"""Guesses for 8b on an H200, from the scoring table in README.md: no part but scoring has run there."""
ESTIMATE_S = 60
"""For a smaller shape: some 10 s on an idle CPU, and far more beside other work."""
REQUIRED = ("exactness", "fp32_exactness")
TAIL, SHOWN = 2000, 200
"""The characters of a failed process's errors that are kept, and those in the table."""


def on_gpu() -> bool:
    """Return whether there is a CUDA device."""
    return torch.cuda.is_available()


def parts_of(options: argparse.Namespace, folder: Path) -> list[Part]:
    """Return all parts, the most important first."""
    model, small = folder / "model", folder / "fp32_model"
    layers = max(2, SHAPES[options.shape]["num_hidden_layers"] // 4)
    chains = ["--chains", options.chains]
    longest = ["--steps", max(options.steps)]
    common = ["--threads", options.threads, "--repeats", options.repeats]
    whole = ["--model", model, "--dtype", options.dtype, *common]
    rows = ["--generation-rows", *options.generation_rows]

    def generation(count: int) -> list[Any]:
        requests = options.requests or WAVES * count
        return [*whole, "--rows", count, "--requests", requests, "--ways", *options.generation_ways]

    def part(name: str, script: str, arguments: Sequence[Any], needs: str | None, estimate: str = "") -> Part:
        estimate_s = ESTIMATES_S[estimate or name] if options.shape == "8b" else ESTIMATE_S
        return Part(name, estimate_s, partial(in_child, script, arguments, folder / f"{name}.json"), needs)

    shape = ["--shape", options.shape]
    fp32 = ["--model", small, "--dtype", "float32", *common]
    return [
        part("model", "random_model", ["--model", model, *shape, "--dtype", options.dtype], None),
        part("exactness", "exactness", whole, "model"),
        part("fp32_model", "random_model", ["--model", small, *shape, "--dtype", "float32", "--layers", layers], None),
        part("fp32_exactness", "exactness", fp32, "fp32_model"),
        part("scoring", "scoring", [*whole, "--rows", options.rows, *chains, "--steps", *options.steps], "model"),
        *(
            part(f"generation_{count}", "generation", generation(count), "model", "generation")
            for count in options.generation_rows
        ),
        part("memory", "gpu_memory", [*whole, *rows, *chains, *longest], "model"),
        part("profiles", "gpu_profile", [*whole, *rows, *chains, *longest], "model"),
        part("attention_kernels", "tree_kernels", [*whole, *chains, *longest], "model"),
    ]


def in_child(script: str, arguments: Sequence[Any], report: Path, limit_s: float) -> Mapping[str, Any]:
    """Run another benchmark in a process of its own, which gives the GPU's memory back; return its JSON."""
    command = [sys.executable, str(HERE / f"{script}.py"), *map(str, arguments), "--json", str(report)]
    try:
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise PartError(f"stopped after {limit_s:.0f} s", _read(report)) from error
    print(done.stderr, end="", file=sys.stderr)
    found = _read(report)
    whole = found is not None and found.get("complete", True)
    if found is None or not whole or done.returncode != (0 if found.get("equal", True) else 1):
        raise PartError(f"exit code {done.returncode}: {done.stderr[-TAIL:].strip() or 'it printed no error'}", found)
    return found


def _read(report: Path) -> dict[str, Any] | None:
    """Return what a process wrote; None: nothing, or not all of it."""
    try:
        found: dict[str, Any] = json.loads(report.read_text())
    except (OSError, ValueError):
        return None
    return found


def against_goal(scoring: Record) -> list[dict[str, Any]] | None:
    """Return for each suite and length the share of the matrix rate, beside the goal; None: nothing was measured."""
    results = (scoring["result"] or {}).get("results")
    return results and [
        {
            "suite": r["suite"],
            "steps": r["steps"],
            "share_of_matmul_rate": r["share_of_matmul_rate"],
            "goal": GOAL,
            "met": r["share_of_matmul_rate"] >= GOAL,
            "over_padded": r["ways"]["padded"]["ours_is"],
        }
        for r in results
    ]


def summary(options: argparse.Namespace, records: Mapping[str, Record]) -> dict[str, Any]:
    """Return what the JSON file has."""
    named = {key: value for key, value in vars(options).items() if key != "json"}
    return {
        "setting": named | {"device": torch.cuda.get_device_name() if on_gpu() else "cpu", "torch": torch.__version__},
        "passed": passed(records, REQUIRED),
        "scoring_goal": against_goal(records["scoring"]),
        "parts": dict(records),
    }


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print each part's status, and scoring beside its goal."""
    table = Table("part", "status", "seconds", "estimate", "reason")
    for name, record in found["parts"].items():
        seconds, reason = record["seconds"], escape((record["reason"] or "")[:SHOWN])
        times = ("" if seconds is None else f"{seconds:.0f}", f"{record['estimate_s']:.0f}")
        table.add_row(name, record["status"], *times, reason)
    console.print(table)
    for row in found["scoring_goal"] or ():
        console.print(
            f"{row['suite']}, {row['steps']} steps: {row['share_of_matmul_rate']:.0%} of the matrix rate, goal "
            f"{row['goal']:.0%}: {'met' if row['met'] else 'NOT MET'}; {row['over_padded']:.2f}x padded batches",
            highlight=False,
        )
    statuses = [record["status"] for record in found["parts"].values()]
    counts = ", ".join(f"{statuses.count(s)} {s}" for s in (OK, UNEQUAL, FAILED, SKIPPED) if s in statuses)
    console.print(f"{'passed' if found['passed'] else 'NOT PASSED'}: {counts}", highlight=False)


def run(options: argparse.Namespace, console: Console) -> bool:
    """Run all parts that fit the time, print and write; return whether all is well."""

    def save(records: Mapping[str, Record]) -> None:
        if options.json:  # replaced as a whole: what is written must survive a stop at any moment
            new = options.json.with_name(f"{options.json.name}.new")
            new.write_text(json.dumps(summary(options, records), indent=2) + "\n")
            new.replace(options.json)

    with tempfile.TemporaryDirectory() as name:
        records = run_parts(parts_of(options, Path(name)), options.minutes, save)
    found = summary(options, records)
    show(found, console)
    return bool(found["passed"])


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, rows=64, repeats=2, model=None)
    made.set_defaults(dtype="bfloat16")
    made.add_argument("--shape", default="8b", choices=SHAPES)
    made.add_argument("--minutes", type=float, default=10.0, help="the time for all parts")
    made.add_argument("--steps", type=int, nargs="+", help="steps of a chain; default: 10 30 60")
    made.add_argument("--chains", type=int, help="chains scored in one call; default: 8")
    made.add_argument("--generation-rows", type=int, nargs="+", help="rows of a batch; default: 64 256")
    made.add_argument("--requests", type=int, help=f"of generation; default: {WAVES} for each row")
    made.add_argument("--generation-ways", nargs="+", default=WAYS, choices=ALL_WAYS)
    options = made.parse_args(arguments)
    for name, size in (TINY_SIZES if options.shape == "tiny" else SIZES).items():
        setattr(options, name, getattr(options, name) or size)
    if not options.minutes > 0:
        made.error(f"--minutes {options.minutes}: expected more than 0, such as 10")
    if options.shape != "tiny" and not on_gpu():
        made.error(f"--shape {options.shape} needs a CUDA device, and there is none; --shape tiny runs anywhere")
    return options


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
