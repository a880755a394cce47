"""The page of methods: every metric is on it, and it names no metric that does not exist."""

import re

import pytest

from cotfaith.cluster.stats.metrics import METRICS

NAMES = {metric.name for one in METRICS.values() for metric in one.metrics}
OTHERS = {"answer_by", "metric", "method", "position", "value", "n_total", "least", "most"}
METHODS = {metric.method for one in METRICS.values() for metric in one.metrics} | {"resampled"}


@pytest.fixture(scope="module")
def said(repo):
    page = (repo / "docs" / "methods.md").read_text(encoding="utf-8")
    page = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return [name for name in re.findall(r"`([^`]+)`", page) if re.fullmatch(r"[a-z0-9_]+", name)]


def test_every_metric_is_on_the_page(said):
    assert NAMES - set(said) == set()


def test_it_names_nothing_else(said):
    assert {name for name in said if name not in NAMES | METHODS} == OTHERS
