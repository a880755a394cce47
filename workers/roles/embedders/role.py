"""The role of models that compare meanings."""

from collections.abc import Sequence
from typing import Any

from cotfaith.schemas.spec import RunSpec
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.roles.embedders import check_embedder, embedder_model, make_embedder
from cotfaith.workers.roles.role import Helper, PlannedArm, Work
from cotfaith.workers.text.steps import TOKENS_PER_STEP


def _identity(spec: RunSpec, subject: ResolvedModel) -> dict[str, Any]:
    return {"by": make_embedder(spec).name}


def _work(spec: RunSpec, model: ResolvedModel, arms: Sequence[PlannedArm]) -> Work:
    """Count the two texts of each arm's comparison."""
    tokens = 2 * TOKENS_PER_STEP * len(arms)
    return Work(2 * len(arms), tokens, tokens, 0)


EMBEDDER_ROLE = Helper(
    name="embedder",
    summary="Compares the meanings of steps; gets bare texts.",
    check=check_embedder,
    prompted=False,
    plural="embedders",
    model=lambda spec, subject: embedder_model(spec),
    identity=_identity,
    work=_work,
)
