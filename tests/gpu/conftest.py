"""Fixtures of the tests on a GPU: small models with random weights, their engines, and exact numbers to compare with.

They need torch, transformers and pydantic, but no Ray and no network. ``python -m pytest -m gpu tests/gpu`` runs them.
"""

from functools import cache

import pytest
import torch
import transformers
from tiny_models import byte_tokenizer, config_of

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.transformers.engine import TransformersEngine

DEVICE = "cuda"


@pytest.fixture(scope="session", autouse=True)
def device():
    """The device that is tested; without one, every test here is skipped."""
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return DEVICE


def write(folder, config):
    """Write a model whose weights are wide enough that contexts matter."""
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4 if weights.ndim == 2 else 1)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """A function that writes a small model of a kind; given fields replace the defaults of its configuration."""

    @cache
    def make(kind="llama", **fields):
        config = config_of(kind)
        return write(tmp_path_factory.mktemp(kind), type(config)(**{**config.to_dict(), **fields}))

    return make


@pytest.fixture(scope="session")
def engine_of(device):
    """A function that loads a folder: onto the GPU, or onto the device of ``options``."""

    def load(folder, dtype="float32", **options):
        spec = ModelSpec(id="small", source=str(folder), dtype=dtype, options={"device": device, **options})
        return TransformersEngine(spec, threads=1)

    return load


@pytest.fixture(scope="session")
def exact():
    """A function that scores in float64 on the CPU: one forward pass for each prompt and candidate."""

    def scores(folder, requests):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
        return [tuple(_score(model, r.prompt, candidate) for candidate in r.candidates) for r in requests]

    return scores


def _score(model, prompt, candidate):
    with torch.inference_mode():
        logits_TV = model(torch.tensor([prompt + candidate]), use_cache=False).logits[0]
    logprobs_TV = logits_TV.double().log_softmax(-1)
    return sum(logprobs_TV[len(prompt) - 1 + i, token].item() for i, token in enumerate(candidate))


@pytest.fixture
def largest(record_property):
    """A function that returns the largest difference between two lists of scores, and records it in the test report."""

    def difference(got, expected):
        gaps = [abs(a - b) for g, e in zip(got, expected, strict=True) for a, b in zip(g, e, strict=True)]
        record_property("largest_difference_nats", max(gaps))
        return max(gaps)

    return difference
