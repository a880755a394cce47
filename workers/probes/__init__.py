"""The probes by name, one file each: what a module here holds as ``PROBE`` is one. In lib/: what they share.

From outside: a module that calls ``register`` and is named by the spec's ``plugins``, or an installed package with an
entry point in the group ``cotfaith.probes``, which is loaded where a spec uses its name. See docs/add-a-probe.md.
"""

from collections.abc import Sequence

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ProbeSpec, RunSpec, Section, check_section
from cotfaith.workers.probes.lib.probe import Probe
from cotfaith.workers.registry import Registry, found_in, handles

PROBES = handles(Registry(Probe, "probe", lambda: found_in(__name__, "PROBE", Probe)))
"""Those of the package, and those that were registered in this process."""


def find_probe(spec: ProbeSpec) -> tuple[Probe, Section]:
    """Return the probe that ``spec`` names, and its checked settings.

    Raises:
        SpecError: there is no such probe, two have its name, or a setting is wrong.

    """
    probe = PROBES.find(spec.name, "probes")
    return probe, check_section(probe.options, spec.options, f"probes.{spec.name}.options")


def check_applies(spec: RunSpec, items: Sequence[Item]) -> None:
    """Raise ``SpecError`` if the spec holds a probe that can be run on none of ``items``."""
    for probe in (find_probe(named)[0] for named in spec.probes):
        if not any(probe.applies(item) for item in items):
            raise SpecError(
                f"probes: {probe.name!r} applies to none of the items of {', '.join(t.name for t in spec.tasks)}. "
                "Leave it out, or add a task with items that it is for (multiple choice, for answer_order)."
            )
