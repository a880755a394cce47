"""The probes by name, one file each: a module here defines its probe as ``PROBE``. lib/ has what they share.

From outside, use a module that calls ``register`` and is named in the spec's ``plugins``, or an installed package with
an entry point in the group ``cotfaith.probes``, which is loaded if a spec uses its name. See docs/add-a-probe.md.
"""

from cotfaith.schemas.spec import ProbeSpec, Section, check_section
from cotfaith.workers.probes.lib.probe import Probe
from cotfaith.workers.registry import Registry, found_in, handles

PROBES = handles(Registry(Probe, "probe", lambda: found_in(__name__, "PROBE", Probe)))
"""The probes of the package, and those registered in this process."""


def find_probe(spec: ProbeSpec) -> tuple[Probe, Section]:
    """Return the probe that ``spec`` names, and its checked settings.

    Raises:
        SpecError: there is no such probe, two have its name, or a setting is wrong.

    """
    probe = PROBES.find(spec.name, "probes")
    return probe, check_section(probe.options, spec.options, f"probes.{spec.name}.options")
