"""Catalogs of pyiceberg's own configuration, made anew for a test, and what is in their tables."""

import polars as pl
from whole_runs import tables

from cotfaith.cluster.export.table_files import SORTED_BY
from cotfaith.cluster.storage.read import load_run

ROWS = ("items", "chains", "observations")


def configure(monkeypatch, **properties):
    """Make ``here`` a catalog by PYICEBERG_ variables: ``s3__endpoint`` is the property ``s3.endpoint``.

    pyiceberg reads them once in a process, when it is imported.
    """
    import pyiceberg.catalog
    from pyiceberg.utils.config import Config

    for name, value in properties.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__HERE__{name.upper()}", value)
    monkeypatch.setattr(pyiceberg.catalog, "_ENV_CONFIG", Config())


def on_disk(monkeypatch, folder):
    """Make ``here`` a new SQL catalog in a folder."""
    configure(monkeypatch, type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/tables")


def load(name):
    """Return a table of the namespace ``cotfaith``; None if there is none."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.exceptions import NoSuchTableError

    try:
        return load_catalog("here").load_table(("cotfaith", name))
    except NoSuchTableError:
        return None


def rows_of(name):
    """Return a table's rows; None if there is no table."""
    table = load(name)
    return None if table is None else pl.from_arrow(table.scan().to_arrow())


def assert_there(*runs):
    """The tables hold the committed rows of these runs, each once, and no others."""
    for name in ROWS:
        found, by = rows_of(name), SORTED_BY[name]
        for run in runs:
            wanted, run_id = tables(run)[name], load_run(run).run_id
            own = found.filter(pl.col("run_id") == run_id)
            assert own.select(wanted.columns).sort(by).equals(wanted.sort(by)), name
        assert len(found) == sum(len(tables(run)[name]) for run in runs), name


def assert_no_row_twice():
    for name in ROWS:
        found = rows_of(name)
        if found is not None:
            assert not found.select("run_id", *SORTED_BY[name]).is_duplicated().any(), name
