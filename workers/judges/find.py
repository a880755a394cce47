"""The rule of an intervention: a file of ``rules/`` by its name, or made of the words that a plug-in gives.

Knows nothing about chains.
"""

import importlib
import pkgutil
from functools import cache

from cotfaith.schemas.errors import SpecError
from cotfaith.workers.interventions import INTERVENTIONS
from cotfaith.workers.judges import rules
from cotfaith.workers.judges.rule import Rule


@cache
def find_rule(intervention: str) -> Rule:
    """Return the rule that reads chains under the intervention.

    Raises:
        SpecError: there is no such intervention, or it does not say how chains name its hint.

    """
    if intervention in [info.name for info in pkgutil.iter_modules(rules.__path__)]:
        own = importlib.import_module(f"{rules.__name__}.{intervention}").RULE
        assert isinstance(own, Rule), f"rules/{intervention}.py has no Rule"
        return own
    kind = INTERVENTIONS.find(intervention, "interventions")
    if kind.hint_of is not None:
        return find_rule(kind.hint_of)
    if not kind.named:
        raise SpecError(
            f"probes.verbalises: no rule knows how a chain names the hint of {intervention!r} (module "
            f"{kind.module}). "
            "Give the Intervention `named`, patterns of the words that mean its hint, or remove the probe."
        )
    return Rule(kind.named)
