"""Items -> shards. The two items of a pair are never in two of them, because a comparison needs both."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cotfaith.cluster.imports.paired.items import Items, PairedItem
from cotfaith.schemas.run_objects import ItemRange

MOST_ITEMS = 4_000
"""The most items of a shard."""


@dataclass(frozen=True)
class ItemShard:
    """The items of a shard."""

    start: int
    """The first one's place in the task."""
    items: Sequence[PairedItem]

    @property
    def stop(self) -> int:
        """The place after the last one."""
        return self.start + len(self.items)

    @property
    def range(self) -> ItemRange:
        """The shard as a range of its own."""
        return ItemRange(start=self.start, stop=self.stop, shard_size=len(self.items), items="")


def shards_of(items: Items) -> dict[str, list[ItemShard]]:
    """Return task -> its shards."""
    groups: defaultdict[str, list[list[PairedItem]]] = defaultdict(list)
    for group in items.together():
        groups[group[0].task].append(group)
    return {task: _shards(own) for task, own in groups.items()}


def _shards(groups: Iterable[list[PairedItem]]) -> list[ItemShard]:
    parts: list[list[PairedItem]] = [[]]
    for group in groups:
        if parts[-1] and len(parts[-1]) + len(group) > MOST_ITEMS:
            parts.append([])
        parts[-1].extend(group)
    starts = [sum(map(len, parts[:at])) for at in range(len(parts))]
    return [ItemShard(start, part) for start, part in zip(starts, parts, strict=True)]
