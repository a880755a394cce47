"""What one card has to settle (benchmarks/gpu.py), on the CPU with tiny models: all parts run, faults are noticed."""

import contextlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from cotfaith.workers.engines.transformers.key_values import KeyValues
from cotfaith.workers.engines.transformers.prefix_tree import TreePass
from cotfaith.workers.engines.transformers.radix import NO_IDS

SMALL = ["--run", "12", "--steps", "2", "--chains", "1", "--rows", "3", "--threads", "1"]
TINY = ["--shape", "tiny", "--steps", "1", "2", "--chains", "1", "--generation-rows", "2", "3", "--requests", "3"]
COMMON = [*TINY, "--threads", "1", "--repeats", "1", "--rows", "3"]
PARTS = [
    *("model", "exactness", "fp32_model", "fp32_exactness", "scoring", "generation_2", "generation_3"),
    *("memory", "profiles", "attention_kernels"),
]
SEEN_BY_SELF_TESTS = 40
"""Nodes: the engine's own self-test has passes of fewer."""


@pytest.fixture
def exactness(script, benchmark_model, tmp_path):
    """A function that compares a tiny model's ways: (whether all is equal, what it printed, its cases)."""

    def main(dtype="float32"):
        kind, console, report = script("exactness"), Console(width=200, file=io.StringIO()), tmp_path / "report.json"
        options = ["--model", str(benchmark_model(dtype)), "--dtype", dtype, *SMALL, "--json", str(report)]
        equal = kind.run(kind.options_of(options), console)
        found = json.loads(report.read_text())
        assert found["equal"] == equal
        return equal, console.file.getvalue(), found["cases"]

    return main


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_way_equals_plain_passes_and_does_what_its_name_says(exactness, dtype):
    equal, printed, cases = exactness(dtype)
    assert equal
    assert "NOT" not in printed
    assert cases["levels"]["levels"] == 4
    assert {name: set(case["ways"]) for name, case in cases.items()} == {
        "levels": {"tree", "cut", "again", "hot", "evicted"},
        "early_answering": {"tree", "cut", "again", "hot", "evicted"},
        "sampled": {"after sampling"},
    }
    for case in cases.values():
        assert case["wrong_mask"]["noticed"]
        assert set(case["noise"]) == {"padded batches", "eager attention"}
        for way in case["ways"].values():
            assert way["largest_nats"] <= (1e-4 if dtype == "float32" else 0.2)
            assert way["median_nats"] <= case["allowed"]["median_nats"]


def with_wrong(field):
    """A pass's blocks, from a pass whose ``field`` is wrong if it is larger than those of self-tests."""
    blocks, wrongs = (
        TreePass.blocks,
        {
            "branches before are seen": lambda tree: {"end_C": np.full_like(tree.end_C, len(tree.end_C))},
            "one ancestor is hidden": lambda tree: {"end_C": np.where(tree.depth_C == 20, tree.rank_C + 1, tree.end_C)},
            "the third level sees its branch alone": lambda tree: {
                "end_C": np.where(tree.depth_C < 12, np.minimum(tree.end_C, tree.rank_C + 60), tree.end_C)
            },
        },
    )

    def wrong(self, size, *reach):
        tree = replace(self, **wrongs[field](self)) if len(self) > SEEN_BY_SELF_TESTS else self
        return blocks(tree, size, *reach)

    return wrong


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("fault", ["branches before are seen", "the third level sees its branch alone"])
def test_wrong_masks_are_noticed(exactness, monkeypatch, fault, dtype):
    monkeypatch.setattr(TreePass, "blocks", with_wrong(fault))
    equal, printed, cases = exactness(dtype)
    assert not equal
    assert "NOT EQUAL" in printed
    assert not cases["levels"]["ways"]["tree"]["equal"]
    assert cases["levels"]["ways"]["tree"]["held"]


def test_one_hidden_ancestor_is_noticed(exactness, monkeypatch):
    monkeypatch.setattr(TreePass, "blocks", with_wrong("one ancestor is hidden"))
    equal, _, cases = exactness("float32")
    assert not equal
    assert not cases["levels"]["ways"]["tree"]["equal"]


def test_wrong_values_of_earlier_calls_are_noticed(exactness, monkeypatch):
    read = KeyValues.read
    monkeypatch.setattr(KeyValues, "read", lambda self, layer, slots_S: read(self, layer, slots_S.roll(1)))
    equal, _, cases = exactness()
    assert not equal
    assert cases["levels"]["ways"]["tree"]["equal"]
    assert cases["levels"]["ways"]["cut"]["equal"]
    assert cases["levels"]["ways"]["again"]["equal"]
    assert not cases["levels"]["ways"]["hot"]["equal"]
    assert not cases["sampled"]["ways"]["after sampling"]["equal"]


