"""Terminals that cannot show a character: every command prints a replacement and ends normally."""

import io
import json
import subprocess
import sys

import pytest

from cotfaith.cluster.cli import app as cli

TEXT = "half · two ≠ 2, 五, \U0001f600, \udcff"


def command(tmp_path, encoding, *arguments):
    """Run a command line in a separate process, and return its code and output."""
    call = "import sys; from cotfaith.cluster.cli.app import main; sys.argv[0] = 'cotfaith'; main()"
    environment = {"PYTHONIOENCODING": encoding, "COLUMNS": "100", "PATH": "/usr/bin:/bin"}
    environment |= {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", call, *arguments], capture_output=True, cwd=tmp_path, env=environment, check=False
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "ascii:strict"])
@pytest.mark.parametrize(
    "arguments", [("--help",), ("schema",), ("import", "in.jsonl", "--out", "o.jsonl"), ("plan", "五.yaml")]
)
def test_commands(tmp_path, encoding, arguments):
    record = {"question": "5?", "cot": "≠ 五. Two.", "gold": "5", "label": "五 ≠"}
    (tmp_path / "in.jsonl").write_text(json.dumps(record))
    code, printed = command(tmp_path, encoding, *arguments)
    assert code == (2 if arguments[0] == "plan" else 0)
    assert b"?" in printed or b"\\u4e94" in printed or arguments[0] in ("--help", "schema")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_streams(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    cli._show_any_text()
    print(TEXT, flush=True)
    assert stream.buffer.getvalue().decode(encoding).startswith("half")


def test_what_the_user_chose_for_it_stays(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    cli._show_any_text()
    assert stream.errors == "backslashreplace"


def test_streams_of_another_kind_stay(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    cli._show_any_text()


def test_messages_hold_no_control_characters(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.jsonl").write_text(json.dumps({"\u001b[31mq": "?"}))
    spec = {"models": [{"id": "m", "engine": "stub"}], "probes": ["no_cot"], "output": {"path": "run"}}
    spec["tasks"] = [{"name": "t", "file": "f.jsonl", "fields": {"question": "q", "gold": "g"}}]
    (tmp_path / "spec.yaml").write_text(json.dumps(spec))
    code, out, err = cli("plan", "spec.yaml")
    assert (code, "\u001b" in out + err) == (2, False)
