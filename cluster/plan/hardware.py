"""What a model runs on, as far as hours depend on it: arithmetic and memory bandwidth.

GPUs: a table of the makers' figures, by the name that the driver gives. The CPU of this machine: a second of matrix
products and of copies on every core. Knows nothing about models. Starts nothing, and imports no torch.
"""

import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

_GPUS: dict[str, tuple[float, float, float]] = {
    "B200": (2250, 80, 8000),
    "H200": (989, 67, 4800),
    "H100 PCIe": (756, 51, 2000),
    "H100": (989, 67, 3350),
    "A100-SXM4-40GB": (312, 19.5, 1555),
    "A100": (312, 19.5, 2039),
    "L40S": (362, 91.6, 864),
    "L40": (181, 90.5, 864),
    "L4": (121, 30.3, 300),
    "A40": (150, 37.4, 696),
    "A10": (125, 31.2, 600),
    "RTX 6000 Ada": (364, 91.1, 960),
    "RTX A6000": (155, 38.7, 768),
    "RTX 5090": (209, 104.8, 1792),
    "RTX 4090": (165, 82.6, 1008),
    "RTX 3090": (71, 35.6, 936),
    "V100": (125, 15.7, 900),
    "T4": (65, 8.1, 320),
}
"""A part of the driver's name -> dense 16-bit and 32-bit teraflops, and GB/s; longer names before their beginnings."""
_TRY_S = 0.25
_SIZE = 512
_COPIED = 1 << 23  # float64: 64 MiB, more than caches hold


@dataclass(frozen=True)
class Hardware:
    """The speed of one engine's hardware."""

    name: str
    flops: float
    """Operations per second of the weights' precision, at best."""
    bytes_s: float
    """Bytes per second from memory, at best."""
    is_gpu: bool


def gpu(name: str, dtype: str) -> Hardware | None:
    """Return the GPU with the driver's ``name``; None if it is not in the table."""
    found = next((row for part, row in _GPUS.items() if part.lower() in name.lower()), None)
    if found is None:
        return None
    half, full, gigabytes = found
    return Hardware(name, (full if dtype == "float32" else half) * 1e12, gigabytes * 1e9, True)


@cache
def gpu_names() -> tuple[str, ...]:
    """Return the names of this machine's NVIDIA GPUs, which its driver gives; none if there is no driver."""
    line = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(name.strip() for name in done.stdout.splitlines() if name.strip()) if done.returncode == 0 else ()


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def this_cpu() -> Hardware:
    """Measure all cores of this machine, in float32; takes a second."""
    n = cores()
    with ThreadPoolExecutor(n) as pool:
        # numpy may use all cores for one product, or one core: the faster way counts.
        flops = max(_per_second(_product), sum(pool.map(_per_second, [_product] * n)))
        moved = sum(pool.map(_per_second, [_copy] * n))
    return Hardware(f"this machine's {n} cores", flops, moved, False)


def _per_second(make: Callable[[], tuple[Callable[[], object], float]]) -> float:
    """Do a piece of work for ``_TRY_S`` seconds; return its units per second. The first one does not count."""
    work, units = make()
    work()
    began, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < _TRY_S:
        work()
        done += 1
    return done * units / spent


def _product() -> tuple[Callable[[], object], float]:
    a = np.ones((_SIZE, _SIZE), np.float32)
    into = np.empty_like(a)
    return lambda: np.matmul(a, a, out=into), 2.0 * _SIZE**3


def _copy() -> tuple[Callable[[], object], float]:
    source = np.ones(_COPIED)
    into = np.empty_like(source)
    return lambda: np.copyto(into, source), 2.0 * source.nbytes
