"""One Ray for the tests that only need one; those that start their own have this one ended first."""

from contextlib import ExitStack

import pytest

from cotfaith.cluster.fleet.ray_session import ray_session
from cotfaith.schemas.spec import ResourceSpec

ACTORS = 4  # places for engines of one CPU, whatever this machine has


class HeldRay:
    """A local Ray of this process, up from its first use. Its workers are kept, with what they have imported."""

    def __init__(self):
        self.stack = ExitStack()

    def up(self):
        import ray

        if not ray.is_initialized():
            self.stack.enter_context(ray_session(ResourceSpec(cpus=1), actors=ACTORS))

    def down(self):
        self.stack.close()


@pytest.fixture(scope="session")
def held_ray():
    held = HeldRay()
    yield held
    held.down()


@pytest.fixture(scope="module")
def shared_ray(held_ray):
    """Commands and drivers of this process find a Ray that is up."""
    held_ray.up()


@pytest.fixture(scope="module")
def no_ray(held_ray):
    """This process has no Ray."""
    held_ray.down()
