"""Clouds' preemption notices, from fake metadata servers, without Ray."""

import threading
import time

import pytest
from commands import in_process
from fake_metadata import ACTION, metadata_server
from ray.exceptions import RpcError

from cotfaith.cluster.fleet import drain, spot_notice
from cotfaith.cluster.fleet.spot_notice import Notice, source, wait_for_notice
from cotfaith.schemas.errors import RunFailedError, SpecError

ENDS = "2030-01-01T00:02:00Z"
ENDS_S = 1893456120.0


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(spot_notice, "TIMEOUT_S", 0.3)
    with metadata_server() as fake:
        yield fake


def waiting(server, cloud, said):
    """Return the notice; the source asks without a pause."""
    notices = source(cloud, server.url, said.append)
    notices.pause_s = 0.01
    return wait_for_notice(notices, said.append)


def after(seconds, action):
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


def test_aws_says_when_the_instance_ends(server):
    said = []
    after(0.2, lambda: setattr(server, "ends", ENDS))
    notice = waiting(server, "aws", said)
    assert notice == Notice(ENDS_S, f"AWS will terminate this instance at {ENDS}")
    assert said == []
    assert server.tokens == 1  # one token serves many questions
    assert server.seen.count(("GET", ACTION)) > 1


def test_a_rebalance_recommendation_is_said_once_and_drains_nothing(server):
    server.rebalance, said = True, []
    after(0.3, lambda: setattr(server, "ends", ENDS))
    waiting(server, "aws", said)
    assert [line for line in said if "rebalance" in line] == said
    assert len(said) == 1


def test_an_aws_token_that_expires_is_renewed(server):
    said = []

    def expire():
        server.tokens += 1
        server.ends = ENDS

    after(0.2, expire)
    assert waiting(server, "aws", said).ends_s == ENDS_S
    assert server.tokens == 3


@pytest.mark.parametrize("trouble", [500, 404, 403, 0.6, (302, {"Location": "/latest/elsewhere"})])
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_server_in_trouble_is_asked_again_and_redirects_are_not_followed(server, cloud, trouble):
    server.troubles, said = [trouble] * 2, []
    server.ends = ENDS
    server.preempted.set()
    assert waiting(server, cloud, said).reason
    assert len(said) == 1
    assert said[0].endswith("Trying again.")
    assert not [path for _, path in server.seen if "elsewhere" in path]


def test_a_server_that_is_down_is_waited_for(server, monkeypatch):
    said, notices = [], None
    down = "http://127.0.0.1:9"
    notices = source("gcp", down, said.append)
    notices.pause_s = 0.01
    after(0.2, lambda: (server.preempted.set(), setattr(notices, "server", spot_notice.Server(server.url))))
    assert wait_for_notice(notices, said.append)
    assert len(said) == 1
    assert f"no answer from {down}" in said[0]


def test_proxies_of_the_environment_are_not_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    server.ends = ENDS
    assert waiting(server, "aws", []).ends_s == ENDS_S


def test_gcp_s_server_holds_the_question_until_there_is_news(server):
    monitored = []
    after(0.5, server.preempted.set)
    began = time.time()
    notice = waiting(server, "gcp", monitored)
    assert began + 30 <= notice.ends_s <= time.time() + 30
    assert monitored == []
    asked = [path for _, path in server.seen]
    assert asked[0] == "/computeMetadata/v1/instance/preempted"
    assert asked[1].endswith("?wait_for_change=true&timeout_sec=60&last_etag=e0")
    assert len(asked) == 2


def test_another_server_is_not_taken_for_gcp_s(server):
    server.troubles = [(200, {})]
    server.preempted.set()
    said = []
    assert waiting(server, "gcp", said)
    assert "not as GCP's metadata server" in said[0]


def test_an_action_that_cannot_be_read_is_no_notice(server):
    said = []
    server.ends = "soon"
    after(0.2, lambda: setattr(server, "ends", ENDS))
    assert waiting(server, "aws", said).ends_s == ENDS_S
    assert "cannot be read" in said[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cloud", "azure"], "--cloud: got 'azure', expected one of: aws, gcp."),
        (["--cloud", "aws", "--metadata-url", "https://host"], "--metadata-url: got 'https://host', expected http://"),
        (["--cloud", "aws", "--metadata-url", "http://u:p@host"], "--metadata-url: got"),
    ],
)
def test_bad_options_are_refused(options, words):
    done = in_process("watch-preemption", *options)
    assert done.returncode == 2
    assert words in done.stderr


def test_the_command_drains_once_and_ends(server, monkeypatch):
    drained = []
    monkeypatch.setattr(drain, "_drain", lambda address, node, notice: drained.append((address, node)) or "abc")
    server.ends = ENDS
    done = in_process("watch-preemption", "--cloud", "aws", "--metadata-url", server.url, "--address", "h:1")
    assert done.returncode == 0, done.stderr
    assert drained == [("h:1", None)]
    assert "AWS will terminate" in done.stdout
    assert "Node abc drains." in done.stdout


def test_a_cluster_that_does_not_answer_is_asked_again_until_the_deadline(monkeypatch):
    monkeypatch.setattr(drain, "_AGAIN_S", 0.01)
    said = []
    with pytest.raises(RunFailedError, match=r"The node was not drained in time: .*refused"):
        drain.drain("127.0.0.1:9", "ab", Notice(time.time() + 0.3, "x"), said.append)
    assert len(said) == 1


def test_addresses_are_checked_before_anything_is_asked():
    with pytest.raises(SpecError):
        source("gcp", "http://host/path", print)


@pytest.mark.parametrize("error", [RpcError("busy", rpc_code=14), RuntimeError("refused"), ConnectionRefusedError()])
def test_a_drain_that_fails_is_tried_again(monkeypatch, error):
    monkeypatch.setattr(drain, "_AGAIN_S", 0.0)
    answers, said = [error, "node"], []

    def answer(*_):
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(drain, "_drain", answer)
    assert drain.drain(None, None, Notice(time.time() + 60, "x"), said.append) == "node"
    assert len(said) == 1
