"""A run judges near ties by the noise floor that its engines measured, and says so."""

import json

from commands import as_process

from cotfaith.cluster.storage.read import read_noise, read_tables
from cotfaith.cluster.storage.store import LocalStore

FLOOR = 0.3
ENGINE = f"""
from dataclasses import replace

from cotfaith.workers.engines import ENGINES
from cotfaith.workers.engines.stub.engine import StubEngine, static_capabilities
from cotfaith.workers.registry import register


class Noisy(StubEngine):
    def __init__(self, spec, threads=None):
        super().__init__(spec)
        self.capabilities = capabilities(spec)

    def score(self, requests):
        rows = super().score(requests)
        return [tuple(value - {FLOOR} for value in row) for row in rows] if len(requests) > 1 else rows


def capabilities(spec):
    return replace(static_capabilities(spec), exact=False)


register(replace(ENGINES["stub"], name="noisy", make=Noisy, capabilities=capabilities))
"""


def spec(folder, engine, n):
    return {
        "models": [{"id": "m", "engine": engine, "source": "none"}],
        "tasks": [{"name": "t", "generator": "tracking_objects", "n": n}],
        "probes": ["no_cot"],
        "output": {"path": f"{folder}"},
    }


def test_near_ties_of_a_run_are_those_within_the_measured_floor(tmp_path):
    (tmp_path / "noisy_engine.py").write_text(ENGINE)
    found, said = {}, {}
    for engine in ("stub", "noisy"):
        (tmp_path / "spec.yaml").write_text(json.dumps(spec(engine, engine, 12)))
        done = as_process("run", "spec.yaml", "--plugin", "noisy_engine", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        rows = read_tables(LocalStore(tmp_path / engine))["observations"].filter(probe="no_cot")
        found[engine] = {row["item_id"]: row for row in rows.iter_rows(named=True)}
        said[engine] = " ".join((done.stdout + done.stderr).split())
    gaps = {item: row["gap"] for item, row in found["stub"].items()}
    assert any(gap < FLOOR for gap in gaps.values()), "some gap is between the two"
    assert any(gap > FLOOR for gap in gaps.values())
    for engine, within in (("stub", 1e-3), ("noisy", FLOOR)):
        near = {item: row["near_tie"] for item, row in found[engine].items()}
        assert near == {item: gap < within for item, gap in gaps.items()}
    (exact,), (noisy,) = (read_noise(LocalStore(tmp_path / engine)) for engine in found)
    assert (exact.nats, exact.prompts) == (0.0, 0)
    assert abs(noisy.nats - FLOOR) < 1e-9
    assert (noisy.engine, noisy.dtype, noisy.assumed, noisy.prompts) == ("noisy", "float32", 0.001, 2)
    assert "Log-probabilities depend on the batch" in said["noisy"]
    assert "Log-probabilities" not in said["stub"]

    (tmp_path / "spec.yaml").write_text(json.dumps(spec("noisy", "noisy", 14)))  # the run goes on, with its figure kept
    assert as_process("run", "spec.yaml", "--plugin", "noisy_engine", cwd=tmp_path).returncode == 0
    assert read_noise(LocalStore(tmp_path / "noisy")) == [noisy]
