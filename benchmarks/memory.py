"""Peak memory of early answering on one long chain, relative to one plain forward pass over the longest prompt.

    python benchmarks/memory.py [--model FOLDER] [--tokens 8192] [--steps 100] [--threads 2] [--json FILE]

ours: the engine scores one prompt after each number of steps, in one call. plain pass: one causal pass over the whole
chain, with only the last position through the output head, which is the least that any way needs. Each runs in a
separate process, on random tokens, after a small warm-up that reads the weights. The result is the highest resident
memory during the work, minus the resident memory before it. Outside Linux, only the process's highest memory so far is
available.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure import load_engine, parser, setting
from rich.console import Console
from rich.table import Table
from scorers import plain_pass

from cotfaith.workers.engines.protocol import ScoreRequest

WAYS = ("ours", "plain pass")
QUESTION, ANSWER = 100, 18
"""Tokens before and after the chain."""
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def early_answering(tokens: int, steps: int, vocab_size: int) -> list[ScoreRequest]:
    """Return one chain's requests, the longest of ``tokens`` random tokens."""
    rng = np.random.default_rng(0)
    ids = tuple(rng.integers(0, vocab_size, tokens - ANSWER).tolist())
    answer = tuple(rng.integers(0, vocab_size, ANSWER).tolist())
    ends = np.linspace(QUESTION, len(ids), steps + 1).astype(int).tolist()
    return [ScoreRequest(ids[:end] + answer, ((1,), (2,), (3,))) for end in ends]


def measure(way: str, options: argparse.Namespace) -> dict[str, Any]:
    """Do the work in this process; return its memory in MiB."""
    engine = load_engine(options)
    vocab_size = engine.model.config.get_text_config().vocab_size
    engine.score(early_answering(QUESTION + ANSWER + 8, 2, vocab_size))  # reads every weight
    requests = early_answering(_fitting(options.tokens, engine), options.steps, vocab_size)
    longest = len(requests[-1].prompt)
    work = {"ours": lambda: engine.score(requests), "plain pass": lambda: plain_pass(engine.model, longest)}[way]
    before, during = peak(work)
    where = {key: value for key, value in setting(options, engine).items() if key != "way"}
    return {"setting": where, "tokens": longest, "loaded_mib": before, "mib": during - before}


def _fitting(tokens: int, engine: Any) -> int:
    return min(tokens, engine.capabilities.max_context or tokens)


def peak(work: Callable[[], Any]) -> tuple[float, float]:
    """Return resident MiB before the work, and at its highest."""
    if not STATUS.exists():
        before = _highest_ever()
        work()
        return before, _highest_ever()
    CLEAR.write_text("5")  # resets the highest value
    before = _resident("VmRSS")
    work()
    return before, _resident("VmHWM")


def _resident(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text())
    assert found, f"the kernel says {name} of every process"
    return int(found.group(1)) / 1024


def _highest_ever() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def in_child(way: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Measure one way in a separate process."""
    command = [sys.executable, __file__, *arguments, "--way", way]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run(options: argparse.Namespace, arguments: Sequence[str], console: Console) -> None:
    """Measure each way as often as requested, in turn; print and write."""
    found = [(way, in_child(way, arguments)) for _ in range(options.repeats) for way in WAYS]
    mib = {way: [result["mib"] for name, result in found if name == way] for way in WAYS}
    median = {way: float(np.median(values)) for way, values in mib.items()}
    table = Table("way", "longest prompt", "prompts", "peak MiB over loaded", "x plain pass")
    for way, prompts in zip(WAYS, (options.steps + 1, 1), strict=True):
        row = (
            str(found[0][1]["tokens"]),
            str(prompts),
            f"{median[way]:.0f}",
            f"{median[way] / median['plain pass']:.2f}",
        )
        table.add_row(way, *row)
    console.print(table)
    if options.json:
        first = {key: found[0][1][key] for key in ("setting", "tokens", "loaded_mib")}
        result = {**first, "mib": mib, "median_mib": median, "ratio": median["ours"] / median["plain pass"]}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, repeats=1)
    made.add_argument("--tokens", type=int, default=8192, help="of the longest prompt; at most the model's limit")
    made.add_argument("--steps", type=int, default=100, help="steps of the chain")
    made.add_argument("--way", choices=WAYS, help="measure this way in this process, and print JSON")
    return made.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Measure one way here, or all in separate processes."""
    options = options_of(arguments)
    if options.way:
        print(json.dumps(measure(options.way, options), default=str))
    else:
        run(options, arguments, Console(width=120))


if __name__ == "__main__":
    main(sys.argv[1:])
