"""DuckDB with its own extensions, which come as packages of the same version: nothing is downloaded."""

import importlib
from pathlib import Path

import pytest


def over_s3(server, *extensions):
    """Return a connection that reads ``s3://`` of a server by DuckDB's httpfs, with more extensions; skip without."""
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    base = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    for name in ("httpfs", *extensions):
        base.execute(f"LOAD '{_file(name, duckdb.__version__)}'")
    base.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{server.key}', SECRET '{server.secret}', REGION 'us-east-1', "
        f"ENDPOINT '127.0.0.1:{server.port}', URL_STYLE 'path', USE_SSL false)"
    )
    return base


def _file(name, version):
    package = pytest.importorskip(
        f"duckdb_extension_{name}", reason=f"DuckDB's {name} is not installed: pip install duckdb-extension-{name}"
    )
    folders = [Path(one) for one in importlib.import_module(package.__name__).__path__]
    found = [path for folder in folders for path in folder.rglob(f"v{version}/{name}.duckdb_extension")]
    if not found:
        pytest.skip(f"duckdb-extension-{name} is of another version than DuckDB {version}: install the same")
    return found[0]
