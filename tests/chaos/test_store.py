"""An object store that answers badly, on a real server: errors, resets, delays, restarts, expired credentials.

Everything goes through a proxy on loopback that disturbs calls by seeded draws. Ray's processes read the credentials
from the environment that they are started in, so this module has a Ray of its own.
"""

import os
import random
import time
from threading import Event, Thread
from unittest import mock

import pytest
from chaos import is_of_one, n_commits, run, spec, spec_of_one, started, to_the_end, wait_for
from faulty_proxy import faulty_proxy
from s3_servers import seaweedfs

SECONDS_PER_CALL = 0.03
SHARE = 0.2
DOWN_S = 3


@pytest.fixture(scope="module")
def server():
    with seaweedfs() as found:
        yield found


@pytest.fixture(scope="module")
def proxy(server):
    """A proxy before the server, and the environment of whoever shall go through it."""
    with (
        faulty_proxy(server.port, seed=1) as found,
        mock.patch.dict(os.environ, {**server.environment, "AWS_ENDPOINT_URL_S3": found.endpoint}),
    ):
        yield found


@pytest.fixture(scope="module")
def s3_ray(held_ray, reference, proxy):
    """This process's Ray, begun again with the store's environment."""
    held_ray.down()
    held_ray.up()
    yield
    held_ray.down()


@pytest.fixture
def undisturbed(proxy):
    """What the tests read of the store themselves goes through untouched; nothing that a test set outlives it."""

    def restore():
        proxy.share = 0.0
        proxy.expired.clear()

    yield restore
    restore()


@pytest.mark.usefixtures("s3_ray")
def test_all_of_it_in_one_run(check, server, proxy, undisturbed):
    """The short form: calls fail, then all credentials have expired, then the server is killed and comes back."""
    path = server.url("all")

    def begin():
        proxy.expired.add("*")
        time.sleep(1)
        proxy.expired.clear()
        server.kill()

    proxy.done.clear()
    proxy.share = SHARE
    with midway(path, begin, server.start):
        run(spec_of_one(path, SECONDS_PER_CALL))
    undisturbed()
    assert proxy.done["ExpiredToken"] > 0
    assert len(proxy.done) > 3
    check("the store's calls fail, credentials expire, it is killed", path, proxy.done.total() + 1, is_of_one)


@pytest.mark.chaos
@pytest.mark.usefixtures("s3_ray")
def test_calls_that_fail(check, server, proxy, undisturbed):
    """A fifth of all calls: 500, 503, connections reset before and after the work, cut bodies, delays."""
    path = server.url("faults")
    proxy.done.clear()
    proxy.share = SHARE
    run(spec(path))
    undisturbed()
    assert proxy.done.total() > 10
    assert len(proxy.done) > 3
    check("a fifth of the store's calls fail", path, tried=proxy.done.total())


@pytest.mark.chaos
@pytest.mark.usefixtures("s3_ray")
def test_credentials_that_expire(check, server, proxy, undisturbed):
    path = server.url("expired")
    with midway(path, lambda: proxy.expired.add("*"), undisturbed):
        run(spec(path, SECONDS_PER_CALL))
    check("credentials expire in mid-run, and are renewed", path)


@pytest.mark.chaos
@pytest.mark.usefixtures("s3_ray")
def test_a_server_that_is_killed_and_comes_back(check, server, proxy, undisturbed):
    path = server.url("restarted")
    with midway(path, server.kill, server.start):
        run(spec(path, SECONDS_PER_CALL))
    check("the store killed, and started again", path)


class midway(Thread):  # noqa: N801
    """While the context runs, wait for some commits, do ``begin``, and ``end`` it after ``DOWN_S``."""

    def __init__(self, path, begin, end):
        super().__init__(daemon=True)
        self.path, self.begin, self.end, self.done = path, begin, end, Event()

    def run(self):
        wait_for(lambda: n_commits(self.path) >= 2)
        self.begin()
        time.sleep(DOWN_S)
        self.end()
        self.done.set()

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.join(60)
        assert self.done.is_set(), "the run was over before the fault"


@pytest.mark.chaos
def test_ten_kills_of_the_driver(check, server, proxy, undisturbed, tmp_path):
    """At random moments, on a store that fails a tenth of the time."""
    path, draw, seen = server.url("kills"), random.Random("kills on s3"), []
    for turn in range(10):
        with started(tmp_path, spec(path, 7 * SECONDS_PER_CALL)) as tree:
            before = n_commits(path)
            proxy.share = SHARE / 2
            if turn % 2:
                wait_for(lambda before=before: n_commits(path) > before, tree)
            end = time.monotonic() + draw.uniform(0, 3 if turn % 2 else 10)
            while time.monotonic() < end:
                assert tree.runs(), f"the run ended before it could be killed: {tree.text()}"
                time.sleep(0.02)
            tree.kill()
            assert tree.gone(), f"the dead driver's Ray is left: {tree.all()}"
            undisturbed()
            seen.append(n_commits(path) - before)
    print(f"Commits made before each kill: {seen}")
    code, said = to_the_end(tmp_path, spec(path))
    assert code == 0, said
    check("kill -9 of the driver, on S3", path, tried=10)


@pytest.mark.chaos
def test_a_server_that_is_killed_again_and_again(check, server, proxy, undisturbed, tmp_path):
    path, draw = server.url("again"), random.Random("restarts")
    proxy.share = SHARE / 2
    with started(tmp_path, spec(path, 10 * SECONDS_PER_CALL)) as tree:
        for _ in range(5):
            before = n_commits(path)
            wait_for(lambda before=before: n_commits(path) > before, tree)
            server.kill()
            time.sleep(draw.uniform(0.5, 8))
            server.start()
        code = tree.wait(300)
        assert code == 0, tree.text()
    undisturbed()
    check("the store killed, and started again", path, tried=5)
