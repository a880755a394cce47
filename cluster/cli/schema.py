"""``cotfaith schema``: the JSON Schema of the run spec, or the SQL that makes exported tables known to a warehouse."""

import json
from typing import Annotated

import typer

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.options import Plugins


def _dialects() -> tuple[str, ...]:
    from cotfaith.cluster.export.ddl import DIALECTS

    return tuple(DIALECTS)


def schema(
    plugins: Plugins = None,
    dialect: Annotated[
        str | None,
        typer.Option(
            "--ddl",
            metavar="DIALECT",
            help="Print SQL for the tables of export --to parquet: athena, bigquery, databricks, duckdb, redshift or "
            "snowflake.",
            autocompletion=completion.of(_dialects),
        ),
    ] = None,
    place: Annotated[
        str, typer.Option("--at", metavar="DIR", help="With --ddl: the folder or address that was exported to.")
    ] = "warehouse",
) -> None:
    """Print the JSON Schema of the run spec, for editors; or SQL that makes exported tables known to a warehouse."""
    if dialect is not None:
        _print_ddl(dialect, place)
        return
    from cotfaith.cluster.plan.spec_schema import spec_schema
    from cotfaith.workers.plugins import import_plugins

    import_plugins(plugins or [])
    print(json.dumps(spec_schema(), indent=2))


def _print_ddl(dialect: str, place: str) -> None:
    from cotfaith.cluster.export.ddl import DIALECTS, ddl
    from cotfaith.schemas.errors import SpecError
    from cotfaith.schemas.suggest import unknown

    if dialect not in DIALECTS:
        raise SpecError(f"--ddl: {unknown('dialect', dialect, DIALECTS)}")
    print(ddl(dialect, place), end="")
