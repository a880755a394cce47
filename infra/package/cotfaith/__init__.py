"""cotfaith: measure whether a language model's chain of thought can be trusted, per model and per task.

All public names: ``run``, its spec and ``read`` for a script; ``Probe``, ``ProbeMetrics``, ``EngineKind`` and the
like, with their parts, for a plug-in; errors and statuses for both.
What loads much is imported when it is first asked for.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from cotfaith.schemas.errors import CotfaithError, InputError
from cotfaith.schemas.records import Answer, Chain, Edit, Hint, Item, Observation, Supplied
from cotfaith.schemas.spec import ModelSpec, RunSpec, Section, TaskSpec, parse_spec
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import Framing, Turn, Variant

if TYPE_CHECKING:
    from cotfaith.cluster.api import RunHandle, run
    from cotfaith.cluster.frames import RunFrames, read
    from cotfaith.cluster.plan.spec_file import load_spec
    from cotfaith.cluster.stats.estimates import Estimate, read_estimates
    from cotfaith.cluster.stats.metrics.lib.curves import chain_curves, chain_means, grid_scores, of_chain, over
    from cotfaith.cluster.stats.metrics.lib.drawings import Curve, Differences, Matrix, Paired
    from cotfaith.cluster.stats.metrics.lib.frame import Value, difference, measured, of_probe, ok, scores
    from cotfaith.cluster.stats.metrics.lib.metric import Judged, Metric, ProbeMetrics, Rows
    from cotfaith.cluster.stats.metrics.lib.remarks import Remark
    from cotfaith.cluster.stats.metrics.lib.words import Column, Headlines, Part, ReportSection, Source, Words
    from cotfaith.workers.engines.kind import EngineKind
    from cotfaith.workers.engines.protocol import Capabilities, Engine, GenerateRequest, Generation, ScoreRequest, Scores
    from cotfaith.workers.interventions.lib.intervention import Intervention
    from cotfaith.workers.probes.lib.continued import continued
    from cotfaith.workers.probes.lib.probe import Arm, NoOptions, Probe, ProbeRun, Shape
    from cotfaith.workers.registry import register
    from cotfaith.workers.roles.judges.base import Judge, Judgement
    from cotfaith.workers.shard.ask import Ask, Request
    from cotfaith.workers.tasks.adapters.adapter import Adapter
    from cotfaith.workers.tasks.generators.generator import Draw, Generator

try:
    __version__ = version("cotfaith")
except PackageNotFoundError:  # imported from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = [
    "Adapter",
    "Answer",
    "Arm",
    "Ask",
    "Capabilities",
    "Chain",
    "Column",
    "CotfaithError",
    "Curve",
    "Differences",
    "Draw",
    "Edit",
    "Engine",
    "EngineKind",
    "Estimate",
    "Framing",
    "GenerateRequest",
    "Generation",
    "Generator",
    "Headlines",
    "Hint",
    "InputError",
    "Intervention",
    "Item",
    "Judge",
    "Judged",
    "Judgement",
    "Matrix",
    "Metric",
    "ModelSpec",
    "NoOptions",
    "Observation",
    "Paired",
    "Part",
    "Probe",
    "ProbeMetrics",
    "ProbeRun",
    "Remark",
    "ReportSection",
    "Request",
    "Rows",
    "RunFrames",
    "RunHandle",
    "RunSpec",
    "ScoreRequest",
    "Scores",
    "Section",
    "Shape",
    "Source",
    "Status",
    "Supplied",
    "TaskSpec",
    "Turn",
    "Value",
    "Variant",
    "Words",
    "__version__",
    "chain_curves",
    "chain_means",
    "continued",
    "difference",
    "grid_scores",
    "load_spec",
    "measured",
    "of_chain",
    "of_probe",
    "ok",
    "over",
    "parse_spec",
    "read",
    "read_estimates",
    "register",
    "run",
    "scores",
]

_LATER = {
    "cotfaith.cluster.api": "RunHandle run",
    "cotfaith.cluster.frames": "RunFrames read",
    "cotfaith.cluster.plan.spec_file": "load_spec",
    "cotfaith.cluster.stats.estimates": "Estimate read_estimates",
    "cotfaith.cluster.stats.metrics.lib.curves": "chain_curves chain_means grid_scores of_chain over",
    "cotfaith.cluster.stats.metrics.lib.drawings": "Curve Differences Matrix Paired",
    "cotfaith.cluster.stats.metrics.lib.frame": "Value difference measured of_probe ok scores",
    "cotfaith.cluster.stats.metrics.lib.metric": "Judged Metric ProbeMetrics Rows",
    "cotfaith.cluster.stats.metrics.lib.remarks": "Remark",
    "cotfaith.cluster.stats.metrics.lib.words": "Column Headlines Part ReportSection Source Words",
    "cotfaith.workers.engines.kind": "EngineKind",
    "cotfaith.workers.engines.protocol": "Capabilities Engine GenerateRequest Generation ScoreRequest Scores",
    "cotfaith.workers.interventions.lib.intervention": "Intervention",
    "cotfaith.workers.probes.lib.continued": "continued",
    "cotfaith.workers.probes.lib.probe": "Arm NoOptions Probe ProbeRun Shape",
    "cotfaith.workers.registry": "register",
    "cotfaith.workers.roles.judges.base": "Judge Judgement",
    "cotfaith.workers.shard.ask": "Ask Request",
    "cotfaith.workers.tasks.adapters.adapter": "Adapter",
    "cotfaith.workers.tasks.generators.generator": "Draw Generator",
}
"""Module -> its names that are imported when they are first asked for."""
_HOME = {name: module for module, names in _LATER.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
