"""Files and splits of datasets on the hub, asked by the hub's own library of a stand-in for it."""

import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_hub import MAIN, TOKEN, fake_hub

CONVERTED = "refs/convert/parquet"
ASK = """
import json, os, sys, time
os.environ["COTFAITH_MAX_FILE_GIB"] = str(1 / 1024)
time.sleep = lambda _: None  # the hub's library waits 23 s in all before it gives up
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
for keys in json.load(sys.stdin):
    try:
        spec = TaskSpec.model_validate({"name": "t", "fields": {"question": "q", "gold": "g"}} | keys)
        answer = [item.question for item in load_task(spec, 0)]
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer))
"""
"""Loads tasks as another process: the hub's library reads its environment once, when it is imported."""


def parquet(*questions):
    file = io.BytesIO()
    pq.write_table(pa.table({"q": questions, "g": ["1.5"] * len(questions)}), file)
    return file.getvalue()


def lines(*questions):
    return "".join(json.dumps({"q": q, "g": "1.5"}) + "\n" for q in questions).encode()


@pytest.fixture
def hub():
    with fake_hub() as found:
        found.datasets = {
            "me/sums": {
                MAIN: {"data/test.jsonl": lines("main?"), "data/train.jsonl": lines("train?"), "big.jsonl": b"1"},
                "v1": {"data/test.jsonl": lines("old?")},
                "refs/pr/2": {"data/test.jsonl": lines("proposed?")},
                CONVERTED: {
                    "default/test/0000.parquet": parquet("a?", "b?"),
                    "default/test/0001.parquet": parquet("c?"),
                    "default/train/0000.parquet": parquet("d?"),
                    "default/partial-huge/0000.parquet": parquet("e?"),
                },
            },
            "me/two": {
                MAIN: {"x.csv": b"q,g\nx?,1\n"},
                CONVERTED: {"en/test/0000.parquet": parquet("en?"), "de/test/0000.parquet": parquet("de?")},
            },
            "me/plain": {MAIN: {"only.jsonl": lines("only?")}},
            "me/gated": {MAIN: {"f.jsonl": lines("gated?")}},
            "me/private": {MAIN: {"f.jsonl": lines("private?")}},
        }
        found.gated, found.private, found.sizes = {"me/gated"}, {"me/private"}, {"big.jsonl": 3 << 30}
        yield found


@pytest.fixture
def ask(hub, tmp_path):
    """A function that loads tasks in another process: their questions, or the error's text, one for each task."""

    def asked(*tasks, **environment):
        left_out = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN")
        plain = {name: value for name, value in os.environ.items() if name not in left_out}
        cache = {"COTFAITH_CACHE": str(tmp_path / "cache")}
        settings = cache | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            input=json.dumps(tasks),
            env=plain | settings | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return asked


SUMS = "hf://datasets/me/sums"


def test_files_and_splits_are_read_and_kept(hub, ask):
    wanted = {
        (f"{SUMS}/data/test.jsonl",): ["main?"],
        (f"{SUMS}@v1/data/test.jsonl",): ["old?"],
        (f"{SUMS}@{hub.commit('me/sums', 'v1')}/data/test.jsonl",): ["old?"],
        (f"{SUMS}@refs/pr/2/data/test.jsonl",): ["proposed?"],
        (f"{SUMS}@refs%2Fpr%2F2/data/test.jsonl",): ["proposed?"],
        (SUMS, "test"): ["a?", "b?", "c?"],
        (SUMS, "train"): ["d?"],
        (SUMS, "partial-huge"): ["e?"],
        ("hf://datasets/me/two", "test", "de"): ["de?"],
    }
    tasks = [dict(zip(("file", "split", "config"), keys, strict=False)) for keys in wanted]
    assert ask(*tasks) == list(wanted.values())
    first = dict(hub.downloads)
    assert ask(*tasks) == list(wanted.values())
    assert dict(hub.downloads) == first, "what has not changed is not downloaded again"
    assert ask(*tasks, HF_HUB_OFFLINE="1") == list(wanted.values())
    hub.is_busy = True
    assert ask(tasks[0]) == [["main?"]], "the copy is used if the hub cannot answer"


