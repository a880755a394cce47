"""Which unit tests share a worker: those of one file, whose fixtures are then made once, and all that load torch."""

import pytest

TORCH = {"test_chat_template", "test_prompt_date", "test_sampling", "test_template_check"}
"""Each loads torch, which takes seconds of every worker that does."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Name each test's group for ``--dist loadgroup``."""
    for item in items:
        if item.path.parent.name == "unit":
            item.add_marker(pytest.mark.xdist_group("torch" if item.path.stem in TORCH else item.path.stem))
