"""A run whose model and questions are in object storage: every process fetches for itself."""

import json

import yaml
from commands import as_process, in_process
from s3_servers import BUCKET, seaweedfs

from cotfaith.workers.organisms.folder import folder_of


def test_a_run_continues_when_its_inputs_move(tmp_path, monkeypatch, no_ray):
    lines = "".join(json.dumps({"q": f"What is {n} + 4?", "g": str(n + 4)}) + "\n" for n in range(3))
    local = {"model": str(folder_of("reasoner")), "file": str(tmp_path / "mine.jsonl")}
    (tmp_path / "mine.jsonl").write_text(lines)

    def spec_file(name, model, file):
        spec = {
            "models": [{"id": "m", "source": model, "dtype": "float32"}],
            "tasks": [{"name": "t", "file": file, "fields": {"question": "q", "gold": "g"}}],
            "sampling": {"max_tokens": 24},
            "probes": ["no_cot"],
            "output": {"path": str(tmp_path / "run"), "max_failed_share": 1},
        }
        (tmp_path / name).write_text(yaml.safe_dump(spec))
        return tmp_path / name

    with seaweedfs() as server:
        for name, value in (server.environment | {"COTFAITH_CACHE": str(tmp_path / "cache")}).items():
            monkeypatch.setenv(name, value)
        for path in folder_of("reasoner").iterdir():
            server.client().upload_file(str(path), BUCKET, f"models/reasoner/{path.name}")
        server.client().put_object(Bucket=BUCKET, Key="mine.jsonl", Body=lines.encode())
        there = spec_file("there.yaml", f"s3://{BUCKET}/models/reasoner", f"s3://{BUCKET}/mine.jsonl")
        done = as_process("run", there, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["spec"]["models"][0]["source"] == f"s3://{BUCKET}/models/reasoner"
    (whole,) = (tmp_path / "cache" / "models").glob("*/whole")
    assert whole.parent.name.endswith(record["spec"]["models"][0]["revision"])
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("_commits/**/*.json")}
    done = in_process("run", spec_file("here.yaml", **local), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 to do" in done.stdout + done.stderr
    assert before
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("_commits/**/*.json")} == before
