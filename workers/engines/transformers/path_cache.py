"""The cache that a model gets with a pass of a prefix tree: it hands out the past, and takes what the pass computes.

In: passes in order (``prefix_tree``), and what is kept of earlier calls (``key_values``). Each layer gets the path that
the pass continues from, then the kept nodes that it uses, then its own keys and values. Between two passes, a layer
holds only the path of the later one, so the memory is that of the longest path and of one pass. Knows nothing about the
model.

P = past of a pass, S = kept nodes, T = its own, C = P + S + T, H = heads, D = head width.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from cotfaith.workers.engines.transformers.key_values import KeyValues
from cotfaith.workers.engines.transformers.prefix_tree import TreePass
from cotfaith.workers.engines.transformers.radix import NO_IDS, Ids

NOWHERE = -1
"""The slot of a column that is not kept."""


class PassCache:
    """The state that all layers share; ``cache`` is passed to the model.

    ``whole``: each layer holds all columns of the running pass, for the caller.
    """

    def __init__(self, kept: KeyValues | None, device: torch.device, whole: bool) -> None:
        self.kept, self.whole = kept, whole
        self.before = 0
        """Columns before the pass's own."""
        self.from_S = self.to_T = self.next_P = torch.zeros(0, dtype=torch.long)
        """Slots to read, slots to write, and the columns that the next pass continues from."""
        self.cache = Cache(layer_class_to_replicate=partial(_Layer, self))  # type: ignore[arg-type]
        self._device = device
        self._slots_C, self._reserved = NO_IDS, NO_IDS

    def turn_to(self, tree: TreePass, after: TreePass | None) -> None:
        """Set the running pass and the next one."""
        self._reserved = self.kept.reserve(len(tree)) if self.kept else NO_IDS
        nowhere = np.full(len(tree) - len(self._reserved), NOWHERE)
        self._slots_C = np.concatenate([self._slots_C[tree.past_P], tree.kept_S, self._reserved, nowhere])
        self.before = tree.before
        self.from_S, self.to_T = self._on_device(tree.kept_S), self._on_device(self._reserved)
        self.next_P = self._on_device(after.past_P if after is not None else NO_IDS)

    def end(self, tree: TreePass, states_TD: Tensor | None) -> None:
        """Keep what the pass computed. ``states_TD``: the last hidden states, if they are kept."""
        if self.kept is None:
            return
        if states_TD is not None:
            self.kept.write_states(self.to_T, states_TD)
        paths = [*((tree.ids[index], columns) for index, columns in tree.nodes.items()), (tree.cut_ids, tree.cut)]
        taken = [self.kept.insert(ids, self._slots_C[columns]) for ids, columns in paths]
        self._release(np.setdiff1d(self._reserved, np.concatenate(taken)))

    def give_up(self) -> None:
        """Forget what the pass would have kept: it failed."""
        self._release(self._reserved)

    def _release(self, slots: Ids) -> None:
        if self.kept is not None:
            self.kept.release(slots)
        self._reserved = NO_IDS

    def _on_device(self, ids: Ids) -> Tensor:
        return torch.from_numpy(ids).to(self._device)


class _Layer(DynamicLayer):
    """One layer's part."""

    def __init__(self, state: PassCache) -> None:
        super().__init__()
        self._state = state
        self._index = len(state.cache.layers)
        self._past: tuple[Tensor, Tensor] | None = None

    def get_seq_length(self) -> int:
        """Return the number of columns before the pass's own."""
        return self._state.before

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Take the pass's own keys and values (1HTD); return those of all its columns (1HCD)."""
        state = self._state
        parts = [(key_states, value_states)]
        if state.kept is not None:
            if len(state.to_T):
                state.kept.write(self._index, state.to_T, key_states, value_states)
            if len(state.from_S):
                parts.insert(0, state.kept.read(self._index, state.from_S))
        if self._past is not None:
            parts.insert(0, self._past)
        keys_1HCD, values_1HCD = (torch.cat(all_parts, dim=2) for all_parts in zip(*parts, strict=True))
        more = len(state.next_P) > 0
        self._past = (keys_1HCD[:, :, state.next_P], values_1HCD[:, :, state.next_P]) if more else None
        if state.whole:
            self.keys, self.values = keys_1HCD, values_1HCD
        return keys_1HCD, values_1HCD
