"""What a unit of work costs on one model, compared with others: a guess, for models that have not worked yet.

In: a model of a plan. Out: a number that is in proportion to seconds on like hardware. An engine without weights costs
nothing to speak of; else a token costs as its model's parameters do, and those of the smallest models cost as much as
some millions of parameters do (``roofline.py``, docs/hours.md). Asks no hub and no server.
"""

from pathlib import Path

from cotfaith.cluster.plan.model_size import parameters
from cotfaith.schemas.errors import CotfaithError
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.organisms.folder import resolve_source

LEAST = 5e6
"""The parameters whose arithmetic takes as long as what each token costs besides: 0.35 ms, on one core."""


def unit_cost(model: ResolvedModel) -> float | None:
    """Return the cost; None: it is not known (a server, or weights that are not on this machine)."""
    if model.kind.served_model is not None:
        return None
    if not model.kind.has_weights:
        return 0.0
    size = model.spec.parameters
    try:
        if size is None and Path(resolve_source(model.spec.source)).expanduser().is_dir():
            size = parameters(model.spec)
    except (CotfaithError, OSError, ValueError):  # the plan names what is wrong with a model
        return None
    return None if size is None else size + LEAST
