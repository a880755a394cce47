"""Engines that share one machine's cores: how much each slows down, by how its threads wait and where they run.

In: a model's folder (by default random weights of 135M parameters). Out: for each way of running one or two engines,
alone and beside a process that is always busy, the work done in a second as a share of one thread's alone; and the
cores that processes other than these used meanwhile. Every engine is a process of its own. The ways take turns, in
an order that is reversed each time, and the median counts.

    python benchmarks/node.py --seconds 3 --repeats 5
    python benchmarks/node.py --memory        # what several engines of one model hold in memory
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SPIN, SLEEP = "spin", "sleep"
WORK = ("generate", "score")
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
Process = subprocess.Popen[str]
QUIET = 0.15
"""The cores in use of a machine that counts as idle."""
FIELDS = ("Pss", "Pss_File", "Anonymous")


@dataclass(frozen=True)
class Way:
    """Engines that run at the same time, and processes beside them that are always busy."""

    engines: int
    threads: int
    waiting: str = SLEEP
    """spin: OpenMP's default. sleep: this project's."""
    pinned: bool = False
    busy: int = 0

    @property
    def words(self) -> str:
        """The way in a table."""
        beside = f" beside {self.busy} busy" if self.busy else ""
        pinned = " pinned" if self.pinned else ""
        waiting = "" if self.threads == 1 else f" {self.waiting}"
        return f"{self.engines} x {self.threads} threads{waiting}{pinned}{beside}"


@dataclass
class Measured:
    """One way's numbers, one of each per repeat."""

    rates: list[float] = field(default_factory=list)
    """Pieces of work a second, all engines together."""
    foreign: list[float] = field(default_factory=list)
    """Cores that other processes used."""


