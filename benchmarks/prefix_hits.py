"""How many prompt tokens vLLM finds in its prefix cache, by the order in which it gets them; and its noise.

    python benchmarks/prefix_hits.py [--model FOLDER] [--chains 3] [--steps 6] [--cache-gib 1 0.04] [--json FILE]

The prompts of a shard's probes, one greedy token after each. as asked: in the probes' own order. shuffled: in a random
one. prefix: as the engines send them, sorted by token ids. cached: tokens that the server took from its cache, over
those of all prompts. at most: the tokens that are no new prefix, over the same: blocks and small caches lose some.
ways: the vllm engine in this process, with each size of cache; and a vLLM server, with the first of them, and each
number of requests under way. Caches are emptied before each order.

noise: the largest difference of log-probabilities, in nats, between a request alone and the same among --others.
floor: what a run would measure of the engine itself (``workers/actor/noise.py``).

vLLM's flags: prefix caching on; blocks of 32 tokens; on the CPU no chunked prefill, no compilation, no fork of the
engine. Cascade attention is not among them: 0.32 has removed it, and ``disable_cascade_attn`` has no effect.
"""

import argparse
import importlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryFile
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import numpy as np
from measure import importable, parser, timed, write
from rich.console import Console
from rich.table import Table
from texts import probe_requests, shard, written_chains

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.noise import measure_noise
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.prefix_order import in_prefix_order
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens

WINDOW, BLOCK = 512, 32
MEASURED = 6
"""The requests whose noise is measured."""
STARTS_WITHIN_S = 300


def as_asked(ask: Callable[[list[Any]], Sequence[Any]], requests: Sequence[Any], prompt: Any) -> list[Any]:
    """Send the requests in their own order."""
    return list(ask(list(requests)))


def shuffled(ask: Callable[[list[Any]], Sequence[Any]], requests: Sequence[Any], prompt: Any) -> list[Any]:
    """Send the requests in a random order."""
    order = random.Random(0).sample(range(len(requests)), len(requests))
    found = dict(zip(order, ask([requests[n] for n in order]), strict=True))
    return [found[n] for n in range(len(requests))]


ORDERS = {"as asked": as_asked, "shuffled": shuffled, "prefix": in_prefix_order}


def hits(engine: Any, module: str, requests: Sequence[GenerateRequest], forget: Callable[[], Any]) -> list[Any]:
    """Return, for each order, the tokens and seconds of all requests, and the outputs."""
    found = []
    for name, order in ORDERS.items():
        forget()
        before = engine.usage()
        with patch.object(importlib.import_module(module), "in_prefix_order", order):
            seconds, outputs = timed(partial(engine.generate, requests))
        after = engine.usage()
        cached = after.reused_tokens - before.reused_tokens
        asked = after.prompt_tokens - before.prompt_tokens
        found.append({"order": name, "tokens": asked, "cached": cached, "share": cached / asked, "seconds": seconds})
        found[-1]["outputs"] = [list(one.tokens) for one in outputs]
    return found


def noise(engine: Any, requests: Sequence[ScoreRequest], others: int) -> dict[str, Any]:
    """Return how far scores alone and in company are apart: nothing is kept between the two."""
    gaps, other_answers = [], 0
    draw = random.Random(0)
    for request in draw.sample(list(requests), min(MEASURED, len(requests))):
        rest = [one for one in requests if one != request]
        rest = draw.sample(rest, min(others, len(rest)))
        engine.forget()
        (alone,) = engine.score([request])
        engine.forget()
        company = engine.score([*rest[::2], request, *rest[1::2]])[len(rest[::2])]
        gaps.append(np.abs(np.subtract(alone, company)).max())
        other_answers += int(np.argmax(alone) != np.argmax(company))
    return {
        "requests": len(gaps),
        "others": others,
        "largest_nats": float(max(gaps)),
        "median_nats": float(np.median(gaps)),
        "other_answers": other_answers,
    }


def floor(engine: Any, spec: ModelSpec, codec: Any) -> dict[str, Any]:
    """Return what a run would measure."""
    seconds, found = timed(lambda: measure_noise(engine, lambda: codec))
    return {"nats": found.nats, "assumed": found.assumed, "error": found.error, "seconds": seconds}


