"""A whole run on real weights does not depend on the number of engines or on the size of shards.

Tiny random weights, float32, greedy. Numbers that floating-point noise can change are compared within a tolerance, and
all else exactly.
"""

import numpy as np
import polars as pl
import pytest
import torch
import transformers
from commands import in_process, write_spec
from tiny_models import COMMON, byte_tokenizer

from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore

TOLERANCE = 1e-4  # nats
ITEMS = 6  # of each task
PROBES = ["no_cot", "early_answering", "filler_tokens"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A Llama whose chains differ between items, have several lines and often end before the limit."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**{**COMMON, "max_position_embeddings": 1024}, num_key_value_heads=2)
    llama = transformers.AutoModelForCausalLM.from_config(config)
    likely = {tokenizer.eos_token_id: 4, tokenizer("\n", add_special_tokens=False)["input_ids"][0]: 6}
    with torch.no_grad():
        for weights in llama.parameters():
            if weights.ndim == 2:
                weights.mul_(6)
        for token, factor in likely.items():
            llama.lm_head.weight[token].mul_(factor)
    folder = tmp_path_factory.mktemp("llama")
    llama.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run(folder, model, **resources):
    content = {
        "models": [{"id": "m", "source": str(model), "dtype": "float32"}],
        "tasks": [
            {"name": "t", "generator": "tracking_objects", "n": ITEMS},
            {"name": "a", "generator": "boolean_expressions", "n": ITEMS, "answer_by": "score"},
        ],
        "sampling": {"temperature": 0, "max_tokens": 96},
        "probes": PROBES,
        "resources": {"cpus": 1, "threads": 1, "in_flight": 1, **resources},
        "output": {"path": str(folder / "run"), "max_failed_share": 1},
    }
    done = in_process("run", write_spec(folder, content), cwd=folder)
    assert done.returncode == 0, done.stderr
    return read_tables(LocalStore(folder / "run"))


@pytest.fixture(scope="module")
def one_engine(shared_ray, model, tmp_path_factory):
    return run(tmp_path_factory.mktemp("one"), model, replicas=1, shard_size=16)


@pytest.fixture(scope="module")
def three_engines(shared_ray, model, tmp_path_factory):
    return run(tmp_path_factory.mktemp("three"), model, replicas=3, shard_size=1)


def test_the_run_is_worth_comparing(one_engine):
    """Without chains that end, differ and have steps, equality would prove little."""
    good = one_engine["chains"].filter(pl.col("status") == "ok")
    assert good.height >= ITEMS
    assert good["text"].n_unique() == good.height
    assert good["n_steps"].max() >= 4
    rows = one_engine["observations"]
    assert set(rows["probe"]) == set(PROBES)
    assert rows.filter(pl.col("candidate_logprobs").is_not_null()).height > 4 * ITEMS
    spread = rows["candidate_logprobs"].list.max().drop_nulls().unique()
    assert spread.max() - spread.min() > 1000 * TOLERANCE


@pytest.mark.parametrize("name", ["items", "chains", "observations"])
def test_rows_and_answers_are_the_same(one_engine, three_engines, name):
    noisy = ["run_id", "candidate_logprobs", "p_gold", "gap"]
    one, three = (tables[name].drop(noisy, strict=False) for tables in (one_engine, three_engines))
    assert one.height > 0
    assert one.equals(three)


@pytest.mark.parametrize("name", ["chains", "observations"])
def test_log_probabilities_agree(one_engine, three_engines, name):
    one, three = (tables[name]["candidate_logprobs"].drop_nulls() for tables in (one_engine, three_engines))
    assert len(one) > 0
    assert one.list.len().to_list() == three.list.len().to_list()
    gap = np.abs(one.explode().to_numpy() - three.explode().to_numpy())
    print(f"{name}: largest difference {gap.max():.2g} nats of {len(gap)} log-probabilities")
    assert gap.max() <= TOLERANCE
