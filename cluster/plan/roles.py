"""The models that a job needs besides the one that answers: the helpers of its probes."""

from collections.abc import Iterable

from cotfaith.schemas.errors import CapabilityError
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.workers.probes.lib.probe import ENGINE_NEEDS
from cotfaith.workers.resolved import Resolved, ResolvedProbe
from cotfaith.workers.roles.table import HELPERS, ROLES


def helpers(spec: RunSpec, subject: ModelSpec, probes: Iterable[ResolvedProbe]) -> dict[str, ModelSpec]:
    """Return role -> model, for the helpers that the probes need, except those that are rules."""
    needs = {need for probe in probes for need in probe.kind.needs}
    found = {role.name: role.model(spec, subject) for role in HELPERS.values() if role.name in needs}
    return {role: model for role, model in found.items() if model is not None}


def check_roles(resolved: Resolved) -> None:
    """Check the spec's settings of each role, whether or not a probe asks for it.

    Raises:
        InputError: a model cannot do what its role asks, or a probe needs a helper that does not exist.

    """
    for role in ROLES.values():
        role.check(resolved.spec)
    for probe in resolved.probes:
        if lacking := probe.kind.needs - ENGINE_NEEDS - HELPERS.keys():
            known = ", ".join(sorted({*ENGINE_NEEDS, *HELPERS}))
            raise CapabilityError(
                f"probes: {probe.name!r} needs {' and '.join(sorted(lacking))}, which nothing offers. Known: {known}."
            )
