"""The benchmarks run, and report differences between the ways. Their times are not checked."""

import io
import json

import pytest
import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from cotfaith.workers.engines.protocol import GenerateRequest, Generation, ScoreRequest

COMMON = ["--threads", "1", "--repeats", "1", "--rows", "3"]


@pytest.fixture(scope="module")
def random_model(benchmark_model):
    return benchmark_model()


@pytest.fixture
def run(script, random_model, tmp_path):
    """A function that runs a benchmark in this process: (whether the ways agree, what it printed, its JSON)."""

    def main(name, *arguments):
        kind, console = script(name), Console(width=200, file=io.StringIO())
        report = tmp_path / "report.json"
        options = kind.options_of(["--model", str(random_model), *COMMON, "--json", str(report), *arguments])
        equal = kind.run(options, console)
        return equal, console.file.getvalue(), json.loads(report.read_text())

    return main


def test_prefix_hits_counts_what_a_cache_could_hit_at_most(run, script):
    equal, printed, report = run("prefix_hits", "--chains", "2", "--steps", "3", "--ways")
    assert equal
    assert report["ways"] == {}
    assert report["prompts"] > 10
    assert 0.3 < report["at_most"] < 1
    assert "at most" in printed


@pytest.mark.parametrize("name", ["as asked", "shuffled", "prefix"])
def test_prefix_hits_sends_in_each_order_and_returns_in_the_requests_own(script, name):
    sent, prompts = [], [(n % 3, n) for n in range(9)]

    def ask(ordered):
        sent.extend(ordered)
        return [sum(prompt) for prompt in ordered]

    found = script("prefix_hits").ORDERS[name](ask, prompts, lambda prompt: prompt)
    assert found == [sum(prompt) for prompt in prompts]
    assert sorted(sent) == sorted(prompts)
    assert (sent == prompts) == (name == "as asked")
    assert (sent == sorted(prompts)) == (name == "prefix")


def test_scoring_compares_the_ways_and_counts_tokens(run):
    equal, printed, report = run("scoring", "--steps", "3", "--ways", "padded", "lm_eval", "vllm")
    early, three = report["results"]
    assert equal
    assert "plain pass" in printed
    assert early["requests"] == 4
    assert three["requests"] > early["requests"]
    assert early["computed_tokens"] == early["distinct_tokens"] < early["prompt_tokens"]
    assert {"ours", "ours, from text", "padded", "plain pass"} <= set(early["ways"])
    assert report["setting"]["versions"]["torch"] == torch.__version__


def test_a_missing_competitor_is_named(script, monkeypatch):
    measure, console = script("measure"), Console(width=200, file=io.StringIO())
    assert measure.importable(["ours", "other"], {"other": "no_such_package"}, console) == ["ours"]
    assert "skipped: other (the package no_such_package is not installed)" in console.file.getvalue()


def test_scoring_notices_a_wrong_result(run, script, monkeypatch):
    scoring = script("scoring")
    monkeypatch.setattr(
        scoring, "padded", lambda model, requests, rows: [(-9.0,) * len(r.candidates) for r in requests]
    )
    equal, printed, report = run("scoring", "--steps", "2", "--suites", "early_answering", "--ways", "padded")
    assert not equal
    assert not report["equal"]
    assert "NOT EQUAL" in printed


def test_generation_gives_equal_outputs(run):
    equal, printed, report = run("generation", "--requests", "4", "--ways", "generate", "continuous")
    assert equal
    assert "4 of 4" in printed
    assert all(way["equal"] == 4 for way in report["ways"].values())


def test_generation_notices_other_outputs(run, script, monkeypatch):
    library = script("generators").Library
    monkeypatch.setattr(library, "generate", lambda self, requests, rows, order: [Generation((5,), "stop")] * 4)
    equal, _, report = run("generation", "--requests", "4", "--ways", "generate")
    assert not equal
    assert report["ways"]["generate"]["equal"] == 0


