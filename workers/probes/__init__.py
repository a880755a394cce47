"""The probes, one file each. To add a probe, write its file and list it here, or register it from outside the package.

From outside, use a module that calls ``register`` and is named in the spec's ``plugins``, or an installed package with
an entry point in the group ``cotfaith.probes``, which is loaded if a spec uses its name. See docs/add-a-probe.md.
"""

import re
from collections.abc import Sequence
from importlib.metadata import EntryPoint

from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ProbeSpec, RunSpec, Section, check_section
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
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # it is part of object keys
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
"""The probes of the package, and those registered in this process."""


def register(probe: Probe) -> None:
    """Register ``probe`` under its name; registering it again changes nothing.

    Raises:
        SpecError: another probe has that name, or the name is not valid.

    """
    if not _NAME.fullmatch(probe.name):
        raise SpecError(f"A plug-in registers the probe {probe.name!r}: expected lower-case letters, digits and '_'.")
    if PROBES.setdefault(probe.name, probe) is not probe:
        raise SpecError(f"A plug-in registers a probe {probe.name!r}, but another probe has that name. Rename one.")


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


def check_applies(spec: RunSpec, items: Sequence[Item]) -> None:
    """Raise ``SpecError`` if the spec has a probe that applies to none of ``items``."""
    for probe in (find_probe(named)[0] for named in spec.probes):
        if not any(probe.applies(item) for item in items):
            raise SpecError(
                f"probes: {probe.name!r} applies to none of the items of {', '.join(t.name for t in spec.tasks)}. "
                "Leave it out, or add a task with items that it applies to (multiple choice, for answer_order)."
            )


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
        raise SpecError(f"probes: {origins[0]} is not a probe. Expected a Probe with the name {name!r}.")
    return probe
