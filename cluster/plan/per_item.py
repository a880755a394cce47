"""The planned work of one item, by model, task, stage and variant, as a function of the length of chains.

In: a plan. Out: requests and units of work, measured on a few of each task's items (``costs``). A unit is the work of
one generated token. Knows nothing about what is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from cotfaith.cluster.plan.costs import Cost, stage_costs
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.unit_costs import unit_cost
from cotfaith.schemas.errors import CotfaithError
from cotfaith.schemas.records import Item
from cotfaith.workers.resolved import Resolved

MOST_ITEMS = 12
MOST_PROMPTS = 3000
"""Over all models and tasks: a run must not wait for its forecast."""
ANSWER_TOKENS = 4
"""Of an answer that is generated."""
PROMPT_UNITS = 0.1
"""What a prompt's token costs, of what a generated one does, until a run has shown what its stages cost."""


@dataclass(frozen=True)
class Amount:
    """An amount of work."""

    requests: float = 0.0
    units: float = 0.0
    prompt_units: float = 0.0
    """Those of the units that are for prompts."""

    @property
    def tokens(self) -> float:
        """Generated tokens, and distinct ones of prompts."""
        return self.units - self.prompt_units + self.prompt_units / PROMPT_UNITS

    def __add__(self, other: "Amount") -> "Amount":
        """Return both together."""
        return Amount(self.requests + other.requests, self.units + other.units, self.prompt_units + other.prompt_units)

    def times(self, n: float) -> "Amount":
        """Return ``n`` times as much."""
        return Amount(self.requests * n, self.units * n, self.prompt_units * n)


class PerItem:
    """The work of one item in one strategy."""

    def __init__(self, plan: Plan) -> None:
        frames = len(plan.spec.strategies) * len(plan.resolved.variants)
        cells = len(plan.resolved.subjects) * max(1, len(plan.items)) * frames
        count = max(1, min(MOST_ITEMS, MOST_PROMPTS // max(1, cells)))
        items = {name: _spread(items, count) for name, items in plan.items.items()}
        self._plan = replace(plan, resolved=_with_short_answers(plan.resolved), items=items)
        self._at = cache(self._measure)
        self._unit_costs: dict[str, float | None] = {}

    def at(self, chain_tokens: float) -> Mapping[tuple[str, str, str, str], Amount]:
        """Return (model, task, probe or ``costs.CHAINS``, variant) -> the work, for chains of about this length."""
        return self._at(_two_digits(chain_tokens))

    def unit_cost(self, model: str) -> float | None:
        """Return what a unit of the model's work costs beside those of others (``unit_costs``)."""
        if model not in self._unit_costs:
            self._unit_costs[model] = unit_cost(self._plan.models[model])
        return self._unit_costs[model]

    def _measure(self, chain_tokens: int) -> dict[tuple[str, str, str, str], Amount]:
        """Return the work; nothing if a plug-in's plan fails, which ``plan`` reports."""
        try:
            found = stage_costs(self._plan, chain_tokens)
        except CotfaithError:
            return {}
        return {(line.model, line.task, line.stage, line.variant): self._amount(line) for line in found}

    def _amount(self, line: Cost) -> Amount:
        prompt = PROMPT_UNITS * line.distinct_tokens
        whole = Amount(line.requests, line.generated_tokens + prompt, prompt)
        items = len(self._plan.items[line.task]) * len(self._plan.spec.strategies) * self._subjects(line)
        return whole.times(1 / max(1, items))

    def _subjects(self, line: Cost) -> int:
        """Return how many subjects' chains a line is about: a reader's is about all of them."""
        plan = self._plan
        probe = next((one for one in plan.probes if one.name == line.stage), None)
        if probe is None or not probe.kind.readers:
            return 1
        authors = [one.spec.id for one in plan.resolved.subjects if plan.spec.answers(one.spec.id, line.task)]
        return sum(line.model in probe.readers_for(line.task, author) for author in authors)


def _with_short_answers(resolved: Resolved) -> Resolved:
    """Return the spec with answers that end where they usually do, and not at the longest that is allowed."""
    sampling = resolved.spec.sampling
    short = min(sampling.answer_max_tokens, ANSWER_TOKENS)
    changed = sampling.model_copy(update={"answer_max_tokens": short})
    return replace(resolved, spec=resolved.spec.model_copy(update={"sampling": changed}))


def _spread(items: tuple[Item, ...], count: int) -> tuple[Item, ...]:
    """Return at most ``count`` of the items, evenly spread."""
    return tuple(items[at * len(items) // count] for at in range(count)) if len(items) > count else items


def _two_digits(number: float) -> int:
    """Return the number with two significant digits: few lengths are measured."""
    return max(1, int(float(f"{number:.1e}")))
