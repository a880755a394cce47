"""The S3 servers of these tests: each is started once, and found by the standard environment."""

import os

import pytest
from s3_servers import ministack as run_ministack
from s3_servers import rclone as run_rclone
from s3_servers import seaweedfs as run_seaweedfs


@pytest.fixture(scope="session")
def seaweed_server():
    with run_seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def ministack_server():
    with run_ministack() as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server():
    with run_rclone() as server:
        yield server


@pytest.fixture
def use(monkeypatch):
    """Return a function that makes a server, or a proxy before it, the one of the AWS environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)

    def using(server, proxy=None):
        endpoint = {} if proxy is None else {"AWS_ENDPOINT_URL_S3": proxy.endpoint}
        for name, value in (server.environment | endpoint).items():
            monkeypatch.setenv(name, value)
        return server

    return using


@pytest.fixture
def seaweed(seaweed_server, use):
    return use(seaweed_server)


@pytest.fixture
def ministack(ministack_server, use):
    return use(ministack_server)


@pytest.fixture
def rclone(rclone_server, use):
    return use(rclone_server)
