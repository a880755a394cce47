"""Environment variables of the command line -> overrides of a spec.

The order, first wins: ``--set``, the variable, the spec, the default. A variable that is empty counts as not set. The
variables do not apply to ``cotfaith.run``: a script states what it wants in its arguments. Options with a variable of
their own (``--ray``) name it where they are declared.
"""

import json
import os
import warnings
from collections.abc import Mapping, Sequence

from cotfaith.schemas.spec import RunSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.schemas.variables import MEANINGS, OUTPUT, PREFIX, RAY_ADDRESS

_KEYS = {OUTPUT: "output.path", RAY_ADDRESS: "resources.ray_address"}


def environment_overrides(environ: Mapping[str, str] = os.environ, *, names: Sequence[str] = tuple(_KEYS)) -> list[str]:
    """Return an override (key=value, as ``--set`` takes it) for each variable of ``names`` that is set."""
    return [f"{_KEYS[name]}={json.dumps(environ[name])}" for name in names if environ.get(name)]


def known_variables() -> list[str]:
    """Return the names of all variables that the product reads, in order."""
    return sorted(MEANINGS)


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a line for each variable with our prefix and no meaning, with the nearest one; values are not shown."""
    known = known_variables()
    wrong = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return [f"The environment sets {name}, which has no effect. {unknown('variable', name, known)}" for name in wrong]


def warn_of_unknown_variables() -> None:
    """Warn of each variable of this process with our prefix and no meaning."""
    for line in unknown_variables():
        warnings.warn(line, stacklevel=3)


def output_line(spec: RunSpec, overrides: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """Return the run's folder, and who named it: the first line of a run."""
    return f"Run folder: {spec.output.path} ({_who_named_it(spec, overrides, environ)})"


def _who_named_it(spec: RunSpec, overrides: Sequence[str], environ: Mapping[str, str]) -> str:
    if any(one.partition("=")[0] in ("output", "output.path") for one in overrides):
        return "from --set"
    if environ.get(OUTPUT):
        return f"from {OUTPUT}"
    return "from the spec" if "path" in spec.output.model_fields_set else "the default"
