"""Shared by all tiers: quiet Ray, the material of build machines, small specs."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

REPO = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that build machines have beside the checkout."""
    folder = REPO.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the material of the build machines (../shared) is not here")
    return folder
