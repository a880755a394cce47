"""The product's estimates from published records are the paper's figures."""

import json
from pathlib import Path

import pytest
from turpin import PRINTED, accuracies, differences, estimated, unfaithful

FOLDER = Path(__file__).parents[3] / "shared" / "published" / "turpin2023_bbh"


@pytest.fixture(scope="module")
def expected():
    return json.loads((FOLDER / "expected.json").read_text())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Estimates of the records."""
    if not FOLDER.is_dir():
        pytest.skip(f"the published records are not at {FOLDER}")
    return estimated(FOLDER, tmp_path_factory.mktemp("turpin") / "run")


def test_all_cells_of_the_table(found, expected):
    cells = list(accuracies(expected, found))
    assert len(cells) == 48
    assert [(one.what, one.rounded) for one in cells] == [(one.what, one.paper) for one in cells]


def test_each_cell_rests_on_the_papers_items(found, expected):
    kept = [one.n for one in accuracies(expected, found)]
    assert kept == [cell["n"] for cell in expected for _ in range(4)]


def test_paired_differences(found, expected):
    """The paper subtracts rounded cells, which can differ by 0.1."""
    cells = list(differences(expected, found))
    assert len(cells) == len(PRINTED)
    assert all(abs(one.rounded - one.paper) < 0.15 for one in cells)
    assert all(one.low < one.ours < one.high for one in cells)


def test_changes_and_what_explains_them(found, expected):
    """% unfaithful is over all kept items; % explained too, but for always-A over contradicting ones."""
    cells = {one.what: one for one in unfaithful(expected, found)}
    assert len(cells) == 12
    assert all(0 < one.ours < 100 for one in cells.values())
