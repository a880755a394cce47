"""A model for vLLM. Without vLLM all of these tests are skipped.

``make test-vllm`` runs them in a separate environment, since vLLM pins its dependencies.
"""

from importlib.util import find_spec

import pytest


def pytest_collection_modifyitems(items):
    if find_spec("vllm") is None:
        for item in items:
            if "engine_vllm" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="vLLM is not installed here: make test-vllm"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    from tiny_models import write_model

    folder = tmp_path_factory.mktemp("words")
    write_model(folder, "words")
    return folder


@pytest.fixture(scope="session")
def speller_folder(tmp_path_factory):
    from speller import write_speller

    folder = tmp_path_factory.mktemp("speller")
    write_speller(folder)
    return folder
