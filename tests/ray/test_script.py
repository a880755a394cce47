"""A script that imports only from ``cotfaith``: a plug-in's probe and a run, on a Ray of its own."""

import subprocess
import sys

import polars as pl

PROBE = '''
"""The answer after the first step only."""
from cotfaith import Arm, Ask, Chain, NoOptions, Observation, Probe, ProbeRun, Shape, register


def first_step(chain: Chain, ask: Ask, options: NoOptions) -> ProbeRun:
    (answer,) = yield [ask.answer_after(chain, steps=1)]
    return [Observation(arm="first", answer=answer, step=1)]


def arms(shape: Shape, options: NoOptions) -> list[Arm]:
    return [Arm(round(shape.tokens / shape.steps))]


register(
    Probe(
        name="first_step",
        level="chain",
        needs=frozenset({"answer", "prefill"}),
        options=NoOptions,
        run=first_step,
        arms=arms,
        source="a test",
    )
)
'''
METRICS = '''
"""How often the answer needs more than the first step."""
from cotfaith import Metric, ProbeMetrics, of_probe, ok, register, scores

CHANGED = Metric("first_step_changed", bounds=(0.0, 1.0), unit="share")


def changed(rows):
    yield scores(of_probe(rows.observations, "first_step"), "first_step", CHANGED, ~ok("same_answer"))


register(ProbeMetrics(probe="first_step", metrics=(CHANGED,), scores=changed))
'''
SCRIPT = """
from cotfaith import CotfaithError, InputError, Status, parse_spec, run

spec = parse_spec(
    {
        "models": [{"id": "m", "engine": "stub"}],
        "tasks": [{"name": "t", "generator": "tracking_objects", "n": 4}],
        "probes": ["no_cot", "first_step"],
        "plugins": ["first_step", "first_step_metrics"],
    }
)
try:
    run(spec, plugins=["nowhere"], out="unused")
except InputError as error:
    assert isinstance(error, CotfaithError)
else:
    raise SystemExit("a plug-in that is not there was not refused")
done = run(spec, out="results")
assert done.complete
assert done.statuses[Status.OK] == done.statuses.total() == 4 * 3, done.statuses
(row,) = [row for row in done.estimates.to_pylist() if row["metric"] == "first_step_changed"]
assert (row["model"], row["n_ok"], row["n_total"]) == ("m", 4, 4), row
assert 0 <= row["ci_low"] <= row["value"] <= row["ci_high"] <= 1, row
print(done.report)
"""


def test_a_script_runs_a_probe_of_its_own(tmp_path):
    (tmp_path / "first_step.py").write_text(PROBE)
    (tmp_path / "first_step_metrics.py").write_text(METRICS)
    (tmp_path / "script.py").write_text(SCRIPT)
    line = [sys.executable, "script.py"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == (f"{tmp_path}/results/report.html\n", "")
    assert not (tmp_path / "unused").exists()
    parts = (tmp_path / "results" / "_parts").rglob("*.observations")
    rows = pl.concat([pl.read_parquet(part) for part in parts]).filter(probe="first_step")
    assert (rows.height, set(rows["arm"]), set(rows["status"])) == (4, {"first"}, {"ok"})
