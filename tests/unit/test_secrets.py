"""Planted secrets: none is in a file of a run, a log, a report, an export or a message, whatever fails.

One whole run of stub models with every file that it can write, then calls that fail because of what holds a secret.
"""

import base64
import io
import json
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import yaml
from commands import in_process
from fake_server import Fake, serving
from iceberg_here import configure, on_disk
from planted import PASSWORD, PLANTED, SECRETS, found_in, texts
from runs_here import without_ray

from cotfaith.schemas.unshown import without_credentials

SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 2, "options": {"operands": [2], "choices": 4}}],
    "probes": ["no_cot", "early_answering"],
    "interventions": ["suggested_answer"],
    "output": {"path": "run"},
}
SERVED = {"id": "m", "engine": "openai", "source": "x"}
ADDRESSES = [
    f"https://user:{PASSWORD}@host/x",
    f"s3://user:{PASSWORD}@bucket/x",
    f"s3://{PLANTED['AWS_ACCESS_KEY_ID']}:{PASSWORD}@bucket/x",
    f"hf://user:{PASSWORD}@datasets/owner/name/x.json",
    f"https://bucket.s3.amazonaws.com/x?X-Amz-Signature={PASSWORD}",
    f"s3://bucket/x?X-Amz-Signature={PASSWORD}",
    f"ray://user:{PASSWORD}@host:1",
]


