"""Engines of one machine share one copy of the weights: those of the files, or of the float32 copy in the cache."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from tiny_models import COMMON, byte_tokenizer, config_of

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.float32_copy import float32_copy
from cotfaith.workers.engines.protocol import GenerateRequest, ScoreRequest
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.options import static_capabilities

PROMPTS = [tuple(range(3, 3 + n)) for n in (5, 11, 30)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache of this test."""
    monkeypatch.setenv("COTFAITH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def config_named(kind):
    return transformers.LlamaConfig(**COMMON, tie_word_embeddings=True) if kind == "tied" else config_of(kind)


def write(folder, config, dtype, **settings):
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    model.save_pretrained(folder, **settings)
    byte_tokenizer().save_pretrained(folder)
    return folder


def engine_of(folder, dtype="float32", shared=True):
    options = {"device": "cpu", "float32_copy": shared}
    return TransformersEngine(ModelSpec(id="m", source=str(folder), dtype=dtype, options=options), 1)


def answers(engine):
    scores = engine.score([ScoreRequest(prompt, ((5,), (6, 7))) for prompt in PROMPTS])
    return scores, engine.generate([GenerateRequest(prompt, 8, 1.0, 1.0, seed=1) for prompt in PROMPTS])


def mapped_from(engine):
    """Return the files that parameters are mapped from; "" for those in memory of their own."""
    spans = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = re.match(r"(\w+)-(\w+) \S+ \S+ \S+ \d+\s*(\S*)", line)
        spans.append((int(found[1], 16), int(found[2], 16), found[3]))
    places = {weights.data_ptr() for weights in engine.model.parameters()}
    return {next((file for begin, end, file in spans if begin <= at < end), "") for at in places}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["llama", "tied"])
def test_weights_in_the_files_precision_are_the_files(tmp_path, kind, dtype, cache):
    folder = write(tmp_path / "model", config_named(kind), dtype)
    assert mapped_from(engine_of(folder, dtype)) == {str(folder / "model.safetensors")}
    assert not cache.exists()


@pytest.mark.parametrize("stored", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["llama", "tied", "gemma2", "gpt_neox", "bloom", "mamba", "llama4"])
def test_a_float32_copy_gives_the_same_results_to_the_bit(tmp_path, kind, stored, cache):
    folder = write(tmp_path / "model", config_named(kind), stored)
    own, shared = engine_of(folder, shared=False), engine_of(folder)
    assert answers(own) == answers(shared)
    state = own.model.state_dict()
    assert state.keys() == shared.model.state_dict().keys()
    assert all(torch.equal(state[name], other) for name, other in shared.model.state_dict().items())
    for mine, other in zip(own.model.buffers(), shared.model.buffers(), strict=True):
        assert torch.equal(mine, other)
    assert all(str(cache) in file for file in mapped_from(shared))


def test_several_files_and_numbers_of_several_kinds(tmp_path):
    folder = write(tmp_path / "model", config_of("llama"), "bfloat16", max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    assert answers(engine_of(folder)) == answers(engine_of(folder, shared=False))
    made = {
        "odd": torch.tensor([1.5, -2.0, 3.0e-39], dtype=torch.bfloat16),
        "half": torch.tensor([[65504.0, 6e-8]], dtype=torch.float16),
        "whole": torch.tensor([2**40], dtype=torch.int64),
        "yes": torch.tensor([True]),
        "empty": torch.zeros(0, 3),
        "one": torch.tensor(0.1, dtype=torch.bfloat16),
    }
    from safetensors.torch import load_file, save_file

    save_file(made, tmp_path / "model.safetensors", {"format": "pt"})
    copied = load_file(float32_copy([tmp_path / "model.safetensors"]) / "model.safetensors")
    assert copied.keys() == made.keys()
    for name, old in made.items():
        wide = old.float() if old.is_floating_point() else old
        assert copied[name].dtype == wide.dtype
        assert torch.equal(copied[name], wide), name


def test_changed_weights_are_copied_again(tmp_path):
    folder = write(tmp_path / "model", config_of("llama"), "bfloat16")
    before = answers(engine_of(folder))
    changed = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        changed.lm_head.weight.mul_(-1)
    changed.save_pretrained(folder)
    assert before != answers(engine_of(folder)) == answers(engine_of(folder, shared=False))


def test_code_that_comes_with_weights_is_refused():
    spec = ModelSpec(id="m", source="some/where", trust_remote_code=True, options={"float32_copy": True})
    with pytest.raises(SpecError, match="Leave one of the two out"):
        static_capabilities(spec)


HOLD = """
import re, sys
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.transformers.engine import TransformersEngine

def load(source, shared):
    options = {"device": "cpu", "float32_copy": shared}
    return TransformersEngine(ModelSpec(id="m", source=source, options=options), 1)

def own_bytes():
    found = re.search(r"^Anonymous:\\s+(\\d+)", open("/proc/self/smaps_rollup").read(), re.MULTILINE)
    return 1024 * int(found[1])

small, large, shared = sys.argv[1:]
first, before = load(small, False), own_bytes()
second = load(large, shared == "shared")
print(own_bytes() - before, flush=True)
sys.stdin.readline()
"""


def test_two_engines_hold_less_than_one_copy(tmp_path):
    """Takes some seconds: three processes load torch. Two share a copy, which one of them writes; one has its own."""
    wide = {"hidden_size": 1024, "intermediate_size": 8192, "num_key_value_heads": 4}
    large = write(tmp_path / "large", transformers.LlamaConfig(**{**COMMON, **wide}), "bfloat16")
    small = write(tmp_path / "small", config_of("llama"), "bfloat16")
    size = 2 * (large / "model.safetensors").stat().st_size
    command = [sys.executable, "-c", HOLD, str(small), str(large)]
    processes = [
        subprocess.Popen([*command, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for kind in ("shared", "shared", "own")
    ]
    try:
        *shared, own = [int(process.stdout.readline()) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert sum(shared) < size / 2
    assert own > 0.9 * size
