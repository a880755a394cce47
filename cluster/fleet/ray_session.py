"""Ray, started for one run on this machine's loopback interface, or joined at an address."""

import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cotfaith.cluster.fleet.machine import local_cores
from cotfaith.schemas.errors import RunFailedError, SpecError

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_event_stats": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only, for the processes that Ray starts
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # otherwise other processes starve the engines
    "RAY_idle_worker_killing_time_threshold_ms": "600000",  # a new worker takes seconds to import; keep idle ones
    "TOKENIZERS_PARALLELISM": "false",
}
_NO_METRICS = {"RAY_enable_metrics_collection": "0", "RAY_enable_open_telemetry": "0"}
"""For the private Ray, whose metrics nobody reads. A cluster that is joined gets the driver's if it collects any."""
_ELSEWHERE = (
    "RAY_ADDRESS",  # a running cluster; without an address, ray.init looks for one, as with "auto"
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
"""Variables about a Ray other than the private one that the spec asks for: the private one must not see them."""
_TOUCHED = {*_QUIET, *_NO_METRICS, "PYTHONBREAKPOINT"}
"""Variables that we set, and one that Ray sets although its name does not begin with RAY_."""
_LOCAL = "local"  # Ray's word for a new cluster here, regardless of the environment and /tmp/ray
_LOOPBACK = ("127.0.0.1", "localhost")
_ANSWERS_WITHIN_S = 5.0
_OBJECT_STORE_BYTES = 160 * 1024 * 1024


def starts_ray(address: str | None) -> bool:
    """Return whether ``ray_session`` starts a Ray of its own on this machine, which no other node can join."""
    ray: Any = sys.modules.get("ray")
    return address is None and not (ray is not None and ray.is_initialized())


@contextmanager
def ray_session(address: str | None, cpus: float = 0) -> Iterator[None]:
    """Hold a connection to the Ray at ``address``; None: one that is started here, with at least ``cpus`` CPUs.

    A local Ray ends with the context; an existing session is left alone. The spec says which Ray: variables such as
    RAY_ADDRESS count only if ``address`` is "auto". Afterwards the environment is as before.

    Raises:
        SpecError: nothing answers at ``address``.
        RunFailedError: Ray could not be started here.

    """
    with _environment(() if address else _ELSEWHERE, _QUIET if address else _QUIET | _NO_METRICS):
        import ray

        if ray.is_initialized():
            yield
            return
        _read_settings()
        with _signals_kept(), _loopback(_is_on_loopback(address)):
            if address is not None:
                _join(address)
            else:
                _start(max(local_cores(), math.ceil(cpus)))
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _environment(left_out: Sequence[str], quiet: Mapping[str, str]) -> Iterator[None]:
    """Silence Ray and hide the variables ``left_out`` from it: its processes get those that are set when it starts."""
    before = _ray_variables()
    for name in left_out:
        os.environ.pop(name, None)
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name in _ray_variables():  # Ray sets some itself, such as its authentication mode
            del os.environ[name]
        os.environ.update(before)
        _read_settings()


def _ray_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("RAY_") or name in _TOUCHED}


def _join(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise SpecError(f"resources.ray_address, or --ray: no Ray cluster at {address!r}: {error}") from error


def _read_settings() -> None:
    """Let Ray read its variables again, unless it runs: it keeps what it read first, such as its authentication mode.

    A private Ray turns its token on in this process, and its end does not turn it off: a cluster without a token could
    not reach this process, and would take it for dead. And if the variable was set since, a private Ray would ask for a
    token that this process does not give.
    """
    import ray
    from ray import _raylet

    if ray.is_initialized():
        return
    raylet: Any = _raylet
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


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
    except Exception as error:  # Ray raises no narrower error if it could not start in time
        raise RunFailedError(f"Ray did not start: {error} If the machine is busy, run this again later.") from error


def _is_on_loopback(address: str | None) -> bool:
    """Return whether the Ray at ``address`` listens on loopback only; None: the private one, which does.

    Ray replaces 127.0.0.1 by the machine's own address, at which such a Ray never answers.
    """
    from ray._private import services

    own: Any = services
    if address is None:
        return True
    host, _, port = address.rpartition(":")
    if host not in _LOOPBACK or not port.isdigit():
        return False
    return _answers(host, int(port)) and not _answers(own.node_ip_address_from_perspective(), int(port))


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _ANSWERS_WITHIN_S).close()
    except OSError:
        return False
    return True


@contextmanager
def _loopback(wanted: bool) -> Iterator[None]:
    """Keep a Ray that starts or is joined on loopback: Ray read the variable for that when it was imported."""
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
    """Take SIGTERM back from Ray: its own handler aborts the process after 3 s, even if the clean-up takes longer."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
