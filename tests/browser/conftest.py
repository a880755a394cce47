import pytest
from browser import browser


@pytest.fixture(scope="session")
def chromium():
    with browser() as made:
        yield made
