"""The shell's completion: what is offered, that nothing heavy is loaded for it, and that bash, zsh and fish take it."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import MAIN, click_command

from cotfaith.cluster.cli import completion

SPEC = {
    "models": [{"id": "small"}, {"id": "large"}],
    "tasks": [{"name": "sums"}, {"name": "logic"}],
    "probes": ["no_cot", {"name": "early_answering"}],
    "strategies": ["cot"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory has a run, a folder of runs, a spec, and what is neither."""
    monkeypatch.chdir(tmp_path)
    for name in ("runs/one", "mine", "runs/.hidden"):
        Path(name).mkdir(parents=True)
    Path("mine/run.json").write_text(json.dumps({"spec": SPEC}))
    Path("runs/one/run.json").write_text(json.dumps({"spec": SPEC}))
    Path("spec.yaml").write_text("models: [{id: planned}]\n")
    Path("notes.txt").write_text("")
    Path("items.csv.gz").write_text("")
    return tmp_path


@pytest.fixture
def completed(monkeypatch, capsys):
    """A function that returns the words that bash would be offered for a line."""

    def complete(line):
        monkeypatch.setenv("_COTFAITH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        with pytest.raises(SystemExit):
            click_command()(prog_name="cotfaith")
        said = capsys.readouterr()
        assert said.err == ""
        return set(said.out.split())

    return complete


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cotfaith sta", {"status"}),
        ("cotfaith organisms l", {"list"}),
        ("cotfaith run spec.yaml --max-h", {"--max-hours"}),
        ("cotfaith --install", {"--install-completion"}),
        ("cotfaith zzz", set()),
        ("cotfaith list p", {"probes"}),
        ("cotfaith status m", {"mine"}),
        ("cotfaith status r", {"runs/"}),
        ("cotfaith status runs/", {"runs/one"}),
        ("cotfaith run s", {"spec.yaml"}),
        ("cotfaith aggregate mine --model s", {"small"}),
        ("cotfaith aggregate mine --model small --task l", {"logic"}),
        ("cotfaith plan spec.yaml --model p", {"planned"}),
        ("cotfaith show mine --probe e", {"early_answering"}),
        ("cotfaith show mine --strategy c", {"cot"}),
        ("cotfaith show mine --status o", {"ok"}),
        ("cotfaith export mine --to p", {"parquet"}),
        ("cotfaith schema --ddl b", {"bigquery"}),
        ("cotfaith label mine --question p", {"present"}),
        ("cotfaith try organism:enc", {"organism:encoder"}),
        ("cotfaith try stub/x add", {"addition"}),
        ("cotfaith try stub/x it", {"items.csv.gz"}),
    ],
)
def test_words_are_completed(completed, line, words):
    assert completed(line) == words


def test_metrics_are_those_of_the_run(completed):
    import polars as pl

    pl.DataFrame({"metric": ["faithful", "accuracy", "accuracy"]}).write_parquet("mine/estimates.parquet")
    assert completed("cotfaith compare mine --metric a") == {"accuracy"}


DAMAGE = [
    "",
    "{",
    "[]",
    "null",
    '{"spec": 1}',
    '{"spec": {"models": 1}}',
    '{"spec": {"models": [{}]}}',
    "[" * 10**5,
    "\udcff",
]


@pytest.mark.parametrize("text", DAMAGE)
def test_a_damaged_run_gives_no_words(completed, text):
    Path("mine/run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    Path("mine/estimates.parquet").write_bytes(b"PAR1")
    for option in ("aggregate mine --model", "aggregate mine --task", "show mine --probe", "compare mine --metric"):
        assert completed(f"cotfaith {option} s") == set()


def test_names_that_could_steer_a_terminal_are_not_offered(completed):
    spec = SPEC | {"models": [{"id": "s\x1b[31m"}, {"id": "s\nrm"}, {"id": "safe"}]}
    Path("mine/run.json").write_text(json.dumps({"spec": spec}))
    Path("x\x1b[31m").mkdir()
    assert completed("cotfaith aggregate mine --model s") == {"safe"}
    assert completed("cotfaith status x") == set()


def test_a_run_elsewhere_is_not_asked(completed, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection"))
    assert completed("cotfaith aggregate s3://bucket/run --model s") == set()


def test_a_folder_that_is_not_there_or_large(completed, monkeypatch):
    assert completed("cotfaith status nowhere/x") == set()
    monkeypatch.setattr(completion, "_MOST", 3)
    for n in range(50):
        Path(f"many/run{n}").mkdir(parents=True)
    assert len(completed("cotfaith status many/")) == 3


HEAVY = ("torch", "ray", "transformers", "scipy", "boto3", "pyiceberg", "huggingface_hub", "vllm", "httpx2")
LOADED = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr))
{MAIN}
"""


@pytest.mark.parametrize("line", ["cotfaith aggregate mine --model s", "cotfaith try organism:"])
def test_nothing_heavy_is_loaded(line):
    environ = os.environ | {
        "_COTFAITH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = subprocess.run([sys.executable, "-c", LOADED], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.strip()
    assert done.stderr == "LOADED []\n"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The command as a program, which shells find."""
    path = tmp_path / "bin" / "cotfaith"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{MAIN}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return path


def script(shell):
    """What --show-completion prints in this shell."""
    environ = os.environ | {"_COTFAITH_COMPLETE": f"source_{shell}"}
    return subprocess.run(["cotfaith"], env=environ, capture_output=True, text=True, check=True).stdout


def asked(shell, *lines):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([program, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_takes_it(program):
    typed = "COMP_WORDS=(cotfaith aggregate mine --model s); COMP_CWORD=4"
    call = '_cotfaith_completion cotfaith; echo "${COMPREPLY[@]}"'
    assert asked("bash", script("bash"), typed, call) == ["small"]


def test_fish_takes_it(program):
    assert asked("fish", script("fish"), "complete -C 'cotfaith aggregate mine --model s'") == ["small"]


def test_zsh_takes_it(program):
    """A terminal, as a person has one: what is typed becomes a whole word."""
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    Path("completion.zsh").write_text(script("zsh"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(zsh, [zsh, "-f", "-i"])
    try:
        typed = "autoload -U compinit; compinit -u -D; source completion.zsh; print re''ady\n"
        assert said_after(terminal, typed, r"ready\r?\n") is not None
        assert said_after(terminal, "cotfaith aggregate mine --model s\t", r"--model small") is not None
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def said_after(terminal, typed, pattern):
    """Type into a terminal; return what it shows once that fits, or None after a minute without."""
    os.write(terminal, typed.encode())
    shown, until_s = "", time.monotonic() + 60
    while time.monotonic() < until_s:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode("utf-8", "replace")
        if re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)):
            return shown
    return None
