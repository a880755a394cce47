"""docs/results.md says of every column what the schemas say."""

import runpy

import pytest

from cotfaith.schemas.column import column, meaning, required
from cotfaith.schemas.tables import COLUMNS, TABLES


@pytest.fixture(scope="module")
def made(repo):
    return runpy.run_path(str(repo / "docs" / "results.py"))["page"]()


def test_the_page_is_what_the_script_makes(repo, made):
    found = (repo / "docs" / "results.md").read_text(encoding="utf-8")
    assert found == made, "Make it again: python docs/results.py"


def test_every_column_has_a_meaning_and_a_line(made):
    for name, fields in COLUMNS.items():
        part = made.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for field in fields:
            assert meaning(field)
            null = "can be" if field.nullable else "never"
            (line,) = [line for line in part.splitlines() if line.startswith(f"| `{field.name}` |")]
            assert (line.count(" | "), f" | {null} | " in line, line.endswith(f"{meaning(field)} |")) == (3, True, True)
    assert "| `candidate_logprobs` | list of float64 | can be | log-probability of each candidate in nats" in made
    assert "| `metadata` | list of (key: text, value: text) | can be |" in made
    assert "| `chain_index` | int32 | never |" in made


def test_files_hold_no_meanings():
    """A small file would be mostly meanings."""
    assert all(field.metadata is None for schema in TABLES.values() for field in schema)
    assert all(schema.metadata[b"cotfaith.table"].decode() == name for name, schema in TABLES.items())


def test_a_column_knows_its_meaning():
    one = column("n", TABLES["chains"].field("n_steps").type, "steps")
    assert (meaning(one), one.nullable, required("n", one.type, "x").nullable) == ("steps", True, False)
