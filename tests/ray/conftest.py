"""One Ray that tests share; it ends before a test that starts a Ray of its own."""

from contextlib import ExitStack

import pytest

from cotfaith.cluster.fleet.ray_session import ray_session
from cotfaith.schemas.spec import ResourceSpec

ACTORS = 4  # places for engines of one CPU, on any machine


class HeldRay:
    """A local Ray of this process, started at its first use. Its workers stay, with the modules they have imported."""

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
    """Commands and drivers of this process find a running Ray."""
    held_ray.up()


@pytest.fixture(scope="module")
def no_ray(held_ray):
    """This process has no Ray."""
    held_ray.down()
