"""What a model computed, kept for later calls: of token prefixes, within a budget of bytes.

In: token ids, each layer's keys and values, and the last hidden states, which the model's head takes. Out: the same
again, for the longest known prefix; and the logits after prefixes that are known whole, which take only the head. Every
layer has one pair of tensors with a slot per token, and the states have one tensor. They are filled from the first slot
on: memory that was never used is not taken. The budget is for all of them: a token takes key-value heads times (key
width + value width) numbers in each layer, and for its state as many as the model is wide. That adds 5% to the keys and
values of SmolLM2-135M, and 6% to those of an 8B Llama. States are not kept if the head cannot be called by itself
(``head``). Nothing that the running call asked for is forgotten before it ends; if that fills the budget, the rest is
not kept. Use one thread. Knows nothing about trees, requests and what a prefix is for.

S = slots asked for, T = tokens computed, H = heads, D = head width or width of a state, N = prefixes, V = vocabulary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotfaith.workers.engines.transformers.head import Head
from cotfaith.workers.engines.transformers.radix import NO_IDS, Ids, Radix


@dataclass(frozen=True)
class LayerShape:
    """The shape of a layer's keys and values for one token."""

    key_HD: tuple[int, int]  # noqa: N815
    value_HD: tuple[int, int]  # noqa: N815
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, keys_1HCD: Tensor, values_1HCD: Tensor) -> "LayerShape":
        """Return the shape of a layer with these keys and values."""
        keys, values = ((x.shape[1], x.shape[3]) for x in (keys_1HCD, values_1HCD))
        return cls(keys, values, keys_1HCD.dtype, keys_1HCD.device)

    @property
    def size(self) -> int:
        """Bytes of one token."""
        return (int(np.prod(self.key_HD)) + int(np.prod(self.value_HD))) * self.dtype.itemsize


class KeyValues:
    """The kept keys, values and states; see the module's contract."""

    def __init__(self, layers: Sequence[LayerShape], head: Head | None, budget: int) -> None:
        """``head``: the model's; null: no states are kept."""
        self.head = head
        self.token_size = sum(layer.size for layer in layers) + (head.state_size if head else 0)
        """Bytes of one token: its keys and values in all layers, and its state."""
        self.room = budget // max(1, self.token_size)
        """Tokens."""
        self.forget()
        self._pools = [
            (
                torch.empty(self.room, *layer.key_HD, dtype=layer.dtype, device=layer.device),
                torch.empty(self.room, *layer.value_HD, dtype=layer.dtype, device=layer.device),
            )
            for layer in layers
        ]
        self._states = torch.empty(self.room, head.width, dtype=head.dtype, device=head.device) if head else None

    @property
    def held(self) -> int:
        """Tokens whose keys and values are kept."""
        return self._unused - len(self._free)

    def forget(self) -> None:
        """Forget everything."""
        self._radix = Radix()
        self._free, self._unused = NO_IDS, 0

    def begin(self) -> None:
        """Begin a call: from now on, what earlier calls used may be forgotten."""
        self._radix.call += 1

    def match(self, ids: Ids) -> Ids:
        """Return the slots of the longest prefix of ``ids`` that is kept."""
        return self._radix.match(ids)

    def known(self, sequences: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], Ids]:
        """Return the slots of each sequence that is kept whole, with its states; these need no pass."""
        if self.head is None:
            return {}
        found = {ids: self.match(np.array(ids, dtype=np.int64)) for ids in sequences}
        return {ids: slots for ids, slots in found.items() if len(slots) == len(ids)}

    def logits(self, known: Iterable[Ids]) -> Tensor:
        """Return the logits (NV) after each sequence with these slots."""
        assert self.head is not None, "without a head no sequence is known"
        assert self._states is not None, "a head's states are kept"
        last_N = torch.tensor([int(slots[-1]) for slots in known], device=self.head.device)
        return self.head(self._states[last_N])

    def reserve(self, count: int) -> Ids:
        """Return up to ``count`` slots to write to; fewer if the running call needs the rest."""
        fresh = min(max(0, count - len(self._free)), self.room - self._unused)
        self._free = np.concatenate([self._free, np.arange(self._unused, self._unused + fresh)])
        self._unused += fresh
        if len(self._free) < count:
            self._free = np.concatenate([self._free, self._radix.take(count - len(self._free))])
        slots, self._free = self._free[:count], self._free[count:]
        return slots

    def release(self, slots: Ids) -> None:
        """Give slots back that were reserved and that no prefix took."""
        self._free = np.concatenate([self._free, slots])

    def insert(self, ids: Ids, slots: Ids) -> Ids:
        """Keep a prefix whose slots are written; return those that it took. A slot below 0 ends what can be kept."""
        missing = np.flatnonzero(slots < 0)
        length = int(missing[0]) if len(missing) else len(slots)
        return self._radix.insert(ids[:length], slots[:length]) if length else NO_IDS

    def read(self, layer: int, slots_S: Tensor) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values (1HSD)."""
        keys_SHD, values_SHD = (pool[slots_S] for pool in self._pools[layer])
        return keys_SHD.transpose(0, 1)[None], values_SHD.transpose(0, 1)[None]

    def write(self, layer: int, slots_T: Tensor, keys_1HTD: Tensor, values_1HTD: Tensor) -> None:
        """Write a layer's keys and values of the first tokens; there may be more tokens than slots."""
        for pool, own_1HTD in zip(self._pools[layer], (keys_1HTD, values_1HTD), strict=True):
            pool[slots_T] = own_1HTD[0, :, : len(slots_T)].transpose(0, 1)

    def write_states(self, slots_T: Tensor, states_TD: Tensor) -> None:
        """Write the states of the first tokens; there may be more tokens than slots."""
        if self._states is not None:
            self._states[slots_T] = states_TD[: len(slots_T)]

    def keep(self, ids: Ids, layers: Sequence[tuple[Tensor, Tensor]], states: Sequence[Tensor]) -> None:
        """Keep a whole sequence: per layer, the keys and values of its tokens (HTD); the states (D) of its last ones.

        If some of the tokens before those are not known, there was no place for them, and nothing more is kept.
        Without a head, ``states`` is not read.
        """
        known = self.match(ids)
        first = len(ids) - len(states) if self.head else 0
        slots = self.reserve(len(ids) - len(known)) if len(known) >= first else NO_IDS
        if not len(slots):
            return
        slots_T = torch.from_numpy(slots).to(layers[0][0].device)
        new = slice(len(known), len(known) + len(slots))
        for layer, (keys_HTD, values_HTD) in enumerate(layers):
            self.write(layer, slots_T, keys_HTD[None, :, new], values_HTD[None, :, new])
        if self.head:
            self.write_states(slots_T, torch.stack([*states[len(known) - first :]]))
        self.insert(ids[: new.stop], np.concatenate([known, slots]))
