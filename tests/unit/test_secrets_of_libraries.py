"""Libraries that tell all they know when they fail: nothing of it is printed, logged or kept.

Each layer is made to fail with a text that holds every planted secret, as an environment variable has it, in an
address, in base64 and in a URL.
"""

import http.server
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from commands import as_process, in_process
from fake_server import Fake, serving
from planted import LEAKY, PLANTED, SECRETS, found_in, leaks_of
from runs_here import without_ray

from cotfaith.cluster.fleet.error_text import first_line
from cotfaith.schemas.errors import CotfaithError
from cotfaith.schemas.unshown import without_credentials
from cotfaith.workers.log_lines import log_line
from cotfaith.workers.probes import PROBES

SPEC = {
    "models": [{"id": "m", "engine": "stub"}],
    "tasks": [{"name": "t", "generator": "addition", "n": 2, "options": {"operands": [2], "choices": 4}}],
    "probes": ["no_cot"],
    "output": {"path": "run"},
}


@pytest.fixture(autouse=True)
def planted(tmp_path, monkeypatch):
    """The environment holds the secrets; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


def write_spec(**changes):
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC | changes))


def check(done):
    assert found_in(done.stdout + done.stderr) == []
    return done


def test_the_text_holds_every_secret_and_its_mask_none():
    assert set(found_in(LEAKY)) == set(SECRETS)
    assert found_in(without_credentials(LEAKY)) == []


def test_errors_and_logs_hold_none_from_the_beginning():
    assert found_in(str(CotfaithError(LEAKY))) == []
    assert found_in(log_line("info", "job_failed", {"error": LEAKY})) == []
    assert found_in(first_line(ValueError(LEAKY))) == []


def test_words_of_a_message_stay():
    """Short values, and variables that name no secret, are no secrets."""
    environ = {
        "SOME_KEY": "model",
        "HOME": "/home/somebody",
        "MY_TOKEN": "longer-than-a-word",
        "KEYBOARD": "qwertzuiop",
    }
    text = "the model of /home/somebody said longer-than-a-word to qwertzuiop; sk-1, hf_x and Bearer of news"
    wanted = "the model of /home/somebody said *** to qwertzuiop; sk-1, hf_x and Bearer of news"
    assert without_credentials(text, environ) == wanted


def test_what_looks_like_a_key_is_masked_without_the_environment():
    for key in ("AKIAIOSFODNN7EXAMPLE", "sk-proj-abcdefghijklmnop", "hf_abcdefghijklmnop"):
        assert without_credentials(f"with {key}.", {}) == "with ***."
    assert without_credentials("Authorization: Bearer abc.def-ghi", {}) == "Authorization: Bearer ***"


@contextmanager
def telling_server(status, body):
    """A server that answers every request with ``body``, and with the request's own headers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            data = (body + f"<!-- {self.headers} -->").encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 named by http.server

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "code", ["AccessDenied", "NoSuchBucket", "InvalidAccessKeyId", "KMS.Disabled", "InvalidRequest"]
)
@pytest.mark.parametrize(
    "command", [("status", "s3://bucket/x"), ("plan", "spec.yaml"), ("check-store", "s3://bucket/x")]
)
def test_object_storage_that_echoes(monkeypatch, code, command):
    body = f"<Error><Code>{code}</Code><Message>{LEAKY.replace('&', '&amp;')}</Message></Error>"
    write_spec(output={"path": "s3://bucket/x"})
    with telling_server(403, body) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert check(in_process(*command)).returncode in (1, 2)


@pytest.mark.parametrize("kind", ["LocalEntryNotFoundError", "OfflineModeIsEnabled", "HFValidationError", "transport"])
def test_the_hub_that_tells(kind):
    from huggingface_hub import errors

    from cotfaith.workers.remote.address import HubAddress
    from cotfaith.workers.remote.hub_errors import hub_errors, transport_error

    raised = transport_error() if kind == "transport" else getattr(errors, kind)
    with pytest.raises(CotfaithError) as caught, hub_errors(HubAddress("owner/name", None, "x"), "task 't'"):
        raise raised(LEAKY)
    assert found_in(str(caught.value)) == []


def test_a_server_of_models_that_tells_the_keys_of_others():
    fake = Fake(key=PLANTED["TEST_SERVER_KEY"])
    with serving(fake) as url:
        options = {"base_url": url, "model": "tiny", "api_key_env": "TEST_SERVER_KEY", "max_retries": 0, "api": "chat"}
        write_spec(models=[{"id": "m", "engine": "openai", "source": "tiny", "options": options}], probes=[])
        fake.plan = [(400, {"error": {"message": LEAKY}}, {})] * 20
        assert check(in_process("plan", "spec.yaml")).returncode in (1, 2)


@pytest.mark.parametrize("kind", ["rest", "sql"])
def test_a_catalog_that_cannot_be_opened(monkeypatch, kind):
    pytest.importorskip("pyiceberg", reason="pyiceberg is not installed (the extra `iceberg`)")
    pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed (the extra `iceberg`)")
    from cotfaith.cluster.export.catalogs import load_catalog

    uri = {"rest": "http://user:{}@127.0.0.1:9/x?token={}", "sql": "nosuch://user:{}@127.0.0.1:9/x"}[kind]
    monkeypatch.setenv("PYICEBERG_CATALOG__PLANTED__TYPE", kind)
    monkeypatch.setenv("PYICEBERG_CATALOG__PLANTED__URI", uri.replace("{}", SECRETS[-1]))
    with pytest.raises(CotfaithError) as caught:
        load_catalog("planted")
    assert found_in(str(caught.value)) == []
    assert "planted" in str(caught.value), "the catalog's name"


PLUGIN = f"""
import dataclasses
from cotfaith.workers.probes import PROBES
from cotfaith.workers.registry import register
def run(chain, ask, options):
    '''Ask nothing.'''
    raise ValueError({LEAKY!r})
    yield []
register(dataclasses.replace(PROBES["no_cot"], name="telling", run=run))
"""


def test_a_probe_that_tells_gives_failed_rows_without_secrets(monkeypatch, tmp_path):
    without_ray(monkeypatch)
    monkeypatch.setattr(PROBES, "things", dict(PROBES.things))
    sys.modules.pop("telling_plugin", None)
    Path("telling_plugin.py").write_text(PLUGIN)
    write_spec(probes=["telling"], plugins=["telling_plugin"])
    done = check(in_process("run", "spec.yaml", "--log", "log.jsonl"))
    assert done.returncode == 1, "its rows failed"
    for command in (
        ("status", "run"),
        ("status", "run", "--json"),
        ("show", "run", "t-000000", "--full"),
        ("report", "run"),
    ):
        check(in_process(*command, *(["--plugin", "telling_plugin"] if command[0] == "report" else [])))
    Path("telling_plugin.py").unlink()
    found = leaks_of(tmp_path)
    assert {path: secrets for path, secrets in found.items() if "__pycache__" not in path.parts} == {}


CRASH = f"""
from cotfaith.cluster.cli import app
def crash(): raise RuntimeError({LEAKY!r})
app.app.command("crash")(crash)
app.main()
"""


def test_a_traceback_of_ours_holds_none():
    done = as_process("crash", code=CRASH)
    assert done.returncode == 1
    assert "RuntimeError: ***" in done.stderr
    shown = "\n".join(line for line in done.stderr.splitlines() if "def crash" not in line)
    assert found_in(shown) == []
