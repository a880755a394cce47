"""Engine actors at their posts: started, replaced when lost, ended. Knows nothing about jobs.

A subject's or reader's post has as many actors as the spec's replicas. A helper's post (an editor or embedder model)
has one, which serves all subjects; its place in the cluster is reserved as long as the post lasts, so that a subject's
actor that waits for room cannot take it when a helper is lost: the two would wait for each other for ever.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cotfaith.cluster.fleet.ray_session import Share
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.spec import ModelSpec, ResourceSpec
from cotfaith.workers.actor.remote import EngineActor, RemoteEngine
from cotfaith.workers.engines.protocol import Capabilities

SUBJECT = "subject"
_MAX_DEATHS = 3  # in a row, without a finished job between them


class Post(NamedTuple):
    """What a model is there for."""

    role: str
    model: str


@dataclass(eq=False)
class Engine:
    """One engine actor, as the driver sees it."""

    name: str
    post: Post
    actor: Any
    ready: Any
    """Reference to its description; resolved once the weights are loaded."""
    capabilities: Capabilities | None = None
    busy: int = 0
    """Jobs that it answers in."""
    reserved: bool = False
    """Whether the job that it answers in is to have no other beside it."""

    def remote(self) -> RemoteEngine:
        """Return its stand-in for a shard task."""
        assert self.capabilities is not None, "only engines that are up get jobs"
        return RemoteEngine(self.actor, self.capabilities)


@dataclass
class EnginePool:
    """All actors of a run."""

    resources: ResourceSpec
    share: Share
    models: Mapping[str, ModelSpec]
    say: Callable[[str], None]
    plugins: Sequence[str] = ()
    """Modules that an engine actor imports first."""
    posts: dict[Post, list[Engine]] = field(default_factory=dict)
    _places: dict[Post, Any] = field(default_factory=dict)
    """Helper's post -> placement group."""
    _deaths: dict[Post, int] = field(default_factory=dict)
    _started: int = 0
    _said: set[str] = field(default_factory=set)

    def open(self, post: Post, count: int) -> None:
        """Ask for ``count`` actors; those that get a place come up by themselves."""
        asked = {"CPU": self.share.cpus, "GPU": self.resources.gpus}
        if post.role != SUBJECT and any(asked.values()):
            self._places[post] = placement_group([{name: n for name, n in asked.items() if n}])
        self.posts[post] = [self._start(post) for _ in range(count)]

    def _start(self, post: Post) -> Engine:
        options: dict[str, Any] = {
            "num_cpus": self.share.cpus,
            "num_gpus": self.resources.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        if post in self._places:
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(self._places[post])
        actor_class: Any = ray.remote(EngineActor)
        actor = actor_class.options(**options).remote(self.models[post.model], self.share.threads, self.plugins)
        self._started += 1
        return Engine(f"{post.model}#{self._started}", post, actor, actor.describe.remote())

    def has_places(self) -> bool:
        """Return whether every helper's place is reserved, so that nobody else can take it."""
        return all(place.wait(0) for place in self._places.values())

    def up(self, post: Post) -> list[Engine]:
        """Return the post's actors whose weights are loaded."""
        return [engine for engine in self.posts.get(post, []) if engine.capabilities is not None]

    def all_up(self) -> Iterator[Engine]:
        """Yield every actor whose weights are loaded."""
        for post in self.posts:
            yield from self.up(post)

    def loading(self) -> dict[Any, Engine]:
        """Return the actors that are not up, by the reference that resolves when they are."""
        return {e.ready: e for engines in self.posts.values() for e in engines if e.capabilities is None}

    def welcome(self, engine: Engine) -> None:
        """Take in an actor whose ``ready`` is resolved; say what its engine has to say, once a model."""
        try:
            engine.capabilities, notes = ray.get(engine.ready)
        except (RayActorError, OutOfMemoryError) as error:
            self.replace(engine, error)
            return
        for line in (f"{engine.post.model}: {note}" for note in notes):
            if line not in self._said:
                self._said.add(line)
                self.say(line)

    def has(self, engine: Engine) -> bool:
        """Return whether nobody has reported its loss yet."""
        return engine in self.posts.get(engine.post, [])

    def replace(self, engine: Engine, error: Exception) -> None:
        """Start another in the place of a lost actor, unless that was done.

        Raises:
            RunFailedError: it never came up, or too many were lost one after another.

        """
        if not self.has(engine):
            return
        self.posts[engine.post].remove(engine)
        self._deaths[engine.post] = self._deaths.get(engine.post, 0) + 1
        limit = _MAX_DEATHS * self.resources.replicas + self.resources.attempts
        if engine.capabilities is None or self._deaths[engine.post] > limit:
            # Ray's text on memory begins with what happened and ends with advice; others end with the cause.
            reason = first_line(error, last=not isinstance(error, OutOfMemoryError))
            raise RunFailedError(f"The engine of model {engine.post.model!r} cannot be kept up: {reason}")
        self.posts[engine.post].append(self._start(engine.post))

    def praise(self, posts: Iterable[Post]) -> None:
        """Note that a job came to its end with these."""
        self._deaths |= dict.fromkeys(posts, 0)

    def close(self, post: Post) -> None:
        """End the post's actors and give its place back."""
        for engine in self.posts.pop(post, []):
            ray.kill(engine.actor)
        if post in self._places:
            remove_placement_group(self._places.pop(post))

    def close_all(self) -> None:
        """End all."""
        for post in list(self.posts):
            self.close(post)

    def waiting(self) -> str:
        """Say which posts have nobody up, what an actor asks for, and what the cluster has."""
        missing = ", ".join(f"{post.role} {post.model}" for post in self.posts if not self.up(post))
        cluster: Any = ray
        has, free = cluster.cluster_resources(), cluster.available_resources()
        asked = {name: n for name, n in (("CPU", self.share.cpus), ("GPU", self.resources.gpus)) if n}
        counts = [f"{n:g} of {has.get(name, 0):g} {name}s ({free.get(name, 0):g} free)" for name, n in asked.items()]
        return f"Not up: {missing}. Each engine asks for {' and '.join(counts) or 'no resources'}."


def first_line(error: Exception, last: bool = False) -> str:
    """Return the first (or last) line of an error's text."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[-1] if last else lines[0]) if lines else type(cause).__name__
