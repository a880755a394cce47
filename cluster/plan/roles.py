"""Which models a job needs up: the one that answers, and those that help its probes."""

from collections.abc import Iterable

from cotfaith.schemas.errors import CapabilityError
from cotfaith.schemas.spec import ModelSpec, ProbeSpec, RunSpec
from cotfaith.workers.probes import find_probe
from cotfaith.workers.probes.lib.probe import ENGINE_NEEDS
from cotfaith.workers.probes.transfer import reader_ids
from cotfaith.workers.roles.table import HELPERS, ROLES


def helpers(spec: RunSpec, subject: ModelSpec, probes: Iterable[ProbeSpec]) -> dict[str, ModelSpec]:
    """Return role -> model, for what the probes need beside the subject's own engine and what is done by rule."""
    needs = {need for probe in probes for need in find_probe(probe)[0].needs}
    found = {role.name: role.model(spec, subject) for role in HELPERS.values() if role.name in needs}
    return {role: model for role, model in found.items() if model is not None}


def check_roles(spec: RunSpec) -> None:
    """Check what the spec says of each role, whether or not a probe asks for it.

    Raises:
        InputError: a model cannot do what its role asks, or a probe needs a helper that there is not.

    """
    for role in ROLES.values():
        role.check(spec)
    for probe in (find_probe(named)[0] for named in spec.probes):
        if lacking := probe.needs - ENGINE_NEEDS - HELPERS.keys():
            known = ", ".join(sorted({*ENGINE_NEEDS, *HELPERS}))
            raise CapabilityError(
                f"probes: {probe.name!r} needs {' and '.join(sorted(lacking))}, which nothing offers. Known: {known}."
            )


def readers(spec: RunSpec, probe: ProbeSpec) -> tuple[str, ...]:
    """Return the models that the probe runs on, once the subject's chains are there; none for most probes.

    Raises:
        SpecError: the probe's options name a reader that cannot be one.

    """
    kind, options = find_probe(probe)
    return reader_ids(spec, options, probe.name) if kind.readers else ()
