"""How many items of a shard one job takes: as many as ``resources.shard_tokens`` allows, and at least one.

In: a job, and the mean length of its model's chains on its task, as far as it is known when the job is given out.
Out: the same job, or several on neighbouring items. Tokens are the plan's estimate (``per_item``): distinct prompt
tokens and generated ones. Chains that come with the items have lengths of their own, so there cuts fall by tokens, not
by items: a few items of the task, from the shortest to the longest, are measured, and the others lie between these.
Reads nothing, and knows nothing about what is done.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from cotfaith.cluster.fleet.jobs import Job
from cotfaith.cluster.plan.per_item import MOST_ITEMS, Amount, PerItem
from cotfaith.cluster.plan.plan import Plan
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import PieceName
from cotfaith.workers.engines.protocol import CHAINS

Name = tuple[str, str, str, str]
"""Model, task, probe or ``CHAINS``, variant."""
Amounts = Mapping[Name, Amount]
_TRIES = 12
"""Steps of the search for parts of one size: the last is 1/4000 of the most tokens."""


class JobSizes:
    """Divides the jobs of one plan."""

    def __init__(self, plan: Plan, per_item: PerItem) -> None:
        self._plan, self._per_item = plan, per_item
        self._most = {model.id: plan.spec.resources.of(model).shard_tokens for model in plan.spec.models}
        self._measured = cache(self._measure)
        self._curve = cache(self._sum)

    def parts(self, job: Job, chain_tokens: float, pieces: Collection[PieceName] | None = None) -> list[Job]:
        """Return the job, or the fewest parts of it that take at most ``shard_tokens``, as even as can be.

        Args:
            job: what is to be done.
            chain_tokens: the mean length of the chains, observed or planned; not used for chains that come with items.
            pieces: those that are missing, if they are known; by default all that the job wants, also chains that are
                committed already.

        """
        most = self._most[job.model]
        if most is None or len(job.items) == 1:
            return [job]
        counts = cuts(self.tokens(job, chain_tokens, pieces), most)
        return [job] if len(counts) == 1 else job.parts(counts)

    def tokens(self, job: Job, chain_tokens: float, pieces: Collection[PieceName] | None = None) -> list[float]:
        """Return the tokens that each of the job's items takes."""
        wanted = job.wanted.pieces if pieces is None else pieces
        task = job.shard.task
        names = Counter((job.model, task, piece.probe or CHAINS, piece.variant) for piece in wanted)
        if all(item.supplied is not None for item in job.items):
            sizes, tokens = self._curve(task, frozenset(names.items()))
            return [float(one) for one in np.interp([size(item) for item in job.items], sizes, tokens)]
        return [_tokens(self._per_item.at(chain_tokens), names.items())] * len(job.items)

    def _sum(self, task: str, names: frozenset[tuple[Name, int]]) -> tuple[list[int], list[float]]:
        """Return the sizes of the items that are measured, and the tokens of each."""
        return list(self._measured(task)), [_tokens(amounts, names) for amounts in self._measured(task).values()]

    def _measure(self, task: str) -> dict[int, Amounts]:
        """Return size -> the work of an item of this size, from the smallest to the largest of the task."""
        items = sorted(self._plan.items[task], key=size)
        steps = min(MOST_ITEMS, len(items)) - 1
        some = [items[at * (len(items) - 1) // max(1, steps)] for at in range(steps + 1)]
        return {size(item): self._of_item(task, item) for item in some}

    def _of_item(self, task: str, item: Item) -> Amounts:
        spec = self._plan.spec
        own = spec.model_copy(update={"tasks": tuple(one for one in spec.tasks if one.name == task)})
        resolved = replace(self._plan.resolved, spec=own)
        return PerItem(replace(self._plan, resolved=resolved, items={task: (item,)})).at(1)


def _tokens(amounts: Amounts, names: Iterable[tuple[Name, int]]) -> float:
    return sum(n * amounts.get(name, Amount()).tokens for name, n in names)


def cuts(tokens: Sequence[float], most: float) -> list[int]:
    """Return how many items each part gets: the fewest parts of at most ``most`` tokens, and these as even as can be.

    An item that takes more is a part by itself.
    """
    whole = sum(tokens)
    if whole <= most:
        return [len(tokens)]
    found = _filled(tokens, most)
    low, high = whole / len(found), most
    for _ in range(_TRIES):
        middle = (low + high) / 2
        tried = _filled(tokens, middle)
        if len(tried) == len(found):
            found, high = tried, middle
        else:
            low = middle
    return found


def _filled(tokens: Sequence[float], most: float) -> list[int]:
    """Return the counts if each part is filled up to ``most`` before the next begins."""
    counts, filled = [0], 0.0
    for one in tokens:
        if counts[-1] and filled + one > most:
            counts.append(0)
            filled = 0.0
        counts[-1] += 1
        filled += one
    return counts


def size(item: Item) -> int:
    """Return the length of an item's question and of the chain that comes with it, in characters."""
    return len(item.question) + sum(map(len, () if item.supplied is None else item.supplied.steps))
