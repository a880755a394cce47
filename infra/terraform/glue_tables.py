"""Writes the columns of the exported tables for Terraform: glue_tables.json.

Run after a table's columns change: python infra/terraform/glue_tables.py
"""

import json
from pathlib import Path

from cotfaith.cluster.export.ddl import hive_columns
from cotfaith.schemas.tables import TABLES

FILE = Path(__file__).with_name("glue_tables.json")


def content() -> str:
    """Return the file's text: table -> its columns but ``run_id``, which is the partition."""
    tables = {name: [{"name": column, "type": kind} for column, kind in hive_columns(name)] for name in TABLES}
    return json.dumps(tables, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(content())
