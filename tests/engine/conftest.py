"""Models for the engine's tests: tiny models with random weights, and a real one if its package is installed."""

import importlib
from pathlib import Path

import pytest
from tiny_models import write_model

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.workers.demo import prepare_smollm2

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A function that makes a folder with a random model of a kind."""
    made = {}

    def make(kind="llama"):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            write_model(made[kind], kind)
        return made[kind]

    return make


@pytest.fixture
def script(repo, monkeypatch):
    """A function that imports a benchmark as if it ran from its folder."""
    monkeypatch.syspath_prepend(repo / "benchmarks")
    return importlib.import_module


@pytest.fixture(scope="session")
def benchmark_model(repo, tmp_path_factory):
    """A function that returns the folder of the benchmarks' tiny model, whose context is long enough for them."""
    folders = {}

    def make(dtype="float32"):
        if dtype not in folders:
            folders[dtype] = tmp_path_factory.mktemp(dtype)
            with pytest.MonkeyPatch.context() as patch:
                patch.syspath_prepend(repo / "benchmarks")
                importlib.import_module("random_model").write_random_model(folders[dtype], "tiny", dtype, "cpu")
        return folders[dtype]

    return make


@pytest.fixture(scope="session")
def smollm2():
    """The folder with SmolLM2-135M-Instruct, converted once into the repository's cache."""
    try:
        return prepare_smollm2(REPOSITORY / ".cache" / "models", print)
    except ModelSourceError as error:
        pytest.skip(str(error))
