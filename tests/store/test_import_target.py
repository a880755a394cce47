"""``cotfaith import`` writes to a bucket as to a folder: once, or again with ``--replace``."""

import json

import pytest
from commands import in_process

GOOD = {"question": "What is 2 + 3?", "cot": "Two and three. So five.", "gold": "5"}
HIDDEN = "hunter2"


@pytest.fixture
def run(tmp_path):
    """Import one chain to an address; return what was printed."""
    (tmp_path / "chains.jsonl").write_text(json.dumps(GOOD))
    return lambda *out: in_process("import", "chains.jsonl", "--out", *out, cwd=tmp_path, width=500)


def test_a_file_in_a_bucket_is_written_and_can_be_imported_again(run, seaweed, tmp_path):
    there = seaweed.url("import/ü 1/out.jsonl")
    done = run(there)
    assert done.returncode == 0, done.stderr
    assert f"Wrote {there}." in done.stdout
    assert f"file: '{there}'" in done.stdout or f"file: {there}" in done.stdout
    again = in_process("import", there, "--out", "copy.jsonl", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["chains.jsonl", "copy.jsonl"]


def test_a_file_that_is_there_is_replaced_only_if_asked(run, seaweed):
    there = seaweed.url("import/twice.jsonl")
    seaweed.client().put_object(Bucket="cotfaith-tests", Key="import/twice.jsonl", Body=b"mine")
    refused = run(there)
    assert (refused.returncode, "this file exists" in refused.stderr) == (2, True)
    assert content(seaweed, "import/twice.jsonl") == b"mine"
    assert run(there, "--replace").returncode == 0
    assert json.loads(content(seaweed, "import/twice.jsonl"))["question"] == GOOD["question"]


def content(server, key):
    return server.client().get_object(Bucket="cotfaith-tests", Key=key)["Body"].read()


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (f"s3://AKIA:{HIDDEN}@bucket/out.jsonl", "not shown here"),
        ("hf://datasets/me/mine/out.jsonl", "cannot be written to the hub"),
        ("gs://bucket/out.jsonl", "gs:// addresses are not supported"),
        ("s3://not-there/out.jsonl", "there is no such bucket"),
        ("s3://cotfaith-tests/out.csv", "expected a file that ends in .jsonl"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_no_folder(run, seaweed, tmp_path, out, said):
    assert seaweed.endpoint
    done = run(out)
    assert done.returncode == 2
    assert said in done.stderr
    assert HIDDEN not in done.stderr + done.stdout
    assert [one.name for one in tmp_path.iterdir()] == ["chains.jsonl"]


def test_paired_records_become_a_run_in_a_bucket(seaweed, tmp_path):
    """Read from a bucket, written to a bucket, and read again; a second import is refused."""
    record = {"item": "q", "model": "m", "variant": "plain", "prediction": "A", "gold": "A", "chain": "So."}
    seaweed.client().put_object(Bucket="cotfaith-tests", Key="theirs/a.jsonl", Body=json.dumps(record).encode())
    arguments = ("import", "--paired", seaweed.url("theirs/a.jsonl"), "--out", seaweed.url("runs/theirs"))
    done = in_process(*arguments, cwd=tmp_path, width=500)
    assert done.returncode == 0, done.stderr
    assert in_process("verify", seaweed.url("runs/theirs"), cwd=tmp_path).returncode == 0
    assert in_process("aggregate", seaweed.url("runs/theirs"), cwd=tmp_path).returncode == 0
    again = in_process(*arguments, cwd=tmp_path, width=500)
    assert (again.returncode, "this folder is not empty" in again.stderr) == (2, True)
    assert not list(tmp_path.iterdir())
