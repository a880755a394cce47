"""Terminals that cannot show a character: every command prints a replacement and ends normally."""

import io
import json
import subprocess
import sys

import pytest
from commands import in_process, line

from cotfaith.cluster.cli import app as cli

TEXT = "half · two ≠ 2, 五, \U0001f600, \udcff"


COMMANDS = [("--help",), ("schema",), ("import", "in.jsonl", "--out", "o.jsonl"), ("plan", "五.yaml")]


def by_process(folder, encoding, *arguments):
    """Run a command line in a process of its own, and return its code and what it printed."""
    environment = {"PYTHONIOENCODING": encoding, "COLUMNS": "100", "PATH": "/usr/bin:/bin"}
    environment |= {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(line(*arguments), capture_output=True, cwd=folder, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


def by_streams(folder, encoding, *arguments):
    """Run it in this process, on streams as Python opens them where PYTHONIOENCODING is ``encoding``."""
    encoding, _, errors = encoding.partition(":")
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    err = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors or "backslashreplace")
    done = in_process(*arguments, cwd=folder, width=100, out=out, err=err)
    for stream in (out, err):
        stream.flush()
    return done.returncode, out.buffer.getvalue() + err.buffer.getvalue()


def check(tmp_path, run, encoding, arguments):
    record = {"question": "5?", "cot": "≠ 五. Two.", "gold": "5", "label": "五 ≠"}
    (tmp_path / "in.jsonl").write_text(json.dumps(record))
    code, printed = run(tmp_path, encoding, *arguments)
    assert b"Traceback" not in printed, printed.decode()
    assert code == (2 if arguments[0] == "plan" else 0)
    assert len(printed) > 40
    assert b"?" in printed or b"\\u4e94" in printed or arguments[0] in ("--help", "schema")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "ascii:strict"])
@pytest.mark.parametrize("arguments", COMMANDS)
def test_commands(tmp_path, encoding, arguments):
    check(tmp_path, by_streams, encoding, arguments)


@pytest.mark.parametrize(("encoding", "arguments"), [("ascii", COMMANDS[2]), ("ascii:strict", COMMANDS[3])])
def test_commands_as_processes(tmp_path, encoding, arguments):
    check(tmp_path, by_process, encoding, arguments)


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