def ways(cores: int) -> list[Way]:
    """Return what is compared: whole machine, half of it twice, all of it twice."""
    half = max(1, cores // 2)
    found = [Way(1, 1), Way(1, 1, busy=1)]
    for waiting in (SPIN, SLEEP):
        found += [Way(1, cores, waiting), Way(1, cores, waiting, busy=1), Way(2, cores, waiting)]
    for pinned in (False, True):
        found += [Way(2, half, pinned=pinned), Way(2, half, pinned=pinned, busy=1)]
    return found


def main() -> None:
    """Run the benchmark, or be one of its engines."""
    options = _options()
    if options.engine:
        engine(json.loads(options.engine))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or _random_model(Path(folder))
        report = memory(model, options.engines, folder) if options.memory else speed(model, options)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def speed(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """Compare all ways, print a table, and return its rows."""
    chosen = [way for way in ways(len(os.sched_getaffinity(0))) if re.search(options.only, way.words)]
    measured = {way: Measured() for way in chosen}
    with ExitStack() as stack:
        started = {way: _started(stack, way, model, options) for way in {replace(way, busy=0) for way in chosen}}
        for repeat in range(options.repeats):
            for way in chosen if repeat % 2 == 0 else reversed(chosen):
                wait_for_quiet(options.quiet)
                rate, foreign = run(started[replace(way, busy=0)], way.busy)
                measured[way].rates.append(rate)
                measured[way].foreign.append(foreign)
                print(f"{way.words}: {rate:.3f} a second, others used {foreign:.2f} cores", file=sys.stderr)
    base = statistics.median(measured[chosen[0]].rates)
    print(f"{options.work}; shares of: {chosen[0].words}")
    rows = [
        {
            "way": way.words,
            "share": round(statistics.median(found.rates) / base, 3),
            "all": [round(rate / base, 3) for rate in found.rates],
            "foreign_cores": [round(cores, 2) for cores in found.foreign],
        }
        for way, found in measured.items()
    ]
    for row in rows:
        print(f"{row['way']:<40} {row['share']:6.3f}  each {row['all']}  others' cores {row['foreign_cores']}")
    return {"work": options.work, "rows": rows}


def wait_for_quiet(most_s: float) -> None:
    """Wait until no other process works, but no longer than ``most_s``."""
    until_s = time.monotonic() + most_s
    while time.monotonic() < until_s:
        before, began_s = _busy_s(), time.monotonic()
        time.sleep(0.3)
        if (_busy_s() - before) / (time.monotonic() - began_s) < QUIET:
            return


def run(engines: Sequence[Process], busy: int) -> tuple[float, float]:
    """Return the pieces of work a second of all engines, and the cores that other processes used meanwhile."""
    with ExitStack() as stack:
        loops = [_process(stack, [sys.executable, "-c", BUSY]) for _ in range(busy)]
        before, began_s, own_s = _busy_s(), time.monotonic(), sum(map(_used_s, [*engines, *loops]))
        for one in engines:
            _tell(one)
        found = [json.loads(_line(one)) for one in engines]
        passed_s = time.monotonic() - began_s
        own_s = sum(map(_used_s, [*engines, *loops])) - own_s
        foreign = (_busy_s() - before - own_s) / passed_s
    return sum(one["rate"] for one in found), max(0.0, foreign)


def engine(asked: dict[str, Any]) -> None:
    """Load an engine, print its notes, and work for the asked time whenever told."""
    from cotfaith.schemas.spec import ModelResources, ModelSpec
    from cotfaith.workers.engines.waiting import wait_asleep

    if asked["waiting"] == SLEEP:
        wait_asleep()
    from cotfaith.workers.engines.transformers.engine import TransformersEngine

    resources = ModelResources(pin=asked["pinned"])
    spec = ModelSpec(id="m", source=asked["model"], dtype=asked["dtype"], options=asked["options"], resources=resources)
    made = TransformersEngine(spec, asked["threads"])
    _work(made, asked["work"])  # what is loaded late, and the threads
    print(json.dumps(made.notes()), flush=True)
    for _line_in in sys.stdin:
        done, began_s = 0, time.perf_counter()
        while (passed_s := time.perf_counter() - began_s) < asked["seconds"] or not done:
            _work(made, asked["work"])
            done += 1
        print(json.dumps({"rate": done / passed_s}), flush=True)


def _work(made: Any, work: str) -> None:
    """Do one piece of work: short, so that a slow way is measured too."""
    from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest

    draw = random.Random(0)
    prompt = tuple(draw.randrange(3, 1000) for _ in range(32))
    if work == "generate":
        made.generate([GenerateRequest(prompt, 4, 1.0, 1.0, seed=n, min_tokens=4) for n in range(4)])
    else:
        made.score([ScoreRequest((*prompt, n), ((5,), (6,))) for n in range(32)])


def memory(model: str, count: int, cache: str) -> dict[str, Any]:
    """Load some engines at once, print what each holds in memory, and return the rows."""
    rows = []
    os.environ["COTFAITH_CACHE"] = cache
    for dtype, shared in (("bfloat16", False), ("float32", False), ("float32", True)):
        options = argparse.Namespace(dtype=dtype, work="score", seconds=0.0)
        with ExitStack() as stack:
            engines = _started(stack, Way(count, 1), model, options, shared)
            rows += [
                {"dtype": dtype, "float32_copy": shared, "engine": n, **_memory(one.pid)}
                for n, one in enumerate(engines)
            ]
    for row in rows:
        print(row)
    return {"rows": rows}


def _memory(pid: int) -> dict[str, int]:
    """Return what a process holds, in MiB: its share of all, its share of files, what only it has; the most it had."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text() + Path(f"/proc/{pid}/status").read_text()
    kib = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return {name: int(kib[name]) // 1024 for name in (*FIELDS, "VmHWM")}


def _started(
    stack: ExitStack, way: Way, model: str, options: argparse.Namespace, shared: bool = False
) -> list[Process]:
    """Start the way's engines, and wait until they are loaded; ``shared``: from a float32 copy."""
    asked = {
        "model": model,
        "threads": way.threads,
        "waiting": way.waiting,
        "pinned": way.pinned,
        "dtype": options.dtype,
        "options": {"device": "cpu", "float32_copy": shared},
        "work": options.work,
        "seconds": options.seconds,
    }
    command = [sys.executable, __file__, "--engine", json.dumps(asked)]
    engines = [_process(stack, command) for _ in range(way.engines)]
    for one in engines:
        for note in json.loads(_line(one)):
            print(f"{way.words}: {note}")
    return engines


def _process(stack: ExitStack, command: Sequence[str]) -> Process:
    """Start a process that is killed at the end."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _tell(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _busy_s() -> float:
    """Return the seconds that all cores of the machine have worked, since it started."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def _used_s(process: Process) -> float:
    """Return the seconds of the processor that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _random_model(folder: Path) -> str:
    from random_model import write_random_model

    write_random_model(folder, "135m", "bfloat16", "cpu")
    return str(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder with safetensors and a tokenizer; random weights by default")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--work", default="generate", choices=WORK)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quiet", type=float, default=0.0, help="seconds to wait for an idle machine each time")
    parser.add_argument("--only", default="", help="a pattern of the ways' names")
    parser.add_argument("--memory", action="store_true", help="compare memory instead of speed")
    parser.add_argument("--engines", type=int, default=2, help="engines at once, for --memory")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
