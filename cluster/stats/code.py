"""A name for the code that turns rows into sums: sums that other code made are not read.

In: the files of this package that decide what sums are made of rows, and the versions of the libraries that they use.
A plug-in's metrics may rest on any code, so what they make has no name, and is never kept.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

import cotfaith
from cotfaith.cluster.stats.metrics import only_built_in

_FOLDERS = ("schemas", "workers", "cluster/storage", "cluster/stats")


def code_of(probes: Iterable[str]) -> str | None:
    """Return the name of the code that sums the rows of a run with these probes; None if a plug-in has a part in it."""
    return _NAME if only_built_in(probes) else None


def _name() -> str:
    found, root = hashlib.sha256(), Path(cotfaith.__file__).parent
    found.update(repr((sys.version_info[:2], pl.__version__, np.__version__, pa.__version__)).encode())
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"\n{path.relative_to(root)}\n".encode() + path.read_bytes())
    return found.hexdigest()


_NAME = _name()
"""Taken when this process loads the code: files that are replaced later do not change what it computes."""
