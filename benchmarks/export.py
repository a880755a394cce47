"""Time and memory of `cotfaith export` by the size of the run.

    python benchmarks/export.py [--rows 100000 1000000] [--file-mb 64] [--folder FOLDER] [--json FILE]

A run of stub models with all probes is grown to so many observations, as `aggregate.py` does it: every object is one
that the product verifies. Then a process each exports it into an empty folder as Parquet, and into an empty SQL catalog
on disk as Iceberg tables; then each once more, which finds nothing to do. Rows are those of all tables that were
exported. The seconds leave out the start of the process and imports; the memory is the largest of the process. It takes
no weights.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from aggregate import large_run, small_run

WAYS = ("parquet", "parquet, again", "iceberg", "iceberg, again")


def export(way: str, folder: Path, file_mb: int) -> int:
    """Export the run in this process; return the rows that are there."""
    from cotfaith.cluster.storage.read import load_run
    from cotfaith.cluster.storage.store import LocalStore

    store = LocalStore(folder)
    run = load_run(store)
    if way.startswith("parquet"):
        from cotfaith.cluster.export.warehouse import export_parquet

        done = export_parquet(store, run, LocalStore(_beside(folder, "warehouse")), file_mb * 2**20)
        return sum(done.manifest.rows(name) for name in done.added)
    from cotfaith.cluster.export.iceberg import export_iceberg

    return sum(one.rows for one in export_iceberg(store, run, "here", "cotfaith").values())


def _beside(folder: Path, name: str) -> Path:
    return folder.with_name(f"{folder.name}-{name}")


def _measure_here(way: str, folder: Path, file_mb: int) -> None:
    before, start = os.times(), time.perf_counter()
    rows = export(way, folder, file_mb)
    seconds, after = time.perf_counter() - start, os.times()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    busy = after.user + after.system - before.user - before.system
    print(json.dumps({"seconds": seconds, "cpu_seconds": busy, "peak_mb": memory, "rows": rows}))


def measured(way: str, folder: Path, file_mb: int) -> dict[str, Any]:
    """Return seconds, MB and rows, from a process of its own."""
    tables = _beside(folder, "tables")
    tables.mkdir(exist_ok=True)
    catalog = {"TYPE": "sql", "URI": f"sqlite:///{tables}/catalog.db", "WAREHOUSE": f"file://{tables}"}
    environment = {**os.environ, **{f"PYICEBERG_CATALOG__HERE__{name}": value for name, value in catalog.items()}}
    command = [sys.executable, __file__, "--way", way, "--folder", str(folder), "--file-mb", str(file_mb)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment)
    assert done.returncode == 0, f"{way} failed"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _compared(folder: Path, file_mb: int) -> dict[str, Any]:
    found = {way: measured(way, folder, file_mb) for way in WAYS}
    assert len({one["rows"] for one in found.values()}) == 1, "both have all rows"
    print(f"{found['parquet']['rows']:,} rows")
    for way, one in found.items():
        speed = f"{one['rows'] / one['cpu_seconds']:9,.0f} rows a second of CPU"
        print(
            f"  {way:14} {one['seconds']:7.1f} s, {one['cpu_seconds']:7.1f} s of CPU, {speed}, {one['peak_mb']:6.0f} MB"
        )
    return found


def main() -> None:
    """Make the runs, export each in both ways and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000], help="observations, at least about as many")
    parser.add_argument("--file-mb", type=int, default=64, help="size of the Parquet files")
    parser.add_argument("--folder", type=Path, help="where runs and exports are kept; default: a temporary folder")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--way", choices=WAYS, help="time one way on the run in --folder, in this process")
    options = parser.parse_args()
    if options.way:
        _measure_here(options.way, options.folder, options.file_mb)
        return
    with tempfile.TemporaryDirectory() as made:
        top = (options.folder or Path(made)).absolute()
        small, found = small_run(top / "small"), []
        for n in options.rows:
            large_run(small, top / f"rows-{n}", n)
            found.append(_compared(top / f"rows-{n}", options.file_mb))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