def test_a_split_is_whole_or_not_there(hub, ask):
    task = {"file": SUMS, "split": "test"}
    assert ask(task | {"split": "train"}) == [["d?"]]
    (said,) = ask(task, HF_HUB_OFFLINE="1")
    assert "this is not in the cache, and HF_HUB_OFFLINE is set" in said
    assert ask(task) == [["a?", "b?", "c?"]]
    hub.datasets["me/sums"][CONVERTED] = {"default/test/0000.parquet": parquet("new?")}
    assert ask(task, HF_HUB_OFFLINE="1") == [["a?", "b?", "c?"]]
    assert ask(task) == [["new?"]]
    assert ask(task, HF_HUB_OFFLINE="1") == [["new?"]]


def test_a_changed_file_is_downloaded_again(hub, ask):
    task = {"file": f"{SUMS}/data/test.jsonl"}
    assert ask(task) == [["main?"]]
    hub.datasets["me/sums"][MAIN]["data/test.jsonl"] = lines("new?")
    assert ask(task) == [["new?"]]


def test_a_token_opens_what_is_gated_or_private(ask):
    tasks = [{"file": f"hf://datasets/me/{name}/f.jsonl"} for name in ("gated", "private")]
    gated, private = ask(*tasks)
    assert "SpecError: task 't': hf://datasets/me/gated/f.jsonl: this dataset is gated" in gated
    assert "HF_TOKEN" in gated
    assert "there is no such dataset, or it is private" in private
    assert ask(*tasks, HF_TOKEN=TOKEN) == [["gated?"], ["private?"]]


REFUSED = {
    "no dataset": ({"file": "hf://datasets/me/sum/f.jsonl"}, "there is no such dataset"),
    "no file": ({"file": f"{SUMS}/data/tset.jsonl"}, "no file 'data/tset.jsonl'. Did you mean 'data/test.jsonl'"),
    "no revision": ({"file": f"{SUMS}@v9/data/test.jsonl"}, "no such revision"),
    "no split": ({"file": SUMS, "split": "tets"}, "Unknown split 'tets'. Did you mean 'test'"),
    "no split named": ({"file": SUMS}, "set split to one of partial-huge, test, train"),
    "a part of a split": ({"file": SUMS, "split": "huge"}, "converted only a part of split 'huge'"),
    "no config named": ({"file": "hf://datasets/me/two", "split": "test"}, "set config to one of de, en"),
    "no config": ({"file": "hf://datasets/me/two", "split": "test", "config": "eng"}, "Did you mean 'en'"),
    "no Parquet": ({"file": "hf://datasets/me/plain", "split": "test"}, "Name one of its files: only.jsonl"),
    "a split of a revision": ({"file": f"{SUMS}@v1", "split": "test"}, "Leave out @revision"),
    "a split of a file": ({"file": f"{SUMS}/x.jsonl", "split": "test"}, "only a dataset"),
    "a file too large": ({"file": f"{SUMS}/big.jsonl"}, "has 3.00 GiB"),
    "no name": ({"file": "hf://datasets/me/a..b--c/f.jsonl"}, "no dataset can have this name"),
}


def test_what_is_refused(hub, ask):
    said = dict(zip(REFUSED, ask(*(task for task, _ in REFUSED.values())), strict=True))
    for name, (_, expected) in REFUSED.items():
        assert said[name].startswith("SpecError: task 't': "), said[name]
        assert expected in said[name]
    assert hub.downloads["big.jsonl"] == 0, "the size is told before the download"


def test_offline_without_a_copy(ask):
    tasks = [{"file": f"{SUMS}/data/test.jsonl"}, {"file": SUMS, "split": "test"}]
    for said in ask(*tasks, HF_HUB_OFFLINE="1"):
        assert "SpecError: task 't'" in said
        assert "HF_HUB_OFFLINE is set" in said


def test_a_hub_that_is_not_there(hub, ask):
    hub.is_busy = True
    (said,) = ask({"file": f"{SUMS}/data/test.jsonl"})
    assert said.startswith("StoreError: task 't'")
    (said,) = ask({"file": f"{SUMS}/data/test.jsonl"}, HF_ENDPOINT="http://127.0.0.1:9")
    assert "StoreError: task 't'" in said
    assert "cannot be reached" in said