def test_wrong_states_of_earlier_calls_are_noticed(exactness, monkeypatch):
    logits = KeyValues.logits
    monkeypatch.setattr(KeyValues, "logits", lambda self, known: logits(self, known).roll(1, dims=0))
    equal, _, cases = exactness()
    assert not equal
    assert cases["levels"]["ways"]["tree"]["equal"]
    assert cases["levels"]["ways"]["cut"]["equal"]
    assert not cases["levels"]["ways"]["again"]["equal"]
    assert not cases["sampled"]["ways"]["after sampling"]["equal"]


def test_equal_numbers_do_not_pass_if_nothing_was_reused(exactness, monkeypatch):
    monkeypatch.setattr(KeyValues, "match", lambda self, ids: NO_IDS)
    equal, printed, cases = exactness()
    assert not equal
    assert "NOT SO: most is reused" in printed
    assert cases["levels"]["ways"]["hot"]["largest_nats"] <= 1e-4


def test_equal_numbers_do_not_pass_without_the_tree(exactness, script, monkeypatch):
    load = script("measure").load_engine
    monkeypatch.setattr(script("exactness"), "load_engine", lambda *a, **kw: load(*a, **kw, prefix_tree="off"))
    equal, printed, cases = exactness()
    assert not equal
    assert "NOT SO: each of" in printed
    assert not cases["levels"]["ways"]["tree"]["held"]


def test_a_case_that_would_not_notice_a_wrong_mask_does_not_pass(exactness, script, monkeypatch):
    kind = script("exactness")
    monkeypatch.setattr(kind, "with_wrong_mask", kind.plain)
    equal, printed, _ = exactness()
    assert not equal
    assert "NOT NOTICED" in printed


def shifted(count, nats):
    """Scores of ``count`` requests, all off by as much."""
    return [(-3.0 + nats, -5.0 - nats) for _ in range(count)]


@pytest.mark.parametrize(
    ("dtype", "off", "noise", "equal"),
    [
        ("float32", 0.9e-4, 1.0, True),
        ("float32", 1.1e-4, 1.0, False),  # noise excuses nothing in float32
        ("bfloat16", 0.05, 0.03, True),
        ("bfloat16", 0.07, 0.03, False),
        ("bfloat16", 0.0019, 0.0, True),
        ("bfloat16", float("nan"), 0.03, False),
        ("float32", float("nan"), 0.0, False),
    ],
)
def test_differences_are_judged_by_the_largest_and_in_low_precision_by_the_noise(script, dtype, off, noise, equal):
    kind, reference = script("exactness"), shifted(5, 0.0)
    ways = {"tree": kind.Checked(shifted(5, off), 1, 0, "", True)}
    found = kind.judge(dtype, reference, ways, {"padded": shifted(5, noise)}, shifted(5, 3.0))
    assert found["equal"] is equal
    assert found["ways"]["tree"]["equal"] is equal


def test_one_large_difference_is_enough(script):
    kind, reference = script("exactness"), shifted(99, 0.0)
    ways = {"tree": kind.Checked([*shifted(98, 0.0), (-3.0, -6.1)], 1, 0, "", True)}
    assert not kind.judge("bfloat16", reference, ways, {"padded": shifted(99, 0.01)}, shifted(99, 3.0))["equal"]


def test_plain_passes_are_the_sum_over_a_candidate_s_tokens(script, benchmark_model):
    """By hand: each token from a pass of its own over all that precedes it."""
    kind = script("exactness")
    engine = script("measure").load_engine(kind.options_of(["--model", str(benchmark_model()), *SMALL]))
    requests = kind.levels(4, 500)[:6]

    def logprob(ids, token):
        with torch.inference_mode():
            return engine.model(torch.tensor([ids]), use_cache=False).logits[0, -1].log_softmax(-1)[token].item()

    expected = [
        [sum(logprob(r.prompt + c[:n], token) for n, token in enumerate(c)) for c in r.candidates] for r in requests
    ]
    for got, row in zip(kind.plain(engine.model, requests), expected, strict=True):
        assert got == pytest.approx(row, abs=1e-5)


