"""The means of these tests: what can hide from them, and what they would not see."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from process_tree import below, running
from run_tables import as_committed, compare

from cotfaith.cluster.storage.store import open_store

ORPHANS = "setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & sleep 0.3"
ROWS = {("chains", n): [{"item_id": str(n), "run_id": "r", "score": 0.1 * n}] for n in range(4)}


def test_orphans_with_sessions_of_their_own_are_found_and_ended(tmp_path):
    with running(["sh", "-c", ORPHANS], tmp_path / "said") as tree:
        assert tree.wait(10) == 0
        left = tree.all()
        assert len(left) >= 3
        assert not tree.gone(0.2)
    assert not any(os.path.exists(f"/proc/{process.pid}") for process in left)  # noqa: PTH110


def test_everything_ends_with_the_process_that_started_it(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from process_tree import Tree
tree = Tree(["sh", "-c", {ORPHANS!r}], Path({str(tmp_path / "said")!r}))
time.sleep(1000)
"""
    path = os.pathsep.join(sys.path)
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    try:
        wait_until(lambda: sum(one.title == "sleep 1000" for one in below(process.pid)) == 3)
        pids = {one.pid for one in below(process.pid)}
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))  # noqa: PTH110


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: None, (4, 0, 0, 0)),
        (lambda rows: rows[("chains", 1)][0].update(run_id="other"), (4, 0, 0, 0)),
        (lambda rows: rows.pop(("chains", 1)), (4, 1, 0, 0)),
        (lambda rows: rows[("chains", 1)].append(rows[("chains", 1)][0]), (4, 0, 1, 0)),
        (lambda rows: rows[("chains", 1)][0].update(score=math.nextafter(0.1, 1)), (4, 0, 0, 1)),
        (lambda rows: rows[("chains", 1)][0].update(score=None), (4, 0, 0, 1)),
        (lambda rows: rows[("chains", 1)][0].pop("score"), (4, 0, 0, 1)),
        (lambda rows: rows.update({("chains", 9): [{"item_id": "9"}]}), (4, 0, 0, 1)),
    ],
)
def test_what_a_comparison_sees(change, expected):
    found = {key: [dict(row) for row in rows] for key, rows in ROWS.items()}
    change(found)
    result = compare(ROWS, found)
    assert (result.expected, result.lost, result.doubled, result.differing) == expected
    assert result.equal == (expected == (4, 0, 0, 0))


def test_nothing_is_not_equal_to_nothing():
    assert not compare({}, {}).equal


def test_the_last_commit_of_an_item_counts_and_orphans_do_not(tmp_path):
    store = open_store(str(tmp_path))
    for generation, (items, text) in enumerate([("ab", "old"), ("b", "new")]):
        rows = [{"model": "m", "strategy": "cot", "item_id": item, "text": text} for item in items]
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        store.put(f"_parts/{generation}", buffer.getvalue())
        store.put("_parts/orphan", buffer.getvalue())
        commit = {
            "items": list(items),
            "pieces": [{"strategy": "cot", "variant": "plain", "probe": None, "reader": None}],
            "parts": [{"table": "chains", "key": f"_parts/{generation}"}],
        }
        store.put(f"_commits/m/t/0-2/{generation:05d}.json", json.dumps(commit).encode())
    assert [row["text"] for rows in as_committed(store).values() for row in rows] == ["old", "new"]
