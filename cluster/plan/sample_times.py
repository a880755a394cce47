"""What a few items took, stage by stage -> what many will take.

In: a run whose probes ran apart. Out: seconds per item of each model, task and stage. Larger shards make larger
batches, so the rest is usually faster. The loading of models is not in it.
"""

from collections import defaultdict
from collections.abc import Iterable

from cotfaith.cluster.plan.costs import CHAINS
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.run_objects import Commit

Stage = tuple[str, str, str]
"""Model that answers, task, and stage."""


def seconds_per_item(store: Store) -> dict[Stage, float]:
    """Return the average seconds of one item, where a stage was timed by itself."""
    return _averages(read_ledger(store).commits())


def _averages(commits: Iterable[Commit]) -> dict[Stage, float]:
    seconds: defaultdict[Stage, float] = defaultdict(float)
    items: defaultdict[Stage, int] = defaultdict(int)
    for one in commits:
        if one.seconds is not None and len(one.timed_with) <= 1:
            stage = (one.reader or one.model, one.task, next(iter(one.timed_with), CHAINS))
            seconds[stage] += one.seconds
            items[stage] += len(one.items)
    return {stage: spent / items[stage] for stage, spent in seconds.items() if items[stage]}