@pytest.mark.parametrize(
    ("prompts", "levels"),
    [
        ([(1, 2, 3)], 1),
        ([(1, 2, 3), (1, 2, 4)], 2),
        ([(1, 2, 3), (1, 2)], 1),
        ([(1, 2, 3, 4), (1, 2, 3, 5), (1, 6)], 3),
        ([(1, 2, 3, 4), (1, 2, 3, 5), (7, 6), (7, 5)], 2),
    ],
)
def test_levels_are_the_branches_on_the_way_to_an_end(script, prompts, levels):
    assert script("exactness").depth_of(prompts) == levels


def test_wider_trees_have_four_levels_at_any_length(script):
    kind = script("exactness")
    for run in (8, 30, 200):
        prompts = [r.prompt for r in kind.levels(run, 5000)]
        assert kind.depth_of(prompts) == 4
        assert len(set(prompts)) == 1 + 3 + 9 + 27


@pytest.fixture
def kernels(script, benchmark_model, tmp_path):
    """A function that compares attention kernels: (whether both are right, what it printed, its JSON)."""

    def main():
        kind, console, report = script("tree_kernels"), Console(width=200, file=io.StringIO()), tmp_path / "report.json"
        options = [
            "--model",
            str(benchmark_model()),
            "--dtype",
            "bfloat16",
            "--steps",
            "4",
            "--chains",
            "2",
            "--repeats",
        ]
        equal = kind.run(kind.options_of([*options, "2", "--token-budget", "300", "--json", str(report)]), console)
        return equal, console.file.getvalue(), json.loads(report.read_text())

    return main


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_both_attention_kernels_are_right_also_where_a_pass_continues_another(kernels):
    equal, printed, report = kernels()
    assert equal
    assert "NOT" not in printed
    assert not report["compiled"]
    assert any(row["columns"] > row["nodes"] for row in report["rows"])
    assert {row["dtype"] for row in report["rows"]} == {"bfloat16", "float32"}
    for row in report["rows"]:
        assert row["tree_over_flex_attention"] is None  # uncompiled, its time says nothing
        assert row["flex_attention"]["compile_s"] is None
        for way in ("tree", "flex_attention"):
            assert row[way]["largest_error"] <= (1e-5 if row["dtype"] == "float32" else 1e-2)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_a_wrong_kernel_is_noticed(kernels, monkeypatch):
    monkeypatch.setattr(TreePass, "blocks", with_wrong("one ancestor is hidden"))
    equal, printed, report = kernels()
    assert not equal
    assert "NOT EQUAL" in printed
    assert not any(row["tree"]["equal"] for row in report["rows"])
    assert all(row["flex_attention"]["equal"] for row in report["rows"])


def test_a_kernel_that_does_not_compile_takes_nothing_from_the_other(kernels, script, monkeypatch):
    def flex(*args, **kwargs):
        raise RuntimeError("out of resource: shared memory")

    monkeypatch.setattr(script("tree_kernels"), "flex_attention", flex)
    equal, printed, report = kernels()
    assert not equal
    assert "out of resource" in printed
    for row in report["rows"]:
        assert row["tree"]["equal"]
        assert row["flex_attention"]["error"] == "RuntimeError: out of resource: shared memory"
        assert row["flex_attention"]["pass_s"] is None


@pytest.fixture
def run_gpu(script, monkeypatch, tmp_path):
    """A function that runs gpu.py with its parts in this process: (whether all is well, what it printed, its JSON).

    ``canned``: script -> what it does instead: a JSON that it writes, or an error that it raises.
    """

    def main(*arguments, canned=None):
        def in_this_process(command, **kwargs):
            name, report = Path(command[1]).stem, Path(command[-1])
            answer = (canned or {}).get(name)
            if isinstance(answer, BaseException):
                raise answer
            if callable(answer):
                return answer(command, report)
            if answer is not None:
                report.write_text(json.dumps(answer))
                return subprocess.CompletedProcess(command, 0 if answer.get("equal", True) else 1, stderr="")
            kind, quick = script(name), SMALL if name == "exactness" else []
            with contextlib.redirect_stdout(io.StringIO()):
                equal = kind.run(kind.options_of([*command[2:], *quick]), Console(file=io.StringIO()))
            return subprocess.CompletedProcess(command, 0 if equal else 1, stderr="")

        gpu, report, console = script("gpu"), tmp_path / "gpu.json", Console(width=200, file=io.StringIO())
        monkeypatch.setattr(gpu.subprocess, "run", in_this_process)
        passed = gpu.run(gpu.options_of([*COMMON, *arguments, "--json", str(report)]), console)
        found = json.loads(report.read_text())
        assert found["passed"] == passed
        assert list(found["parts"]) == PARTS
        return passed, console.file.getvalue(), found

    return main


