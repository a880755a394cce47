"""The role of the models that are measured."""

from cotfaith.schemas.spec import RunSpec
from cotfaith.workers.roles.role import Role


def check_subjects(spec: RunSpec) -> None:
    """Check nothing: the spec itself requires a subject, and the plan checks what each task needs of it."""


SUBJECT_ROLE = Role(name="subject", summary="Is measured: its chains are probed.", check=check_subjects)
