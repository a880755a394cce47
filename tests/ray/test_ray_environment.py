"""The spec, not the environment, says which Ray to use; the variables are restored afterwards."""

import os
import socket
import sys
import time

import pytest
import ray
from ray._private import ray_constants

from cotfaith.cluster.fleet.ray_session import ray_session

pytestmark = pytest.mark.usefixtures("no_ray")
ELSEWHERE = {
    "RAY_ADDRESS": "127.0.0.1:6399",  # nothing listens there
    "RAY_NAMESPACE": "somebody-elses",
    "RAY_RUNTIME_ENV_HOOK": "no.such.module.hook",
    "RAY_JOB_CONFIG_JSON_ENV_VAR": '{"runtime_env": {"working_dir": "/nowhere"}, "metadata": {"job_name": "x"}}',
    "RAY_OVERRIDE_RESOURCES": '{"CPU": 0}',
    "RAY_REDIS_ADDRESS": "127.0.0.1:6398",
}


def seen():
    return {name: value for name, value in os.environ.items() if name in ELSEWHERE}


def test_a_private_ray_whatever_the_environment_says(monkeypatch):
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    for mode in (None, "token"):  # a process may do several runs, and set variables between them
        if mode is not None:
            monkeypatch.setenv("RAY_AUTH_MODE", mode)
        before = dict(os.environ)
        with ray_session(None, cpus=1):
            address = ray.get_runtime_context().gcs_address
            assert address.startswith("127.0.0.1:")
            assert address != ELSEWHERE["RAY_ADDRESS"]
            assert ray.get(ray.remote(seen).options(num_cpus=1).remote(), timeout=120) == {}
        assert dict(os.environ) == before
        assert not ray.is_initialized()


def test_an_address_in_the_spec_is_joined_whatever_the_environment_says(monkeypatch):
    with ray_session(None, cpus=1):
        address = ray.get_runtime_context().gcs_address
        monkeypatch.setenv("RAY_ADDRESS", ELSEWHERE["RAY_ADDRESS"])
        with ray_session(address):
            assert ray.get_runtime_context().gcs_address == address


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc, which only Linux has")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_process_that_had_a_private_ray_joins_a_cluster_on_loopback(tmp_path, monkeypatch, host):
    """The cluster has no token, and the private Ray had one; this process would not use loopback by itself."""
    from ray_nodes import cluster  # here, because workers import this file and do not find that one

    class Counter:
        def __init__(self):
            self.count = 0

        def add(self):
            self.count += 1
            return self.count

    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", True)
    with ray_session(None, cpus=1):
        assert ray.get(ray.remote(lambda: 1).options(num_cpus=0).remote()) == 1
    with cluster(tmp_path) as nodes:
        address = nodes.address.replace("127.0.0.1", host)
        with ray_session(address):
            actor = ray.remote(Counter).options(num_cpus=0).remote()
            assert ray.get(actor.add.remote(), timeout=60) == 1
            time.sleep(1)  # until the cluster has looked whether this process is there
            assert ray.get(actor.add.remote(), timeout=60) == 2


def test_an_http_address_in_the_environment_is_not_asked(monkeypatch):
    """The dashboard's address, which clients of `ray job` use, is not the address of a cluster."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"http://127.0.0.1:{listening.getsockname()[1]}")
        with ray_session(None, cpus=1):
            assert ray.cluster_resources()["CPU"] >= 1


@pytest.mark.parametrize("value", ["auto", "", "ray://127.0.0.1:1", "nonsense"])
def test_other_words_in_the_environment(monkeypatch, value):
    told = []
    monkeypatch.setenv("RAY_ADDRESS", value)
    monkeypatch.setattr("ray.init", lambda *args, **_: told.append((args, os.environ.get("RAY_ADDRESS"))))
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.shutdown", lambda: None)
    with ray_session(None, cpus=1):
        pass
    assert told == [(("local",), None)]
    assert os.environ["RAY_ADDRESS"] == value