def canned(*real):
    """What all scripts write but those that run for real."""
    scored = {"suite": "early_answering", "steps": 1, "share_of_matmul_rate": 0.6, "ways": {"padded": {"ours_is": 3.0}}}
    names = ("random_model", "exactness", "generation", "gpu_memory", "gpu_profile", "tree_kernels")
    written = {name: {"equal": True} for name in names} | {"scoring": {"equal": True, "results": [scored]}}
    return {name: answer for name, answer in written.items() if name not in real}


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_all_parts_run_in_the_tiny_shape(run_gpu):
    passed, printed, found = run_gpu("--minutes", "30")
    assert passed, printed
    assert "passed: 10 ok" in printed
    parts = {name: record["result"] for name, record in found["parts"].items()}
    assert parts["exactness"]["setting"]["dtype"] == "bfloat16"
    assert parts["fp32_exactness"]["setting"]["dtype"] == "float32"
    assert {(r["suite"], r["steps"]) for r in parts["scoring"]["results"]} == {
        (suite, steps) for suite in ("early_answering", "three_probes") for steps in (1, 2)
    }
    for row, result in zip(found["scoring_goal"], parts["scoring"]["results"], strict=True):
        assert row["goal"] == 0.5
        assert row["met"] == (result["share_of_matmul_rate"] >= 0.5)
        assert row["over_padded"] == result["ways"]["padded"]["ours_is"] > 0
        assert f"{row['suite']}, {row['steps']} steps: {row['share_of_matmul_rate']:.0%} of the matrix rate" in printed
    for rows in (2, 3):
        assert parts[f"generation_{rows}"]["setting"]["rows"] == rows
        assert {"ours", "generate"} <= set(parts[f"generation_{rows}"]["ways"])
        assert parts[f"generation_{rows}"]["ways"]["ours"]["tokens_per_s"] > 0
    for name in ("scoring", "generation_2", "memory", "profiles"):
        assert set(parts[name]["memory"]) == {"peak_allocated_bytes", "peak_reserved_bytes", "kept_bytes"}
    calls = parts["memory"]["calls"]
    assert set(calls) == {"plain pass", "score", "generate, 2 rows", "generate, 3 rows"}
    assert calls["plain pass"]["kept_bytes"] == 0 < calls["score"]["kept_bytes"]
    assert all(call["peak_allocated_bytes"] >= call["before_bytes"] > 0 for call in calls.values())
    profiles = parts["profiles"]
    assert set(profiles["calls"]) == {"score", "generate, 2 rows", "generate, 3 rows"}
    assert all(len(call["operators"]) == 10 and call["busy"] > 0 for call in profiles["calls"].values())
    assert set(profiles["decoding_step"]) == {"2", "3"}
    assert all(step["operators"] > 0 for step in profiles["decoding_step"].values())
    assert all(step["waiting_for_launches"] is None for step in profiles["decoding_step"].values())


def test_a_wrong_mask_fails_the_whole_run_and_the_rest_is_measured(run_gpu, monkeypatch):
    monkeypatch.setattr(TreePass, "blocks", with_wrong("branches before are seen"))
    passed, printed, found = run_gpu(canned=canned("random_model", "exactness"))
    assert not passed
    assert "NOT PASSED" in printed
    statuses = {name: record["status"] for name, record in found["parts"].items()}
    assert {name for name, status in statuses.items() if status != "ok"} == {"exactness", "fp32_exactness"}
    assert statuses["exactness"] == "unequal"
    assert found["parts"]["exactness"]["result"]["cases"]["levels"]["ways"]["tree"]["largest_nats"] > 1


