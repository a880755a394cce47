"""Writes ``docs/results.md``, the page of a run's tables, from their schemas: ``python docs/results.py``."""

from pathlib import Path

import pyarrow as pa

from cotfaith.schemas.column import meaning
from cotfaith.schemas.tables import COLUMNS, SCHEMA_VERSION

PAGE = Path(__file__).with_suffix(".md")
_HEAD = """\
# A run's tables

(This page is made from the schemas: `python docs/results.py`.)

```python
import cotfaith
import polars as pl

tables = cotfaith.read("runs/mine")  # or s3://bucket/prefix
tables.chains.filter(pl.col("model") == "a").select("item_id", "correct").collect()
tables.verdicts.select("model", "task", "verdict").collect()
```

Each table is a polars `LazyFrame`: no row is read before `collect()`. `items`, `chains` and `observations` have the
rows that were committed when `read` was called; rows that were replaced later, and what attempts that were cut off left
behind, are not in them. Each part is checked against its commit. A condition on `model`, `task`, `strategy`, `variant`,
`probe` or `item_id` chooses parts before any is read, so a selection of one model reads that model's parts. Rows have
no order that means anything: sort them. `estimates` and `comparisons` are there once `cotfaith aggregate RUN` (or
`run`, or `report`) has made them, `verdicts` after `cotfaith gate RUN`; until then an error names the command. They are
as old as the last of these commands.

Rows whose `status` is not `ok` are rows too, and their metrics are null. So averages that leave null out are right, and
averages that put 0 for null are wrong. `estimates` have intervals and count what failed (`n_total`, `n_ok`): take
figures from there rather than from rows of your own.

Rows of different tables belong together by these columns:

| | |
| --- | --- |
| a chain and its item | `model`, `task`, `item_id` |
| an observation and its chain | `model`, `task`, `item_id`, `strategy`, `variant`, `chain_index` |
| an observation and its item | `model`, `task`, `item_id`, where `chain_index` is null |
| an estimate and its verdict | `model`, `task`, `strategy`, `channel` (with nulls equal: channels are not told apart) |

`examples/results.ipynb` is a notebook that does all this on a small run.

Log-probabilities are natural logarithms (nats). An answer is in its canonical form: a choice's label (A), a number
without separators, true or false, or text in lower case. Version of the tables: {version}.
"""
_KINDS = {"string": "text", "double": "float64", "bool": "true or false"}


def page() -> str:
    """Return the page."""
    parts = [_HEAD.replace("{version}", str(SCHEMA_VERSION))]
    return "\n".join([*parts, *(_table(name) for name in COLUMNS)])


def _table(name: str) -> str:
    lines = [f"## {name}", "", "| column | type | null | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *map(_line, COLUMNS[name]), ""])


def _line(field: pa.Field) -> str:
    return f"| `{field.name}` | {_kind(field.type)} | {'can be' if field.nullable else 'never'} | {meaning(field)} |"


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_kind(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "(" + ", ".join(f"{one.name}: {_kind(one.type)}" for one in kind) + ")"
    return _KINDS.get(str(kind), str(kind))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
