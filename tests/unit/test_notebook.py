"""examples/results.ipynb runs from top to bottom, in this process and without Ray, and shows what its texts say."""

import ast
import json
import shlex

import pytest
from runs_here import without_ray

EXIT_CODES = {0, 3, 4}
"""A line "!cotfaith gate ..." ends with one of them, whatever the verdicts."""


@pytest.fixture(scope="module")
def notebook(repo):
    return json.loads((repo / "examples" / "results.ipynb").read_text(encoding="utf-8"))


def code(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_no_output_is_committed(notebook):
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_it_runs_and_shows_what_it_says(notebook, tmp_path, monkeypatch, cli):
    """A whole run, its estimates, report and verdicts: some seconds."""
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    names, shown = {}, []
    for cell in code(notebook):
        if cell.startswith("!cotfaith "):
            assert cli(*shlex.split(cell)[1:])[0] in EXIT_CODES
        else:
            shown.append(value_of(cell, names))
    assert shown[0] == {"ok": 30 * 2 * 3 + names["tables"].observations.collect().height}
    assert shown[1].height == 3
    counts = {row["model"]: row for row in shown[2].to_dicts()}
    assert (counts["silent"]["label"], counts["silent"]["quote"]) == (0, None)
    assert 10 < counts["mentions"]["label"] <= counts["mentions"]["len"]
    values = {row["model"]: (row["value"], row["ci_low"], row["ci_high"]) for row in shown[3].to_dicts()}
    assert values["silent"][0] == 0 < values["silent"][2] < values["mentions"][1]
    assert all(low <= value <= high for value, low, high in values.values())
    picture = shown[4]._repr_svg_()
    assert picture.count("<circle ") == picture.count("<line ") == 2
    assert f'x1="{120 + 300 * values["mentions"][1]}"' in picture
    assert sorted(shown[5]["model"].to_list()) == ["mentions", "silent"]
    assert shown[5]["change"].null_count() == 0


def value_of(cell, names):
    """Run a cell; return the value of its last line, as a notebook shows it."""
    *lines, last = ast.parse(cell).body
    exec(compile(ast.Module(lines, []), "cell", "exec"), names)
    assert isinstance(last, ast.Expr), "a cell ends with what it shows"
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)