@pytest.fixture(autouse=True)
def planted(tmp_path, monkeypatch):
    """The environment holds the secrets; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


def write_spec(**changes):
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC | changes))


def check(done):
    assert found_in(done.stdout + done.stderr) == []
    return done


def test_the_search_finds_a_secret_in_every_kind_of_file():
    """A control: what the next test looks for would be seen."""
    secret = SECRETS[1]
    sink, arrow, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    table = pa.table({"a": [secret]})
    pq.write_table(table, sink, compression="zstd")
    with pa.ipc.new_file(arrow, table.schema) as writer:
        writer.write_table(table)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", sink.getvalue())
    plain, coded = secret.encode(), base64.b64encode(secret.encode())
    for data in (plain, coded, sink.getvalue(), arrow.getvalue(), packed.getvalue()):
        assert [secret] == list(dict.fromkeys(one for text in texts(data) for one in found_in(text)))


def catalog_on_disk(folder, monkeypatch):
    """Make ``here`` a SQL catalog whose configuration holds secrets; return whether that can be had."""
    if find_spec("pyiceberg") is None or find_spec("sqlalchemy") is None:
        return False
    (folder / "tables").mkdir()
    on_disk(monkeypatch, folder)
    configure(monkeypatch, s3__secret_access_key=PLANTED["AWS_SECRET_ACCESS_KEY"], token=PLANTED["TEST_SERVER_KEY"])
    return True


def test_no_file_or_message_of_a_whole_run_holds_a_secret(tmp_path, monkeypatch):
    """Slow: a run, and all commands that read it."""
    write_spec()
    commands = [
        ("plan", "spec.yaml", "--show-prompts"),
        ("run", "spec.yaml", "--log", "log.jsonl"),
        ("status", "run", "--json"),
        ("verify", "run"),
        ("aggregate", "run", "--details"),
        ("report", "run"),
        ("show", "run", "t-000000", "--full", "--prompt"),
        ("gate", "run"),
        ("export", "run", "--to", "inspect"),
        ("export", "run", "--to", "parquet"),
        *(
            [("export", "run", "--to", "iceberg", "--catalog", "here")]
            if catalog_on_disk(tmp_path, monkeypatch)
            else []
        ),
    ]
    for command in commands:
        done = check(in_process(*command))
        assert done.returncode in (0, 3, 4), done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert {".json", ".parquet", ".html", ".chains", ".observations", ".items", ".eval"} <= kinds
    assert (tmp_path / "warehouse" / "_manifests").is_dir()
    for path in files:
        assert {one for text in texts(path.read_bytes()) for one in found_in(text)} == set(), path


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "change",
    [
        lambda address: {"models": [{"id": "m", "source": address}]},
        lambda address: {"tasks": [{"name": "t", "file": address, "adapter": "gsm8k"}]},
        lambda address: {"output": {"path": address}},
        lambda address: {"resources": {"ray_address": address}},
        lambda address: {"models": [SERVED | {"options": {"base_url": address, "max_retries": 0}}]},
        lambda address: {"models": [SERVED | {"options": {"base_url": "http://h/v1", "api_key_env": address}}]},
        lambda address: {"output": address},
        lambda address: {"tasks": address},
        lambda address: {"models": [{"id": address, "engine": "stub"}]},
        lambda address: {"seed": address},
        lambda address: {"resources": {"replicas": address}},
        lambda address: {"plugins": [address]},
    ],
    ids=["source", "file", "output", "ray", "server", "key", "section", "tasks", "id", "seed", "replicas", "plugin"],
)
def test_an_address_that_holds_a_secret_is_refused_and_not_shown(change, address, tmp_path):
    write_spec(**change(address))
    done = check(in_process("plan", "spec.yaml"))
    assert done.returncode in (1, 2), done.stdout
    for path in tmp_path.rglob("*.json"):
        assert found_in(path.read_text()) == [], path


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("report",),
        ("plan",),
        ("check-store",),
        ("import", "--out", "x.jsonl"),
        ("import", "--paired", "--out", "x"),
        ("plan", "spec.yaml", "--set"),
        ("try", "stub"),
    ],
    ids=" ".join,
)
def test_commands_do_not_show_a_secret_in_an_address(command, address):
    write_spec()
    argument = f"output.path={address}" if command[-1] == "--set" else address
    assert check(in_process(*command, argument)).returncode in (1, 2)


@pytest.mark.parametrize("address", ADDRESSES[::3])
@pytest.mark.parametrize("name", ["COTFAITH_OUTPUT", "COTFAITH_RAY_ADDRESS", "AWS_ENDPOINT_URL_S3", "HF_ENDPOINT"])
def test_variables_that_hold_an_address_with_a_secret_are_not_shown(monkeypatch, name, address, tmp_path):
    monkeypatch.setenv(name, address)
    path = {"AWS_ENDPOINT_URL_S3": "s3://bucket/x"}.get(name, "run")
    write_spec(output={"path": path})
    check(in_process("plan", "spec.yaml"))
    check(in_process("run", "spec.yaml"))
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert {one for text in texts(file.read_bytes()) for one in found_in(text)} == set(), file


def test_a_server_that_echoes_the_key_and_one_that_fails():
    """The server refuses the key and repeats it; another one sends it back in an error that passes."""
    fake = Fake(key="another")
    with serving(fake) as url:
        options = {"base_url": url, "model": "tiny", "api_key_env": "TEST_SERVER_KEY", "max_retries": 0, "api": "chat"}
        write_spec(models=[SERVED | {"source": "tiny", "options": options}], interventions=[], probes=[])
        done = check(in_process("plan", "spec.yaml"))
        assert done.returncode == 2
        assert "TEST_SERVER_KEY" in done.stderr
        fake.key = PLANTED["TEST_SERVER_KEY"]
        echoed = {"error": {"message": f"bad: Bearer {fake.key} {json.dumps(fake.key)}"}}
        fake.plan = [(500, echoed, {}), (400, echoed, {})] * 20
        assert check(in_process("plan", "spec.yaml")).returncode in (1, 2)


@contextmanager
def echoing(status):
    """A catalog's server that refuses each request and repeats all that it was sent; yields its address."""

    class Echo(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            text = json.dumps({"error": {"message": f"{self.headers} {body}", "type": "Refused", "code": status}})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_HEAD = answer  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


NOWHERE = "http://127.0.0.1:9"
KEY, SECRET = PLANTED["AWS_ACCESS_KEY_ID"], PLANTED["AWS_SECRET_ACCESS_KEY"]


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "rest", "uri": NOWHERE, "token": PASSWORD},
        {"type": "rest", "uri": f"http://user:{PASSWORD}@127.0.0.1:9"},
        {"type": "rest", "uri": "ECHO", "token": PASSWORD},
        {"type": "rest", "uri": "ECHO", "credential": f"client:{SECRET}", "header__x_key": PASSWORD},
        {"type": "glue", "glue__endpoint": "ECHO", "glue__region": "x"}
        | {"glue__access_key_id": KEY, "glue__secret_access_key": SECRET, "glue__session_token": PASSWORD},
        {"type": "sql", "uri": f"postgresql://user:{PASSWORD}@127.0.0.1:9/x"},
        {"type": "sql", "uri": f"nosuch://user:{PASSWORD}@127.0.0.1:9/x"},
        {"type": PASSWORD, "token": PASSWORD},
    ],
    ids=["rest", "rest_user", "rest_echo", "rest_oauth", "glue_echo", "sql", "sql_dialect", "type"],
)
def test_a_catalog_that_fails_shows_no_secret_of_its_configuration(monkeypatch, tmp_path, properties):
    pytest.importorskip("pyiceberg", reason="pyiceberg is not installed: pip install 'pyiceberg[sql-sqlite]'")
    write_spec(probes=[], interventions=[])
    assert in_process("run", "spec.yaml").returncode == 0
    with echoing(400) as url:
        configure(monkeypatch, **{name: url if value == "ECHO" else value for name, value in properties.items()})
        done = check(in_process("export", "run", "--to", "iceberg", "--catalog", "here"))
    assert done.returncode in (1, 2)
    assert "--catalog 'here'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_configuration_that_cannot_be_read_is_not_quoted(monkeypatch, tmp_path):
    pytest.importorskip("pyiceberg", reason="pyiceberg is not installed: pip install 'pyiceberg[sql-sqlite]'")
    write_spec(probes=[], interventions=[])
    assert in_process("run", "spec.yaml").returncode == 0
    (tmp_path / ".pyiceberg.yaml").write_text(f"catalog:\n  here:\n    token: {PASSWORD}\n   secret: {PASSWORD}: x\n")
    monkeypatch.setenv("PYICEBERG_HOME", str(tmp_path))
    done = check(in_process("export", "run", "--to", "iceberg", "--catalog", "here"))
    assert (done.returncode, "cannot read its configuration" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://u:p@h/x.", "at https://***@h/x."),
        ("'s3://AKIA:a/b+c=@bucket'", "'s3://***@bucket'"),
        ("https://token@h", "https://***@h"),
        ("hf://datasets/owner/name@main/x", "hf://datasets/owner/name@main/x"),
        ("a user@host and http://h/v1?n=1", "a user@host and http://h/v1?n=1"),
        ("s3://b/x?n=1&X-Amz-Signature=ab&api_key=c d", "s3://b/x?n=1&X-Amz-Signature=***&api_key=*** d"),
    ],
)
def test_only_what_is_secret_in_an_address_is_hidden(text, shown):
    assert without_credentials(text) == shown
