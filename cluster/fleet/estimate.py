"""The work that is left of a run, in requests and in seconds of its engines: one calculation, at one moment.

In: the plan's counts, those that are done, and what was done for them. Work is counted in units, each that of one
generated token. Finished shards correct the plan's units by stage. A unit takes what it took so far in its stage
(``ratios``); on a model that has not worked yet, in proportion to its size. Knows nothing about wall time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cotfaith.cluster.fleet.ratios import Ratios
from cotfaith.cluster.fleet.to_do import Counts, Planned
from cotfaith.cluster.plan.per_item import Amount
from cotfaith.workers.engines.protocol import PROBES, READINGS, StageKey, StageWork

Amounts = Mapping[StageKey, Amount]
Work = Mapping[StageKey, StageWork]


@dataclass(frozen=True)
class Estimate:
    """What is known at one moment."""

    per_item: Callable[[Planned], Amount]
    usable: Callable[[StageKey], float]
    """The share of the planned work of a stage that will be done, before a shard has shown it."""
    unit_cost: Callable[[str], float | None]
    """What a unit costs on a model beside others, before it has worked; None: not known, so it is as the others."""
    whole: Counts
    """The run's counts, done or not."""
    done: Counts
    """What the shards that are finished had to do."""
    left: Counts
    made: Work
    """What the finished shards did."""
    work: Work
    """What all engines did so far, for unfinished shards too."""

    @property
    def is_timed(self) -> bool:
        """Whether some work with a result has taken time."""
        return any(seconds and units for seconds, units in self._rates.pairs.values())

    def left_s(self) -> dict[str, float]:
        """Return the seconds of engines that are left, by model."""
        found: dict[str, float] = {}
        for key, one in self._amounts(self.left).items():
            found[key.model] = found.get(key.model, 0.0) + self._units_left(key, one) * self._rate(key)
        return found

    def seconds(self, counts: Counts) -> float:
        """Return the seconds of engines that so much takes."""
        found = self._amounts(counts)
        return sum(one.units * self._correction(key) * self._rate(key) for key, one in found.items())

    def requests_done(self, earlier: Counts) -> float:
        """Return the requests that are done, with those of ``earlier``."""
        before = sum(one.requests * self._asked(key) for key, one in self._amounts(earlier).items())
        return before + sum(one.requests for one in self.work.values())

    def requests_left(self) -> float:
        """Return the requests that are left."""
        return sum(
            max(0.0, one.requests * self._asked(key) - self._begun(key).requests)
            for key, one in self._amounts(self.left).items()
        )

    def _amounts(self, counts: Counts) -> dict[StageKey, Amount]:
        found: dict[StageKey, Amount] = {}
        for one, n in counts.items():
            found[one.stage] = found.get(one.stage, Amount()) + self.per_item(one).times(n)
        return found

    def _units_left(self, key: StageKey, planned: Amount) -> float:
        return max(0.0, planned.units * self._correction(key) - self._units(key, self._begun(key)))

    def _begun(self, key: StageKey) -> StageWork:
        """Return the work on shards that are not finished."""
        work, made = self.work.get(key, StageWork()), self.made.get(key, StageWork())
        return StageWork(
            max(0.0, work.requests - made.requests), max(0.0, work.generated_tokens - made.generated_tokens)
        )

    def _units(self, key: StageKey, work: StageWork | None) -> float:
        """Return the units of work that was done: a request's prompt counts as the plan's mean."""
        return 0.0 if work is None else work.generated_tokens + self._prompt_units.get(key, 0.0) * work.requests

    @cached_property
    def _prompt_units(self) -> dict[StageKey, float]:
        whole = self._amounts(self.whole)
        return {key: one.prompt_units / one.requests for key, one in whole.items() if one.requests}

    @cached_property
    def _rates(self) -> Ratios:
        return Ratios({key: (one.seconds, self._units(key, one)) for key, one in self.work.items()})

    def _rate(self, key: StageKey) -> float:
        """Return the seconds a unit; before any are known, 1: then only shares of the work have a meaning.

        A model that has not worked yet is as others are, in proportion to what a unit costs on each. Readings are as
        probes, until there are some: both are short answers to long prompts.
        """
        models, stages = self._seen
        if key.stage == READINGS and READINGS not in stages and PROBES in stages:
            key = key._replace(stage=PROBES)
        found = self._rates.scaled(key)
        if not found:
            return 1.0
        cost = None if key.model in models else self.unit_cost(key.model)
        return found if cost is None or self._mean_cost is None else found * cost / self._mean_cost

    @cached_property
    def _seen(self) -> tuple[set[str], set[str]]:
        """The models that have worked, and the stages."""
        return {key.model for key in self.work}, {key.stage for key in self.work}

    @cached_property
    def _mean_cost(self) -> float | None:
        """What a unit cost so far, on the models of which that is known."""
        known = [(self._units(key, work), self.unit_cost(key.model) or 0.0) for key, work in self.work.items()]
        units = sum(n for n, cost in known if cost)
        return sum(n * cost for n, cost in known) / units if units else None

    @cached_property
    def _askings(self) -> Ratios:
        planned = self._amounts(self.done)
        return Ratios({key: (self.made.get(key, StageWork()).requests, one.requests) for key, one in planned.items()})

    def _asked(self, key: StageKey) -> float:
        """Return the requests of a stage, as a share of those planned."""
        found = self._askings.of(key)
        return self.usable(key) if found is None else found

    @cached_property
    def _corrections(self) -> Ratios:
        planned = self._amounts(self.done)
        return Ratios({key: (self._units(key, self.made.get(key)), one.units) for key, one in planned.items()})

    def _correction(self, key: StageKey) -> float:
        found = self._corrections.of(key)
        return self.usable(key) if found is None else found
