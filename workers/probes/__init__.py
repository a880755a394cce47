"""The probes, one file each; to add one, write its file and name it here."""

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ProbeSpec, Section, check_section
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.probes import early_answering, filler_tokens, no_cot
from cotfaith.workers.probes.base import Probe

PROBES: dict[str, Probe] = {module.PROBE.name: module.PROBE for module in (no_cot, early_answering, filler_tokens)}


def find_probe(spec: ProbeSpec) -> tuple[Probe, Section]:
    """Return the probe that ``spec`` names, and its checked settings.

    Raises:
        SpecError: there is no such probe, or a setting is wrong.

    """
    if spec.name not in PROBES:
        raise SpecError(f"probes: {unknown('probe', spec.name, PROBES)}")
    probe = PROBES[spec.name]
    return probe, check_section(probe.options, spec.options, f"probes.{spec.name}.options")