@contextmanager
def serving(options: argparse.Namespace) -> Iterator[str]:
    """Run a vLLM server on the model; yield its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", options.model]
    command += ["--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--dtype", options.dtype]
    command += ["--max-model-len", str(WINDOW), "--block-size", str(BLOCK), "--enforce-eager"]
    command += ["--kv-cache-memory-bytes", str(int(options.cache_gib[0] * 2**30)), "--enable-prompt-tokens-details"]
    command += ["--no-enable-chunked-prefill", "--hf-overrides", '{"head_dtype": "float32"}']
    more = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1"}
    environment = {**os.environ, **more, "OMP_NUM_THREADS": str(options.threads), "TORCHDYNAMO_DISABLE": "1"}
    with TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            _wait(url, server, log)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Any) -> None:
    end = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    log.seek(0)
    raise SystemExit(f"The server did not start:\n{log.read().decode()[-3000:]}")


def run(options: argparse.Namespace, console: Console) -> bool:
    """Count, print and write; return whether all orders give as many equal outputs as float noise allows."""
    work = shard(options.model, options.chains)
    scores = probe_requests(work, written_chains(work, options.steps), "three_probes")
    prompts = list(dict.fromkeys(request.prompt for request in scores))
    requests = [GenerateRequest(prompt, 1, 0.0, 1.0, 0) for prompt in prompts]
    tokens = sum(map(len, prompts))
    most = (tokens - distinct_tokens(prompts)) / tokens
    result: dict[str, Any] = {"prompts": len(prompts), "tokens": tokens, "at_most": most, "ways": {}}
    ways = importable(options.ways, {"vllm": "vllm", "server": "vllm"}, console)
    for gib in options.cache_gib if "vllm" in ways else []:
        own = {"cache_gib": gib, "max_context": WINDOW, "block_size": BLOCK}
        spec = ModelSpec(id="m", source=options.model, engine="vllm", dtype=options.dtype, options=own)
        engine: Any = find_engine(spec).make(spec, options.threads)
        rows = hits(engine, "cotfaith.workers.engines.vllm.engine", requests, engine.forget)
        result["ways"][f"vllm, {gib} GiB"] = rows
        if "noise" not in result:
            result |= {"noise": noise(engine, scores, options.others), "floor": floor(engine, spec, work.codec)}
        del engine
    if "server" in ways:
        with serving(options) as url:
            for concurrency in options.concurrency:
                result["ways"][f"server, {concurrency} under way"], result["server_floor"] = served(
                    url, concurrency, options, requests, work.codec
                )
    show(result, console)
    write(options, None, result)
    return all(_alike(rows) for rows in result["ways"].values())


def served(
    url: str, concurrency: int, options: argparse.Namespace, requests: Sequence[GenerateRequest], codec: Any
) -> tuple[list[Any], dict[str, Any]]:
    """Return the hits on a server, and its noise floor."""
    own = {"base_url": f"{url}/v1", "model": options.model, "concurrency": concurrency, "dtype": options.dtype}
    spec = ModelSpec(id="m", source=options.model, engine="openai", options=own)
    engine: Any = find_engine(spec).make(spec, options.threads)

    def forget() -> None:
        urlopen(Request(f"{url}/reset_prefix_cache", method="POST")).close()

    rows = hits(engine, "cotfaith.workers.engines.openai.engine", requests, forget)
    return rows, floor(engine, spec, codec)


def _alike(rows: Sequence[dict[str, Any]]) -> bool:
    """Return whether outputs are equal but for near ties: at least 95% of them."""
    first, *others = (row["outputs"] for row in rows)
    return all(sum(a == b for a, b in zip(first, other, strict=True)) >= 0.95 * len(first) for other in others)


def show(result: dict[str, Any], console: Console) -> None:
    """Print a row for each way and order."""
    table = Table("way", "order", "tokens", "cached", "share", "at most", "seconds")
    for way, rows in result["ways"].items():
        for row in rows:
            counted = (f"{row['tokens']:,}", f"{row['cached']:,}", f"{row['share']:.1%}", f"{result['at_most']:.1%}")
            table.add_row(way, row["order"], *counted, f"{row['seconds']:.1f}")
    console.print(table)
    for name in ("noise", "floor", "server_floor"):
        if name in result:
            console.print(f"{name}: {result[name]}", highlight=False)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--ways", nargs="*", default=["vllm", "server"], choices=["vllm", "server"])
    made.add_argument("--chains", type=int, default=3)
    made.add_argument("--steps", type=int, default=6)
    made.add_argument("--cache-gib", type=float, nargs="+", default=[1.0, 0.04], help="for keys and values")
    made.add_argument("--concurrency", type=int, nargs="+", default=[1, 32], help="of the server's requests")
    made.add_argument("--others", type=int, default=16, help="the company of a request whose noise is measured")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=120)) else 1)
