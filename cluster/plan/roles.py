"""The models that a job needs besides the one that answers: the helpers of its probes."""

from collections.abc import Iterable

from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.records import RULES
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.workers.probes import PROBES
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
        InputError: a model cannot do what its role asks, has a role that no probe asks for, or reads no chain in a
            probe that asks for it; or a probe needs a helper that does not exist.

    """
    for role in ROLES.values():
        role.check(resolved.spec)
    _check_asked(resolved)
    _check_read(resolved)
    for probe in resolved.probes:
        if lacking := probe.kind.needs - ENGINE_NEEDS - HELPERS.keys():
            known = ", ".join(sorted({*ENGINE_NEEDS, *HELPERS}))
            raise CapabilityError(
                f"probes: {probe.name!r} needs {' and '.join(sorted(lacking))}, which nothing offers. Known: {known}."
            )


def _check_asked(resolved: Resolved) -> None:
    """Raise ``SpecError`` if a model has a reader's role and no probe of the spec asks for it."""
    asked = {probe.kind.reader_role for probe in resolved.probes if probe.kind.readers}
    for model in resolved.spec.models:
        for role in model.roles:
            if ROLES[role].reads and model.id == RULES:
                raise SpecError(
                    f"models.{model.id}: rows of readers by rule have this name. Give the {role} another id."
                )
            if ROLES[role].reads and role not in asked:
                able = [name for name, probe in PROBES.items() if probe.readers and probe.reader_role == role]
                add = f"Add {' or '.join(able)} to probes, or remove" if able else "Remove"
                raise SpecError(
                    f"models.{model.id}.roles: {role}, but no probe of the spec asks for it. {add} this role."
                )


def _check_read(resolved: Resolved) -> None:
    """Raise ``SpecError`` if a probe has readers, and none of them reads any subject's chains."""
    cells = [(task.name, one.spec.id) for task in resolved.spec.tasks for one in resolved.subjects]
    for probe in resolved.probes:
        read = any(probe.readers_for(*cell) for cell in cells if resolved.spec.answers(cell[1], cell[0]))
        if probe.kind.readers and not read:
            own = ", ".join(probe.readers) or "none"
            raise SpecError(
                f"probes: nothing is read in {probe.name!r}. Its readers are {own}, and a model reads its own chains "
                f"only if probes.{probe.name}.options.readers names it. Name it there, or add another model with the "
                f"role {probe.kind.reader_role}."
            )