def test_the_library_stops_where_the_engine_does(script, random_model):
    """Rows of one batch end only at a stop string or at their own limit."""
    measure, generators = script("measure"), script("generators")
    options = measure.parser(None).parse_args(["--model", str(random_model), *COMMON])
    engine, codec = measure.load_engine(options), script("texts").shard(str(random_model), 1).codec
    prompt = codec.encode("Alice has the red ball and")
    (free,) = engine.generate([GenerateRequest(prompt, 12, 0.0, 1.0, 0)])
    stop = codec.continuation((*prompt, *free.tokens[:3]), free.tokens[3:5])
    requests = [
        GenerateRequest(prompt, 12, 0.0, 1.0, 0, stop=(stop,)),
        GenerateRequest(prompt, 12, 0.0, 1.0, 0),
        GenerateRequest(prompt[:5], 5, 0.0, 1.0, 0, stop=("no such text",)),
    ]
    expected = engine.generate(requests)
    assert [g.finish_reason for g in expected] == ["stop", "length", "length"]
    assert generators.Library(engine.model, codec.tokenizer).generate(requests, 3, lambda r: 0) == expected


def test_end_to_end_probes_the_same_chains(run):
    equal, printed, report = run("end_to_end", "--items", "1", "--max-tokens", "6")
    assert equal
    assert "one by one" in printed
    one = report["probes"]["one by one"]
    assert one["same_answers"] == one["answers"] > 0


def test_suite_counts_what_is_computed_again_and_what_is_kept(run):
    equal, printed, report = run("suite", "--each", "--items", "1", "--steps", "3", "--rest", "4", "--max-tokens", "16")
    probes, (alone, kept) = report["probes"], report["suite"].values()
    assert equal
    assert "adding_mistakes" in printed
    assert all(0 < row["distinct"] <= row["computed"] for row in probes.values())
    assert probes["early_answering"]["distinct"] == probes["early_answering"]["computed"]
    assert alone["distinct"] == kept["distinct"] <= kept["computed"] < alone["computed"]
    assert alone["reused"] == 0 < kept["reused"]
    assert report["answers"] == report["same"] > 0


def test_memory_measures_in_processes_of_their_own(script, random_model, tmp_path):
    report = tmp_path / "memory.json"
    options = ["--model", str(random_model), "--tokens", "2000", "--steps", "6", *COMMON, "--json", str(report)]
    script("memory").main(options)
    found = json.loads(report.read_text())
    assert found["tokens"] == 2000
    assert found["loaded_mib"] > 1
    assert min(found["median_mib"].values()) > 0


def test_counts_of_a_tree(script):
    counts = script("counts")
    prompts = [(1, 2, 3), (1, 2, 3, 4), (1, 5), (7,), (1, 2, 3)]
    work = counts.scoring_work([ScoreRequest(prompt, ((8,), (9,))) for prompt in prompts])
    nodes = {prompt[:n] for prompt in prompts for n in range(1, len(prompt) + 1)}
    assert (work.tokens, work.pairs, work.scored) == (len(nodes), sum(map(len, nodes)), 4)


def test_operations_are_what_torch_counts(script, random_model):
    counts, measure = script("counts"), script("measure")
    model = measure.load_engine(measure.parser(None).parse_args(["--model", str(random_model), *COMMON])).model
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=torch.ones(1, 64, dtype=torch.long), use_cache=False, logits_to_keep=1)
    by_operator = counter.get_flop_counts()["Global"]
    products = sum(count for operator, count in by_operator.items() if "mm" in str(operator))
    no_attention = counts.Work(tokens=64, pairs=0, scored=1)
    assert counts.operations(model, no_attention) == pytest.approx(products, rel=0.01)
    config = model.config
    assert counts.operations(model, counts.Work(0, 10, 0)) == 10 * 4 * config.num_hidden_layers * config.hidden_size
