"""cotfaith: measure whether a language model's chain of thought can be trusted, per model and per task.

All public names: ``run`` and its spec for a script, ``Probe`` and its parts for a plug-in, errors and statuses for both.
What loads much is imported when it is first asked for.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from cotfaith.schemas.errors import CotfaithError, InputError
from cotfaith.schemas.records import Answer, Chain, Item, Observation
from cotfaith.schemas.spec import RunSpec, Section, parse_spec
from cotfaith.schemas.status import Status

if TYPE_CHECKING:
    from cotfaith.cluster.api import RunHandle, run
    from cotfaith.cluster.plan.spec_file import load_spec
    from cotfaith.workers.probes.lib.probe import Arm, NoOptions, Probe, ProbeRun, Shape
    from cotfaith.workers.registry import register
    from cotfaith.workers.shard.ask import Ask, Request

try:
    __version__ = version("cotfaith")
except PackageNotFoundError:  # imported from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = [
    "Answer",
    "Arm",
    "Ask",
    "Chain",
    "CotfaithError",
    "InputError",
    "Item",
    "NoOptions",
    "Observation",
    "Probe",
    "ProbeRun",
    "Request",
    "RunHandle",
    "RunSpec",
    "Section",
    "Shape",
    "Status",
    "__version__",
    "load_spec",
    "parse_spec",
    "register",
    "run",
]

_LATER = {
    "Arm": "cotfaith.workers.probes.lib.probe",
    "Ask": "cotfaith.workers.shard.ask",
    "NoOptions": "cotfaith.workers.probes.lib.probe",
    "Probe": "cotfaith.workers.probes.lib.probe",
    "ProbeRun": "cotfaith.workers.probes.lib.probe",
    "Request": "cotfaith.workers.shard.ask",
    "RunHandle": "cotfaith.cluster.api",
    "Shape": "cotfaith.workers.probes.lib.probe",
    "load_spec": "cotfaith.cluster.plan.spec_file",
    "register": "cotfaith.workers.registry",
    "run": "cotfaith.cluster.api",
}
"""Where each name is that is imported when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
