"""Checks of a spec's interventions on its items, before any weights load.

In: a spec whose names are resolved, and its items. Out: nothing, or an ``InputError`` that names the task, the item and
what to do; notes on what a run with interventions lacks.
"""

from collections.abc import Mapping, Sequence

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.resolved import Resolved

ItemsOf = Mapping[str, Sequence[Item]]
"""Task -> its items."""


def check_interventions(resolved: Resolved, items: ItemsOf) -> None:
    """Apply each intervention to each item.

    Raises:
        SpecError: items come with their chains, which were written after another prompt.
        TaskError: an intervention cannot be applied to an item, or what it makes of it is wrong.

    """
    for one in resolved.interventions:
        for task, found in items.items():
            if any(item.supplied is not None for item in found):
                raise SpecError(
                    f"tasks.{task}: its items come with their chains, which no intervention can change; the spec has "
                    f"the intervention {one.kind.name!r}. Put this task into a spec of its own without interventions."
                )
            for item in found:
                one.variants(resolved.spec.seed, task, item)


def check_variants(resolved: Resolved, items: ItemsOf) -> None:
    """Raise ``SpecError`` if the spec asks that a probe run on a variant of which it applies to no item."""
    asked = {probe.name for probe in resolved.spec.probes if probe.variants is not None}
    for probe in (one for one in resolved.probes if one.name in asked):
        for variant in (name for name in resolved.variants_of(probe) if name != PLAIN):
            pairs = ((task, item) for task, found in items.items() for item in found)
            if not any(probe.kind.applies(resolved.under(variant, task, [item])[0]) for task, item in pairs):
                raise SpecError(
                    f"probes.{probe.name}.variants: it applies to none of the items under {variant}. Leave that "
                    f"variant out; without `variants`, {probe.name} runs on "
                    f"{'all' if probe.kind.all_variants else 'plain items only'}."
                )


def variant_notes(resolved: Resolved) -> list[str]:
    """Return a line if interventions cannot be compared with plain resampling."""
    if not resolved.interventions or resolved.spec.sampling.chains_per_item > 1:
        return []
    return [
        "sampling.chains_per_item is 1: how often answers change without any intervention, by sampling again, stays "
        "unknown. Set it to 2 or more for the excess over resampling."
    ]
