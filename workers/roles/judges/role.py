"""The role of models that read chains. Judges by rule need no model, and no probe or metric asks a model to judge."""

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import RunSpec
from cotfaith.workers.roles.role import Role


def check_judges(spec: RunSpec) -> None:
    """Raise ``SpecError`` if a model has the role judge: nothing would use it."""
    for model in spec.models:
        if "judge" in model.roles:
            raise SpecError(
                f"models.{model.id}.roles: judge, but no probe and no metric asks a model to judge. "
                "Remove this role; judges by rule need no model (cotfaith list judges)."
            )


JUDGE_ROLE = Role(
    name="judge",
    summary="Reads chains. No probe asks a model to judge: a spec cannot use it.",
    check=check_judges,
    offered=False,
)
