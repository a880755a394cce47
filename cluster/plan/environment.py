"""Environment variables of the command line -> overrides of a spec.

The order, first wins: ``--set``, the variable, the spec, the default. A variable that is empty counts as not set. The
variables do not apply to ``cotfaith.run``: a script states what it wants in its arguments.
"""

import json
import os
from collections.abc import Mapping, Sequence

from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.remote import cache

OUTPUT = "COTFAITH_OUTPUT"
RAY_ADDRESS = "COTFAITH_RAY_ADDRESS"
PREFIX = "COTFAITH_"
_KEYS = {OUTPUT: "output.path", RAY_ADDRESS: "resources.ray_address"}


def environment_overrides(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return an override (key=value, as ``--set`` takes it) for each variable that is set."""
    return [f"{key}={json.dumps(environ[name])}" for name, key in _KEYS.items() if environ.get(name)]


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a line for each variable with our prefix and no meaning, with the nearest one; values are not shown."""
    known = sorted([*_KEYS, cache.VARIABLE])
    wrong = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return [f"The environment sets {name}, which has no effect. {unknown('variable', name, known)}" for name in wrong]


def output_line(spec: RunSpec, overrides: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """Return the run's folder, and who named it: the first line of a run."""
    return f"Run folder: {spec.output.path} ({_who_named_it(spec, overrides, environ)})"


def _who_named_it(spec: RunSpec, overrides: Sequence[str], environ: Mapping[str, str]) -> str:
    if any(one.partition("=")[0] in ("output", "output.path") for one in overrides):
        return "from --set"
    if environ.get(OUTPUT):
        return f"from {OUTPUT}"
    return "from the spec" if "path" in spec.output.model_fields_set else "the default"
