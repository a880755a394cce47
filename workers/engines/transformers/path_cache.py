"""Keys and values of one path of a prefix tree, for passes that continue from one another.

In: passes in order (``prefix_tree``). Between two passes, each layer holds only the path that the later pass continues
from, with each token at the place of its depth. So the memory is that of the longest such path. What a pass computes
off that path is dropped at once. Knows nothing about the model.

T = nodes of a pass, P = its past, C = P + T, W = longest past of all passes, H = heads, D = head width.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from cotfaith.workers.engines.transformers.prefix_tree import TreePass


class Path:
    """The state that all layers share: the running pass and the next one; ``cache`` is passed to the model."""

    def __init__(self, passes: Sequence[TreePass]) -> None:
        self.longest = max((len(tree.past_P) for tree in passes), default=0)
        self.held = 0
        """Tokens of the path that the pass continues from."""
        self.kept = 0
        """How many of them the next pass also continues from."""
        self.new = torch.zeros(0, dtype=torch.long)
        """Nodes of the pass that extend the next pass's path, in order of depth."""
        self.cache = Cache(layer_class_to_replicate=partial(_PathLayer, self))  # type: ignore[arg-type]

    def turn_to(self, tree: TreePass, after: TreePass | None) -> None:
        """Set the running pass and the next one."""
        columns = torch.from_numpy(after.past_P) if after is not None else torch.zeros(0, dtype=torch.long)
        self.held = len(tree.past_P)
        self.kept = int((columns < self.held).sum())
        self.new = columns[self.kept :] - self.held


class _PathLayer(DynamicLayer):
    """One layer's part of the path."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._room: tuple[Tensor, Tensor] | None = None

    def get_seq_length(self) -> int:
        """Return the length of the pass's past."""
        return self._path.held

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Take the pass's own keys and values (1HTD); return them after those of its past (1HCD)."""
        if self._room is None:
            self._room = self._empty(key_states), self._empty(value_states)
        keys_1HCD, values_1HCD = (
            self._through(room, own) for room, own in zip(self._room, (key_states, value_states), strict=True)
        )
        return keys_1HCD, values_1HCD

    def _empty(self, like_1HTD: Tensor) -> Tensor:
        _, heads, _, size = like_1HTD.shape
        return like_1HTD.new_empty(1, heads, self._path.longest, size)

    def _through(self, room_1HWD: Tensor, own_1HTD: Tensor) -> Tensor:
        path = self._path
        all_1HCD = torch.cat([room_1HWD[:, :, : path.held], own_1HTD], dim=2) if path.held else own_1HTD
        room_1HWD[:, :, path.kept : path.kept + len(path.new)] = own_1HTD[:, :, path.new.to(own_1HTD.device)]
        return all_1HCD
