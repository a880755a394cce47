"""Engines that do not come up, tested without a running Ray."""

import re

from ray.exceptions import OutOfMemoryError

from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, Setup, Share
from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.ray_backend import RayBackend
from cotfaith.schemas.spec import ModelSpec

TEXT = "1 worker(s) were killed due to the node running low on memory.\nTop 10 memory users: ...\nRefer to the docs."


def test_an_engine_that_is_killed_for_memory_while_it_loads_is_given_up_with_the_reason(monkeypatch):
    deployment, backend = Deployment(SUBJECT, "m"), RayBackend()
    monkeypatch.setattr(backend, "node_of", lambda _: None)
    pool = EnginePool(backend, {"m": Setup(ModelSpec(id="m", engine="stub"), Share(1, 1))}, print)
    monkeypatch.setattr(backend, "start_engine", lambda *_: None)
    pool.open(deployment, 1)
    (replica,) = pool.replicas()
    pool.replace(replica, OutOfMemoryError(TEXT))
    assert re.search(
        r"model 'm' cannot be kept up: 1 worker\(s\) were killed .* low on memory", pool.given_up.reasons[deployment]
    )
    assert pool.replicas() == []
