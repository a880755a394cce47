"""The spec that a command line asks for: the file, the environment's variables, ``--set``, ``--limit``."""

from collections.abc import Sequence

from cotfaith.schemas.spec import RunSpec


def asked_spec(
    path: str, overrides: Sequence[str] | None = None, plugins: Sequence[str] | None = None, limit: int | None = None
) -> RunSpec:
    """Read, override and check the spec; raise ``SpecError`` if something about it is wrong. Warns of variables."""
    from cotfaith.cluster.plan.environment import environment_overrides, warn_of_unknown_variables
    from cotfaith.cluster.plan.limits import limited
    from cotfaith.cluster.plan.spec_file import load_spec

    warn_of_unknown_variables()
    return limited(load_spec(path, [*environment_overrides(), *(overrides or [])], plugins or []), limit)
