"""Ray, started for one run on this machine's loopback, or joined at an address."""

import logging
import math
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cotfaith.schemas.errors import RunFailedError, SpecError
from cotfaith.schemas.spec import ResourceSpec

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_open_telemetry": "0",
    "RAY_event_stats": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only, for the processes that Ray starts
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # else any other process starves the engines
    "RAY_idle_worker_killing_time_threshold_ms": "600000",  # a new worker imports for seconds; keep the old ones
    "TOKENIZERS_PARALLELISM": "false",
}
_ELSEWHERE = (
    "RAY_ADDRESS",  # a cluster that is up; so is "auto", which ray.init looks for where no address is given
    "RAY_NAMESPACE",
    "RAY_REDIS_ADDRESS",
    "RAY_RUNTIME_ENV",
    "RAY_RUNTIME_ENV_HOOK",
    "RAY_OVERRIDE_JOB_RUNTIME_ENV",
    "RAY_JOB_CONFIG_JSON_ENV_VAR",  # what `ray job submit` tells a driver on its cluster
    "RAY_OVERRIDE_RESOURCES",
    "RAY_OVERRIDE_LABELS",
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING",
    "RAY_JOB_ID",
    "RAY_RAYLET_PID",
)
"""About another Ray than the private one, which the spec asks for; its own processes must not see them."""
_TOUCHED = {*_QUIET, "PYTHONBREAKPOINT"}
"""What we set, and what Ray sets beside variables of its own name."""
_LOCAL = "local"  # Ray's word for a new one here, whatever the environment and /tmp/ray say
_OBJECT_STORE_BYTES = 160 * 1024 * 1024


def local_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Share:
    """What one engine actor gets."""

    cpus: float
    threads: int
    """Of torch."""


def engine_share(resources: ResourceSpec, actors: int) -> Share:
    """Return the share of each of ``actors`` engine actors: on this machine, by default, an equal part of the cores."""
    cpus = resources.cpus
    if cpus is None:
        cpus = 1 if resources.ray_address else max(1, local_cores() // actors)
    return Share(cpus, resources.threads or max(1, int(cpus)))


@contextmanager
def ray_session(resources: ResourceSpec, actors: int) -> Iterator[None]:
    """Hold a connection to Ray with room for ``actors`` engine actors at a time, if it is started here.

    A local Ray ends with the context; a session that is already there is left alone. The spec says which Ray:
    variables such as RAY_ADDRESS count where ``resources.ray_address`` is "auto". The environment is then as before.

    Raises:
        SpecError: nothing answers at ``resources.ray_address``.
        RunFailedError: Ray could not be started here.

    """
    with _environment(() if resources.ray_address else _ELSEWHERE):
        import ray

        if ray.is_initialized():
            yield
            return
        with _signals_kept(), _loopback(resources.ray_address is None):
            if resources.ray_address is not None:
                _join(resources.ray_address)
            else:
                _start(max(local_cores(), math.ceil(actors * engine_share(resources, actors).cpus)))
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _environment(left_out: Sequence[str]) -> Iterator[None]:
    """Quieten Ray and hide ``left_out`` from it: its processes get the variables that are set when it starts."""
    before = _ray_variables()
    for name in left_out:
        os.environ.pop(name, None)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name in _ray_variables():  # Ray sets some itself, such as its way to authenticate
            del os.environ[name]
        os.environ.update(before)


def _ray_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("RAY_") or name in _TOUCHED}


def _join(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise SpecError(f"resources.ray_address: no Ray cluster at {address!r}: {error}") from error


def _start(cpus: int) -> None:
    import ray

    try:
        ray.init(
            _LOCAL,
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
        )
    except Exception as error:  # all that Ray says where it could not start in time
        raise RunFailedError(f"Ray did not start: {error} If the machine is busy, run this again later.") from error


@contextmanager
def _loopback(wanted: bool) -> Iterator[None]:
    """Have a Ray that starts listen on loopback only: it read the variable for that when it was imported."""
    from ray._private import ray_constants

    constants: Any = ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = before and not wanted
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Take SIGTERM back from Ray, whose own handler aborts the process 3 s later, however much there is to tidy up."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
