"""A quotient by stage of work, such as seconds a unit: where a stage has none, that of the stages most like it."""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from cotfaith.workers.engines.protocol import StageKey

PRIOR = 0.1
"""How strongly a quotient that rests on little is drawn to the next group's: a share of that group's denominator."""
_NONE = (0.0, 0.0)


@dataclass(frozen=True)
class Ratios:
    """Quotients of sums."""

    pairs: Mapping[StageKey, tuple[float, float]]
    """Numerator and denominator."""
    _sums: dict[Hashable, tuple[float, float]] = field(init=False)
    _stages: dict[str, set[str]] = field(init=False)
    """Model -> the stages that it has been in."""

    def __post_init__(self) -> None:
        sums: defaultdict[Hashable, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        stages: defaultdict[str, set[str]] = defaultdict(set)
        for key, (above, below) in self.pairs.items():
            stages[key.model].add(key.stage)
            for group in (key, (key.model, key.stage), ("stage", key.stage), ("model", key.model), "all"):
                sums[group] = (sums[group][0] + above, sums[group][1] + below)
        object.__setattr__(self, "_sums", dict(sums))
        object.__setattr__(self, "_stages", dict(stages))

    def of(self, key: StageKey) -> float | None:
        """Return the quotient of this stage: on its task if known, else of its model, else of all models."""
        return self._first(key, (key.model, key.stage), ("stage", key.stage))

    def scaled(self, key: StageKey) -> float | None:
        """Do the same; another model's is scaled as the two compare in the stages that this one has been in.

        A stage that no model has been in has the quotient of all others of this model, or of all.
        """
        own, mine = self._first(key, (key.model, key.stage)), self._first(("model", key.model))
        if own is not None:
            return own
        stage = self._first(("stage", key.stage))
        if stage is None:
            return self._first(("model", key.model), "all")
        theirs = self._total([("stage", one) for one in self._stages.get(key.model, ())])
        return stage * mine / theirs if mine and theirs else stage

    def _first(self, *groups: Hashable) -> float | None:
        """Return the quotient of the first group that has one, drawn to the next ones' while it rests on little."""
        found, wider = None, 0.0
        for group in reversed(groups):
            above, below = self._sums.get(group, _NONE)
            if below and found is None:
                found, wider = above / below, below
            elif below and found is not None:
                weight = PRIOR * (wider - below)
                found, wider = (above + weight * found) / (below + weight), below
        return found

    def _total(self, groups: list[Hashable]) -> float | None:
        found = [self._sums[group] for group in groups if group in self._sums]
        below = sum(pair[1] for pair in found)
        return sum(pair[0] for pair in found) / below if below else None