def test_a_part_that_fails_keeps_its_error_and_what_it_had(run_gpu):
    partial = {"equal": True, "complete": False, "results": canned()["scoring"]["results"]}

    def stops(command, report):
        report.write_text(json.dumps(partial))
        raise subprocess.TimeoutExpired(command, 60)

    def crashes(command, report):
        return subprocess.CompletedProcess(command, 1, stderr="Traceback\ntorch.OutOfMemoryError: CUDA out of memory")

    answers = canned() | {"scoring": stops, "generation": crashes, "gpu_memory": OSError("no python")}
    passed, printed, found = run_gpu(canned=answers)
    assert not passed
    parts = found["parts"]
    failed = {"scoring", "generation_2", "generation_3", "memory"}
    assert {name for name in parts if parts[name]["status"] == "failed"} == failed
    assert {name for name in parts if parts[name]["status"] == "ok"} == set(PARTS) - failed
    assert parts["scoring"]["reason"].startswith("stopped after ")
    assert parts["scoring"]["result"] == partial
    assert found["scoring_goal"][0]["met"]
    assert "CUDA out of memory" in parts["generation_2"]["reason"]
    assert "CUDA out of memory" in printed
    assert parts["memory"]["reason"] == "OSError: no python"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"equal": True}, 1),  # it wrote, and then crashed
        ({"equal": True}, -9),
        ({"equal": False}, 0),
        ({"equal": False}, 137),
        ({"equal": True, "complete": False}, 0),
    ],
)
def test_a_part_s_exit_code_and_json_must_agree(run_gpu, answer, code):
    def work(command, report):
        report.write_text(json.dumps(answer))
        return subprocess.CompletedProcess(command, code, stderr="killed")

    passed, _, found = run_gpu(canned=canned() | {"generation": work})
    assert not passed
    assert found["parts"]["generation_2"]["status"] == "failed"
    assert found["parts"]["generation_2"]["reason"] == f"exit code {code}: killed"


def test_without_a_model_what_needs_it_is_skipped(run_gpu):
    passed, _, found = run_gpu(canned=canned() | {"random_model": OSError("disk full")})
    assert not passed
    assert {name for name, r in found["parts"].items() if r["status"] == "failed"} == {"model", "fp32_model"}
    assert all(r["reason"].startswith("needs") for r in found["parts"].values() if r["status"] == "skipped")
    assert found["scoring_goal"] is None


def test_the_parts_of_the_large_shape_fit_ten_minutes(script, monkeypatch):
    gpu = script("gpu")
    monkeypatch.setattr(gpu, "on_gpu", lambda: True)
    parts = gpu.parts_of(gpu.options_of([]), Path("/somewhere"))
    assert sum(part.estimate_s for part in parts) <= 600
    assert [part.name for part in parts] == [
        *["model", "exactness", "fp32_model", "fp32_exactness", "scoring", "generation_64", "generation_256"],
        *["memory", "profiles", "attention_kernels"],
    ]


@pytest.mark.parametrize("arguments", [["--minutes", "0"], ["--minutes", "nan"], ["--shape", "8b"]])
def test_what_cannot_run_is_refused_before_any_model_is_made(script, arguments, capsys, monkeypatch):
    gpu = script("gpu")
    monkeypatch.setattr(gpu, "on_gpu", lambda: False)
    with pytest.raises(SystemExit) as end:
        gpu.options_of([*TINY, *arguments])
    assert end.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_a_run_without_time_exits_with_1_and_says_why_of_every_part(repo, tmp_path):
    report = tmp_path / "gpu.json"
    command = [sys.executable, "benchmarks/gpu.py", *COMMON, "--minutes", "0.001", "--json", str(report)]
    done = subprocess.run(command, cwd=repo, check=False, capture_output=True, text=True)
    found = json.loads(report.read_text())
    assert done.returncode == 1, done.stderr
    assert list(found["parts"]) == PARTS
    assert {record["status"] for record in found["parts"].values()} == {"skipped"}
    assert all(record["result"] is None and record["reason"] for record in found["parts"].values())
    assert "NOT PASSED: 10 skipped" in done.stdout


BARE = """
import sys
for name in sys.argv[3].split(","):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import exactness, generation, gpu, gpu_memory, gpu_profile, random_model, scoring, tree_kernels
from rich.console import Console
folder = sys.argv[2]
random_model.run(random_model.options_of(["--model", folder, "--shape", "tiny", "--dtype", "float32"]), Console())
common = ["--model", folder, "--threads", "1", "--repeats", "1", "--rows", "2"]
assert scoring.run(scoring.options_of([*common, "--steps", "1", "--ways", "padded"]), Console())
assert generation.run(generation.options_of([*common, "--requests", "2", "--ways", "generate"]), Console())
"""


def test_it_needs_no_package_of_the_driver_or_of_probes(repo, tmp_path):
    """A lent machine has torch, transformers and pydantic, and not what the rest of the project installs."""
    missing = "ray,polars,boto3,botocore,nltk,scipy,sklearn,psutil,jinja2,typer,duckdb,tenacity,pandas,accelerate"
    missing += ",vllm,lm_eval"
    command = [sys.executable, "-c", BARE, str(repo / "benchmarks"), str(tmp_path / "model"), missing]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
