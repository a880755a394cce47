"""The probes, one file each; to add one, write its file and name it here, or register it from outside the package.

From outside: a module that calls ``register`` and is named by the spec's ``plugins``, or an installed package with an
entry point in the group ``cotfaith.probes``, which is loaded where a spec uses its name. See docs/add-a-probe.md.
"""

import re
from collections.abc import Sequence
from importlib.metadata import EntryPoint

from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.spec import ProbeSpec, Section, check_section
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.plugins import offered
from cotfaith.workers.probes import (
    adding_mistakes,
    answer_order,
    early_answering,
    filler_tokens,
    no_cot,
    paraphrasing,
    resampling,
    step_deletion,
    transfer,
)
from cotfaith.workers.probes.lib.probe import Probe

GROUP = "cotfaith.probes"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # it stands in object keys
_MODULES = (
    no_cot,
    early_answering,
    adding_mistakes,
    paraphrasing,
    filler_tokens,
    step_deletion,
    resampling,
    answer_order,
    transfer,
)

PROBES: dict[str, Probe] = {module.PROBE.name: module.PROBE for module in _MODULES}
"""Those of the package, and those that were registered in this process."""


def register(probe: Probe) -> None:
    """Make ``probe`` known under its name; the same one again changes nothing.

    Raises:
        SpecError: another probe has that name, or it cannot be one.

    """
    if not _NAME.fullmatch(probe.name):
        raise SpecError(f"A plug-in registers the probe {probe.name!r}: expected lower-case letters, digits and '_'.")
    if PROBES.setdefault(probe.name, probe) is not probe:
        raise SpecError(f"A plug-in registers a probe {probe.name!r}, but there is another of that name. Rename one.")


def find_probe(spec: ProbeSpec) -> tuple[Probe, Section]:
    """Return the probe that ``spec`` names, and its checked settings.

    Raises:
        SpecError: there is no such probe, two have its name, or a setting is wrong.

    """
    outside = offered(GROUP)
    if spec.name in outside:
        register(_load(outside[spec.name]))
    if spec.name not in PROBES:
        raise SpecError(f"probes: {unknown('probe', spec.name, {*PROBES, *outside})}")
    probe = PROBES[spec.name]
    return probe, check_section(probe.options, spec.options, f"probes.{spec.name}.options")


def _load(entries: Sequence[EntryPoint]) -> Probe:
    name = entries[0].name
    origins = [f"{entry.value} (package {entry.dist.name if entry.dist else 'unknown'})" for entry in entries]
    if len(entries) > 1:
        raise SpecError(f"probes: several packages offer a probe {name!r}: {', '.join(origins)}. Remove all but one.")
    try:
        probe = entries[0].load()
    except InputError:
        raise
    except Exception as error:
        raise SpecError(
            f"probes: {name!r} from {origins[0]} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(probe, Probe) or probe.name != name:
        raise SpecError(f"probes: {origins[0]} is no probe. Expected a Probe whose name is {name!r}.")
    return probe
