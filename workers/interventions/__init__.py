"""The interventions by name, one file each: a module here defines its intervention as ``INTERVENTION``. lib/ has what
they share.

From outside, use a module that calls ``register`` and is named in the spec's ``plugins``, or an installed package with
an entry point in the group ``cotfaith.interventions``, which is loaded if a spec uses its name. See
docs/interventions.md.
"""

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import InterventionSpec, Section, check_section
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.interventions.lib.intervention import Intervention
from cotfaith.workers.registry import Registry, found_in, handles

INTERVENTIONS = handles(
    Registry(Intervention, "intervention", lambda: found_in(__name__, "INTERVENTION", Intervention))
)
"""The interventions of the package, and those registered in this process."""


def find_intervention(spec: InterventionSpec) -> tuple[Intervention, Section, tuple[str, ...]]:
    """Return the intervention that ``spec`` names, its checked settings, and its arms that are wanted, in its order.

    Raises:
        SpecError: there is no such intervention, two have its name, or a setting or an arm is wrong.

    """
    kind = INTERVENTIONS.find(spec.name, "interventions")
    for arm in spec.arms or ():
        if arm not in kind.arms:
            raise SpecError(f"interventions.{spec.name}.arms: {unknown('arm', arm, kind.arms)}")
    options = check_section(kind.options, spec.options, f"interventions.{spec.name}.options")
    return kind, options, tuple(arm for arm in kind.arms if spec.arms is None or arm in spec.arms)
