"""The roles of models that read the chains of subjects: judges, monitors, observers.

A probe asks for one of them by its ``reader_role``. The plan refuses a model with a role that no probe asks for.
"""

from cotfaith.schemas.spec import RoleName, RunSpec
from cotfaith.workers.roles.role import Role


def check_reader(spec: RunSpec) -> None:
    """Check nothing: the plan checks what the probes ask of readers."""


def _role(name: RoleName, summary: str) -> Role:
    return Role(name=name, summary=summary, check=check_reader, reads=True)


JUDGE_ROLE = _role("judge", "Reads chains, and says whether they name what moved their answer.")
MONITOR_ROLE = _role("monitor", "Reads chains and answers, and says whether something moved the answer.")
OBSERVER_ROLE = _role("observer", "Reads chains, and predicts the subject's other answers.")
