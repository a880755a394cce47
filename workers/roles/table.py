"""The roles by name. Code asks these objects for what depends on a role, and compares no role names."""

from cotfaith.schemas.spec import RoleName
from cotfaith.workers.roles.editors.role import EDITOR_ROLE
from cotfaith.workers.roles.embedders.role import EMBEDDER_ROLE
from cotfaith.workers.roles.readers import JUDGE_ROLE, MONITOR_ROLE, OBSERVER_ROLE
from cotfaith.workers.roles.role import Helper, Role
from cotfaith.workers.roles.subject import SUBJECT_ROLE

ROLES: dict[RoleName, Role] = {
    role.name: role for role in (SUBJECT_ROLE, EDITOR_ROLE, EMBEDDER_ROLE, JUDGE_ROLE, MONITOR_ROLE, OBSERVER_ROLE)
}
HELPERS: dict[str, Helper] = {role.name: role for role in ROLES.values() if isinstance(role, Helper)}
"""The roles that a probe's ``needs`` may name."""
