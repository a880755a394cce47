"""Engines that do not come up, tested without a running Ray."""

import pytest
from ray.exceptions import OutOfMemoryError

from cotfaith.cluster.fleet import engine_pool
from cotfaith.cluster.fleet.engine_pool import EnginePool
from cotfaith.cluster.fleet.ray_session import Share
from cotfaith.cluster.fleet.replica import SUBJECT, Deployment, Replica
from cotfaith.cluster.fleet.starter import Starter
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.spec import ModelSpec, ResourceSpec

TEXT = "1 worker(s) were killed due to the node running low on memory.\nTop 10 memory users: ...\nRefer to the docs."


def test_an_engine_that_is_killed_for_memory_while_it_loads_ends_the_run_with_the_reason(monkeypatch):
    def killed(_):
        raise OutOfMemoryError(TEXT)

    monkeypatch.setattr(engine_pool.ray, "get", killed)
    deployment = Deployment(SUBJECT, "m")
    pool = EnginePool(Starter(ResourceSpec(), Share(1, 1), {"m": ModelSpec(id="m", engine="stub")}), print)
    replica = Replica("m#1", deployment, actor=None, ready=None)
    pool.deployments[deployment] = [replica]
    with pytest.raises(
        RunFailedError, match=r"model 'm' cannot be kept up: 1 worker\(s\) were killed .* low on memory"
    ):
        pool.mark_ready(replica)
