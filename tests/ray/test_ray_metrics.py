"""A run's figures as Prometheus reads them: scraped from the node of a real local Ray that collects metrics."""

import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import metrics_host
import pytest
from commands import line, write_spec

from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import LocalStore

pytest.importorskip("opentelemetry.exporter.prometheus", reason="Ray serves metrics only with what ray[default] brings")
pytest.importorskip("aiohttp")
pytest.importorskip("grpc")
WITHIN_S = 900
HELD = """
import time
from dataclasses import replace
from pathlib import Path

from cotfaith.workers.engines import ENGINES
from cotfaith.workers.engines.stub.engine import StubEngine
from cotfaith.workers.registry import register


class Held(StubEngine):
    def generate(self, requests):
        while not Path({seen!r}).exists():
            time.sleep(0.1)
        return super().generate(requests)


register(replace(ENGINES["stub"], name="held", make=Held))
"""
"""A plug-in: an engine that works once a file is there, so that a run lasts until it was seen at work."""
SPEC = {
    "models": [{"id": "m", "engine": "held", "source": "none", "options": {"seconds_per_call": 0.6}}],
    "tasks": [{"name": "t", "generator": "addition", "n": 6}],
    "probes": ["no_cot", "transfer"],
    "resources": {"shard_size": 2, "cpus": 1},
}


@contextmanager
def host(folder):
    """A Ray that collects metrics: its address, and where they are read."""
    said = folder / "said"
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, metrics_host.__file__], stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL
        )
    try:
        until = time.monotonic() + WITHIN_S
        while (text := said.read_text()).count("\n") < 2:
            assert process.poll() is None
            assert time.monotonic() < until, text
            time.sleep(0.1)
        found = dict(one.split() for one in text.splitlines())
        while not answers(found["metrics"]):  # Ray's agent starts after the node
            assert time.monotonic() < until, "nothing answers at the node's address of metrics"
            time.sleep(0.1)
        yield found
    finally:
        process.stdin.close()
        process.wait(60)


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=10).status == 200
    except OSError:
        return False


def scraped(url):
    """Return {(metric, model, stage): value} of our metrics."""
    text = urllib.request.urlopen(url, timeout=10).read().decode()
    found = {}
    for row in text.splitlines():
        if row.startswith("ray_cotfaith_"):
            name, _, rest = row.partition("{")
            labels, _, value = rest.rpartition("} ")
            tags = dict(one.split("=", 1) for one in labels.split(","))
            found[name.removeprefix("ray_cotfaith_"), *(tags.get(k, '""')[1:-1] for k in ("model", "stage"))] = float(
                value
            )
    return found


def test_a_runs_figures_are_scraped_while_it_works_and_are_right_at_its_end(tmp_path):
    with host(tmp_path) as ray:
        spec = SPEC | {"output": {"path": str(tmp_path / "run")}}
        spec["resources"] = SPEC["resources"] | {"ray_address": ray["address"]}
        (tmp_path / "held.py").write_text(HELD.format(seen=str(tmp_path / "seen")))
        command = line("run", write_spec(tmp_path, spec), "--plugin", "held")
        with (tmp_path / "run.said").open("w") as said:
            driver = subprocess.Popen(
                command, stdout=said, stderr=said, env=os.environ | metrics_host.SETTINGS, cwd=tmp_path
            )
        seen = {}
        until = time.monotonic() + WITHIN_S
        try:
            while driver.poll() is None and time.monotonic() < until:
                now = scraped(ray["metrics"])
                if now.get(("shards_running", "m", "shards"), 0) > 0:
                    (tmp_path / "seen").touch()
                seen |= now
                time.sleep(0.2)
        finally:
            if driver.poll() is None:
                driver.kill()
        assert driver.wait() == 0, (tmp_path / "run.said").read_text()
    assert (tmp_path / "seen").exists()
    shards, readings = ("m", "shards"), ("m", "readings")
    assert seen["shards_done_total", *shards] == 3
    assert seen["shards_done_total", *readings] == 3
    assert seen["shards_waiting", *shards] == seen["shards_running", *shards] == 0
    assert seen["engines_up", *readings] in (0, 1)
    assert ("attempts_failed_total", *shards) not in seen  # nothing failed
    commits = list(read_ledger(LocalStore(tmp_path / "run")).commits())
    tokens = {False: 0, True: 0}
    for one in commits:
        tokens[one.reader is not None] += one.tokens["subject"]
    assert seen["tokens_total", *shards] == tokens[False] > 0
    assert seen["tokens_total", *readings] == tokens[True] > 0
    assert seen["eta_seconds", "", ""] == 0
    assert seen["cost", "", ""] == -1  # the spec has no prices
